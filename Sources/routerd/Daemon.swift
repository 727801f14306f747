// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Core
import Logging
import Protocol
import ServiceLifecycle

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Puts the services together and runs them until a signal says stop.
enum Daemon {
    static func run(_ config: Config, source: ConfigSource, socketPath: String, findings: [Preflight.Finding], events: EventLog) async throws {
        let logger = Logger(label: "routerd")
        for notice in config.notices { logger.warning("\(notice)") }
        for finding in findings { logger.error("\(finding)") }
        let router = try await Router(
            config: config, configPath: source.path, controlPath: socketPath, loadConfig: { try source.load() },
            readConfig: { try source.read($0, path: $1) }, events: events, logger: logger)
        // Stopped in reverse order: first the port, then the socket, on which an operator can watch that, then the polls.
        var group = ServiceGroupConfiguration(
            services: (router.services + [SignalService(router: router, logger: logger)]).map {
                ServiceGroupConfiguration.ServiceConfiguration(
                    service: $0, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .cancelGroup)
            },
            logger: Logger(label: "services", factory: { _ in SwiftLogNoOpLogHandler() }))
        group.gracefulShutdownSignals = []
        let services = ServiceGroup(configuration: group)
        try await services.run()
        try await router.close()
        logger.info("stopped")
    }
}
