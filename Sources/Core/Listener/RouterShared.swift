// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOCore
import Synchronization

/// What all workers share: the decision plane, the fleet, and the count of connections.
final class RouterShared: Sendable {
    let scheduler: SchedulerBox
    let fleet: Fleet
    let pages: FleetPages
    let tls: TLSClients
    let logger: Logger
    /// Client connections of all workers.
    let connections = Atomic<Int>(0)

    init(scheduler: SchedulerBox, fleet: Fleet, pages: FleetPages, tls: TLSClients, logger: Logger) {
        self.scheduler = scheduler
        self.fleet = fleet
        self.pages = pages
        self.tls = tls
        self.logger = logger
    }
}

/// The configuration as the data path needs it: ready to use, never changed, replaced as a whole by a reload.
final class RuntimeSettings: Sendable {
    let limits: Config.Limits
    let keys: RouterKeys
    let endpoints: [EndpointID: Endpoint]
    /// Nil: clients speak plain HTTP.
    let listenerTLS: TLSContext?

    /// - Throws: `TLSError` if the listener's certificate cannot be used.
    init(config: Config, endpoints: [Endpoint]) throws {
        limits = config.limits
        keys = RouterKeys(config.routerKey)
        listenerTLS = try config.tls.map { settings throws(TLSError) in try TLSContext(server: settings) }
        self.endpoints = Dictionary(endpoints.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private init(_ other: RuntimeSettings, endpoints: [Endpoint]) {
        limits = other.limits
        keys = other.keys
        listenerTLS = other.listenerTLS
        self.endpoints = Dictionary(endpoints.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The same for another fleet.
    func with(endpoints: [Endpoint]) -> RuntimeSettings { RuntimeSettings(self, endpoints: endpoints) }
}
