// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Core
import Logging
import ServiceLifecycle

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// SIGHUP reloads. SIGTERM and SIGINT end this service, and with it gracefully the others; for a second one see `SignalPipe`.
struct SignalService: Service {
    let router: Router
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await number in SignalPipe.numbers() {
                if number == SIGHUP {
                    await reload()
                } else {
                    logger.notice("stopping", metadata: ["signal": "\(number == SIGTERM ? "SIGTERM" : "SIGINT")"])
                    break
                }
            }
        }
    }

    private func reload() async {
        do {
            _ = try await router.reload(dryRun: false)
        } catch {
            logger.error("the configuration was not reloaded, and the old one stays", metadata: ["error": "\(error)"])
        }
    }
}
