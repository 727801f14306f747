// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Core
import Dispatch
import Logging
import Protocol
import ServiceLifecycle

#if canImport(Glibc)
    import Glibc
#endif

/// SIGHUP reloads. SIGTERM and SIGINT end this service, and with it gracefully the others; a second one ends the process at once.
struct SignalService: Service {
    let router: Router
    let logger: Logger

    func run() async throws {
        let (signals, feed) = AsyncStream.makeStream(of: Int32.self)
        let sources = [SIGHUP, SIGTERM, SIGINT].map { number in
            // The default action would come before the source.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { feed.yield(number) }
            source.activate()
            return source
        }
        defer { withExtendedLifetime(sources) {} }
        await cancelWhenGracefulShutdown {
            for await number in signals {
                if number == SIGHUP {
                    await reload()
                } else {
                    logger.notice("stopping", metadata: ["signal": "\(number == SIGTERM ? "SIGTERM" : "SIGINT")"])
                    break
                }
            }
        }
        // The stream is at its end, but the signals are still ignored: from here on one of them is the second.
        for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(1) } }
    }

    private func reload() async {
        do {
            _ = try await router.reload(dryRun: false)
        } catch {
            logger.error("the configuration was not reloaded, and the old one stays", metadata: ["error": "\(error)"])
        }
    }
}
