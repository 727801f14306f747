// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

@testable import routerctl

/// The JSON and the text of each command, compared with files: a change of what scripts read shows here.
///
/// `ROUTERD_UPDATE_GOLDEN=1` writes the files anew; look at the difference before committing it.
@Suite struct GoldenTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")

    private func check(_ text: String, _ name: String) throws {
        let file = Self.folder.appendingPathComponent(name)
        if ProcessInfo.processInfo.environment["ROUTERD_UPDATE_GOLDEN"] == "1" {
            try Data((text + "\n").utf8).write(to: file)
        }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(text + "\n" == expected, "differs from \(name)")
    }

    private func render(_ value: some Encodable, _ name: String, text: (Page) -> Void) throws {
        let style = Style(colour: false, ascii: false)
        try check(try Output(json: true, width: nil, style: style).render(value, text: text).joined(separator: "\n"), "\(name).json")
        try check(try Output(json: false, width: nil, style: style).render(value, text: text).joined(separator: "\n"), "\(name).tsv")
        try check(try Output(json: false, width: 100, style: style).render(value, text: text).joined(separator: "\n"), "\(name).txt")
    }

    @Test func status() throws {
        try render(Sample.status, "status") { StatusCommand.print(Sample.status, on: $0) }
    }

    @Test func endpoints() throws {
        try render(EndpointList(endpoints: Sample.endpoints), "endpoints") { $0.table(EndpointsCommand.table(Sample.endpoints)) }
    }

    @Test func oneEndpoint() throws {
        try render(EndpointList(endpoints: [Sample.endpoints[0]]), "endpoint") { EndpointsCommand.print(Sample.endpoints[0], on: $0) }
    }

    @Test func models() throws {
        try render(ModelList(models: Sample.models), "models") { $0.table(ModelsCommand.table(Sample.models)) }
    }

    @Test func placesOfModels() throws {
        try render(ModelList(models: Sample.models), "places") { $0.table(ModelsCommand.places(Sample.models)) }
    }

    @Test func requests() throws {
        try render(RequestList(requests: Sample.requests), "requests") { $0.table(RequestsCommand.table(Sample.requests)) }
    }

    @Test func drain() throws {
        let endpoint = Sample.endpoints[1]
        try render(EndpointList(endpoints: [endpoint]), "drain") { EndpointChange.print(endpoint, on: $0) }
    }

    @Test func reload() throws {
        let info = ReloadInfo(applied: true, changes: ["endpoint gpu-3 added"], needsRestart: ["threads: 1 to 2"])
        try render(info, "reload") { ReloadCommand.print(info, dryRun: false, on: $0) }
    }

    @Test func version() throws {
        var info = VersionInfo()
        info.routerd = .init(version: "0.1.0", controlProtocol: 2, pid: 4711)
        try render(info, "version") { VersionCommand.print(info, on: $0) }
    }

    @Test func explain() throws {
        try render(Sample.explanation, "explain") { $0.table(ExplainCommand.table(Sample.explanation.options)) }
    }

    @Test func queue() throws {
        try render(QueueList(waiting: Sample.queue), "queue") { $0.table(QueueCommand.table(Sample.queue)) }
    }

    @Test func tokens() throws {
        try render(Sample.tokens, "tokens") { page in
            if page.isTerminal { TokensCommand.chart(Sample.tokens, on: page) }
            page.table(TokensCommand.table(Sample.tokens.rows))
        }
    }

    @Test func events() throws {
        try render(EventList(events: Sample.events), "events") { page in
            if page.isTerminal {
                Sample.events.forEach { EventsCommand.print($0, on: page) }
            } else {
                page.table(EventsCommand.table(Sample.events))
            }
        }
    }

    @Test func cancel() throws {
        let list = CancelledList(cancelled: [Sample.requests[0]])
        try render(list, "cancel") { page in list.cancelled.forEach { CancelCommand.print($0, on: page) } }
    }

    @Test func weight() throws {
        try render(EndpointList(endpoints: [Sample.endpoints[1]]), "weight") { WeightCommand.print(Sample.endpoints[1], on: $0) }
    }

    @Test func actionsOnModels() throws {
        let info = ModelActionInfo(model: "llama3.2:3b", outcomes: [.init(endpoint: "gpu-1"), .init(endpoint: "gpu-2", failure: "disk full")])
        try render(info, "pull") { ModelAction.print(info, done: "pulled", on: $0) }
    }

    @Test func showingAModel() throws {
        let info = ModelActionInfo(
            model: "llama3.2:3b", outcomes: [.init(endpoint: "gpu-1")], details: #"{"a":[1,{"b":"x: \"y\", {z"}],"c":{},"d":[]}"#)
        try render(info, "show") { ShowCommand.print(info, on: $0) }
    }

    @Test func configurationInForce() throws {
        try render(Sample.config, "config") { $0.table(ConfigShowCommand.table(Sample.config.settings)) }
    }

    @Test func checkedConfiguration() throws {
        let info = ConfigCheckInfo(
            notices: ["config.yaml:3:1: threads has no effect"], changes: ["queue_limit: 256 -> 512"], needsRestart: ["listen: a -> b"])
        try render(info, "check") { ConfigCheckCommand.print(info, path: "config.yaml", on: $0) }
    }

    @Test func cacheStats() throws {
        var info = CacheInfo()
        info.enabled = true
        info.backend = "sqlite"
        info.semantic = true
        info.vectors = 40
        info.exactHits = 30
        info.semanticHits = 5
        info.shared = 1
        info.misses = 64
        info.bypasses = ["asked": 3]
        info.entries = 41
        info.bytes = 1_234_567
        info.oldestS = 7200
        info.tokensSaved = 20_000
        info.secondsSaved = 345
        info.hitRates = [.init(minutes: 1, requests: 10, rate: 0.5)]
        info.namespaces = [.init(name: "llama3.2:3b/00ff", model: "llama3.2:3b", tenant: "", entries: 41, bytes: 1_234_567)]
        try render(info, "cache-stats") { CacheStatsCommand.print(info, on: $0) }
    }

    @Test func cacheInvalidate() throws {
        let info = CacheInvalidated(enabled: true, cleared: 3, dryRun: false)
        try render(info, "cache-invalidate") { CacheInvalidateCommand.print(info, on: $0) }
    }

    @Test func ping() throws {
        let info = PingInfo(path: "/run/routerd/control.sock", version: "0.1.0", timesMs: [0.5, 0.25])
        try render(info, "ping") { PingCommand.print(info, round: 2, on: $0) }
    }

    @Test func snapshots() throws {
        var snapshot = SnapshotInfo(sequence: 1, atMs: 200, status: Sample.status, requests: Sample.requests)
        snapshot.queue = Sample.queue
        snapshot.models = Sample.models
        snapshot.events = Sample.events
        try check(try Output.encode(snapshot, pretty: false), "watch.ndjson")
    }

    /// A terminal of the usual size: nothing is wider, and what goes first is chosen.
    @Test func everyTableInEightyColumns() throws {
        let tables: [(String, TextTable)] = [
            ("endpoints", EndpointsCommand.table(Sample.endpoints)), ("models", ModelsCommand.table(Sample.models)),
            ("places", ModelsCommand.places(Sample.models)), ("requests", RequestsCommand.table(Sample.requests)),
            ("queue", QueueCommand.table(Sample.queue)), ("explain", ExplainCommand.table(Sample.explanation.options)),
            ("tokens", TokensCommand.table(Sample.tokens.rows)),
            ("events", EventsCommand.table(Sample.events)), ("config", ConfigShowCommand.table(Sample.config.settings)),
        ]
        let style = Style(colour: false, ascii: false)
        let text = tables.map { name, table in ([name] + table.aligned(width: 80, style: style)).joined(separator: "\n") }.joined(separator: "\n\n")
        try check(text, "tables-80.txt")
    }
}
