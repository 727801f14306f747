// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOCore
import NIOPosix
import NIOConcurrencyHelpers

@testable import Core

/// What the tests of a fleet have in common: its servers, its configuration, and a fleet that runs while a test does.
protocol FleetBench {}

extension FleetBench {
    var ollama: [String: FakePollServer.Answer] {
        [
            "/api/version": .json(#"{"version":"0.12.3"}"#),
            "/api/tags": .json(#"{"models":[{"name":"a:latest","model":"a:latest","digest":"d"}]}"#),
            "/api/ps": .json(#"{"models":[]}"#),
        ]
    }
    var aIsLoaded: FakePollServer.Answer { .json(#"{"models":[{"name":"a:latest","model":"a:latest","size_vram":5}]}"#) }
    var llama: [String: FakePollServer.Answer] {
        [
            "/health": .json(#"{"status":"ok"}"#), "/v1/models": .json(#"{"data":[{"id":"smol"}]}"#),
        ]
    }

    func config(_ server: FakePollServer, name: String = "one", kind: EndpointKind = .ollama) -> Config.EndpointConfig {
        Config.EndpointConfig(
            name: name, address: EndpointAddress(host: "127.0.0.1", port: server.port, url: "http://127.0.0.1:\(server.port)"), kind: kind, limit: 2)
    }

    /// Intervals so long that within a test only kicks lead to a second poll.
    func rarely() -> Config.Polling {
        var polling = Config.Polling()
        polling.loadedInterval = .hours(1)
        polling.modelsInterval = .hours(1)
        polling.maxBackoff = .milliseconds(50)
        return polling
    }

    /// A fleet that runs while `body` does, with all that it told.
    func withFleet(
        timeout: TimeAmount = .seconds(5), names: NameResolver = NameResolver(), _ body: (Fleet, Told) async throws -> Void
    ) async throws {
        let told = Told()
        var logger = Logger(label: "test") { _ in told }
        logger.logLevel = .info
        let client = EndpointClient(group: MultiThreadedEventLoopGroup.singleton, dialer: Dialer(names: names), timeout: timeout)
        let fleet = Fleet(client: client, logger: logger) { id, report in told.reports.withLockedValue { $0.append((id, report)) } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await fleet.run() }
            try await body(fleet, told)
            group.cancelAll()
        }
    }
}

/// What went to the sink, and to the log.
final class Told: LogHandler, Sendable {
    let reports = NIOLockedValueBox<[(EndpointID, EndpointReport)]>([])
    let lines = NIOLockedValueBox<[String]>([])

    var phases: [EndpointState.Phase] { reports.withLockedValue { $0.map(\.1.state.phase) } }
    var logged: [String] { lines.withLockedValue { $0 } }

    func log(event: LogEvent) {
        let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        lines.withLockedValue { $0.append("\(event.level) \(event.message) \(facts)") }
    }

    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    var logLevel: Logger.Level {
        get { .info }
        set {}
    }
}

extension Fleet {
    var only: EndpointReport { reports()[0].1 }
}
