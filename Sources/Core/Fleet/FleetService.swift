// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ServiceLifecycle

/// The polls, as a service: they go on while streams end, and stop last.
struct FleetService: Service {
    let fleet: Fleet

    func run() async throws {
        await cancelWhenGracefulShutdown { await fleet.run() }
    }
}
