// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOCore
import NIOPosix
import NIOConcurrencyHelpers
import Testing

@testable import Core

private let ollama: [String: FakePollServer.Answer] = [
    "/api/version": .json(#"{"version":"0.12.3"}"#),
    "/api/tags": .json(#"{"models":[{"name":"a:latest","model":"a:latest","digest":"d"}]}"#),
    "/api/ps": .json(#"{"models":[]}"#),
]
private let aIsLoaded = FakePollServer.Answer.json(#"{"models":[{"name":"a:latest","model":"a:latest","size_vram":5}]}"#)
private let llama: [String: FakePollServer.Answer] = [
    "/health": .json(#"{"status":"ok"}"#), "/v1/models": .json(#"{"data":[{"id":"smol"}]}"#),
]

private func config(_ server: FakePollServer, name: String = "one", kind: EndpointKind = .ollama) -> Config.EndpointConfig {
    Config.EndpointConfig(
        name: name, address: EndpointAddress(host: "127.0.0.1", port: server.port, url: "http://127.0.0.1:\(server.port)"), kind: kind, limit: 2)
}

/// Intervals so long that within a test only kicks lead to a second poll.
private func rarely() -> Config.Polling {
    var polling = Config.Polling()
    polling.loadedInterval = .hours(1)
    polling.modelsInterval = .hours(1)
    polling.maxBackoff = .milliseconds(50)
    return polling
}

/// A fleet that runs while `body` does, with all that it told.
private func withFleet(
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

/// What went to the sink, and to the log.
private final class Told: LogHandler, Sendable {
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
    fileprivate var only: EndpointReport { reports()[0].1 }
}

@Suite(.timeLimit(.minutes(1))) struct FleetTests {
    @Test func findsOutWhatAnOllamaHas() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet { fleet, told in
            let endpoints = await fleet.apply([config(server)], polling: rarely())
            #expect(fleet.only.state.phase == .starting)
            #expect(await eventually { fleet.only.state.phase == .up })
            #expect(fleet.only.version == "0.12.3")
            #expect(fleet.only.models.map(\.name) == ["a:latest"])
            #expect(fleet.only.loaded.isEmpty)
            #expect(told.reports.withLockedValue { $0.map(\.0) } == [endpoints[0].id])
            #expect(told.logged == ["info endpoint changed its state endpoint=one from=starting to=up url=http://127.0.0.1:\(server.port)"])
        }
        await server.stop()
    }

    /// The sight of a daemon started before its Ollama: one warning, and service as soon as there is one.
    @Test func saysOnceThatNobodyIsThereAndServesWhenSomebodyComes() async throws {
        let gone = try await FakePollServer.start(ollama)
        await gone.stop()
        try await withFleet { fleet, told in
            await fleet.apply([config(gone)], polling: rarely())
            #expect(await eventually { fleet.only.state.phase == .down })
            #expect(fleet.only.state.reason == "connection refused")
            let back = try await FakePollServer.start(ollama, port: gone.port)
            #expect(await eventually { fleet.only.state.phase == .up })
            #expect(back.requests.count >= 3)
            #expect(told.logged.map { String($0.prefix { $0 != " " }) } == ["warning", "info"])
            #expect(told.logged[0].contains("reason=connection refused"))
            await back.stop()
        }
    }

    /// Breaks when a load is seen only at the next interval, or when polls that change nothing are told.
    @Test func aKickShowsALoadSoonAndNothingNewIsNotTold() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet { fleet, told in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            fleet.pollSoon(id)
            #expect(await eventually { server.count("/api/ps") == 2 })
            server.answer("/api/ps", aIsLoaded)
            fleet.pollSoon(id)
            #expect(await eventually { fleet.only.loaded.map(\.name) == ["a:latest"] })
            #expect(told.reports.withLockedValue { $0.count } == 2)
            #expect(server.count("/api/tags") == 1)
            fleet.pollSoon(id, models: true)
            #expect(await eventually { server.count("/api/tags") == 2 })
        }
        await server.stop()
    }

    @Test func aThousandKicksMakeFewPolls() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet { fleet, _ in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            let start = ContinuousClock.now
            for _ in 0..<1000 { fleet.pollSoon(id) }
            #expect(await eventually { server.count("/api/ps") >= 2 })
            let seconds = Double((ContinuousClock.now - start).components.seconds) + 1
            #expect(Double(server.count("/api/ps")) <= 2 + 4 * seconds)
        }
        await server.stop()
    }

    @Test func trafficThatCannotConnectTakesDownUntilAPollSaysOtherwise() async throws {
        let server = try await FakePollServer.start(ollama.merging(["/api/ps": aIsLoaded]) { $1 })
        try await withFleet { fleet, told in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.loaded.count == 1 })
            fleet.reportFailure(id, "connection refused")
            #expect(await eventually { told.phases == [.up, .down, .up] })
            let down = told.reports.withLockedValue { $0[1].1 }
            // What was in memory may be gone; what was on disk is still known.
            #expect(down.loaded.isEmpty && down.models.count == 1 && down.state.reason == "connection refused")
            #expect(fleet.only.loaded.count == 1)
        }
        await server.stop()
    }

    @Test func aHungServerIsDownAfterTheThirdTimeout() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet(timeout: .milliseconds(200)) { fleet, told in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            for path in ollama.keys { server.answer(path, .silence) }
            fleet.pollSoon(id)
            #expect(await eventually { fleet.only.state.phase == .down })
            #expect(told.phases.suffix(3) == [.up, .degraded, .down])
            for (path, answer) in ollama { server.answer(path, answer) }
            #expect(await eventually { fleet.only.state.phase == .up })
        }
        await server.stop()
    }

    /// Breaks when a server that is busy with its clients is taken away from them because its lists are late.
    @Test func aServerThatAnswersRequestsIsNotDownForLatePolls() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet(timeout: .milliseconds(100)) { fleet, told in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            for path in ollama.keys { server.answer(path, .silence) }
            fleet.pollSoon(id)
            let polls = server.requests.count
            #expect(
                await eventually {
                    fleet.trafficAnswered([id: .now(), EndpointID(99): .now()])
                    return server.requests.count > polls + 6
                })
            #expect(fleet.only.state.phase == .degraded && fleet.only.state.reason == "no answer within 100 ms; requests are answered")
            #expect(!told.phases.contains(.down) && fleet.downEndpoints().isEmpty)
            // And without traffic it is.
            #expect(await eventually { fleet.only.state.phase == .down })
        }
        await server.stop()
    }

    /// Breaks when a service that asks for patience is declared down, or is asked again by all who were refused because of that.
    @Test func aServiceThatSaysWhenToComeBackIsLeftAlone() async throws {
        let server = try await FakePollServer.start(["/v1/models": .json(#"{"data":[{"id":"m"}]}"#)])
        try await withFleet { fleet, told in
            var polling = rarely()
            polling.loadedInterval = .milliseconds(50)
            polling.modelsInterval = .milliseconds(50)
            let id = await fleet.apply([config(server, kind: .openAI)], polling: polling)[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            let body = #"{"error":{"message":"slow down"}}"#
            server.answer(
                "/v1/models", .raw("HTTP/1.1 429 X\r\nRetry-After: 30\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"))
            #expect(await eventually { fleet.only.state.phase == .degraded })
            #expect(fleet.only.state.reason == "/v1/models: status 429: slow down")
            #expect(fleet.only.models.map(\.name) == ["m"], "what was known is still worth knowing")
            let polls = server.requests.count
            // Ten times as long as an interval, which is what there would be a poll in.
            for _ in 0..<100 {
                fleet.pollAllSoon()
                fleet.pollSoon(id, models: true)
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(server.requests.count == polls && !told.phases.contains(.down))
        }
        await server.stop()
    }

    /// Breaks when a request waits for an endpoint that is known to be gone, or when an endpoint that left the fleet is told of for ever.
    @Test func whatIsDownIsToldWithItsReason() async throws {
        let first = try await FakePollServer.start(ollama)
        let second = try await FakePollServer.start(ollama)
        try await withFleet { fleet, _ in
            let configs = [config(first, name: "one"), config(second, name: "two")]
            let ids = await fleet.apply(configs, polling: rarely()).map(\.id)
            #expect(await eventually { fleet.reports().allSatisfy { $0.1.state.phase == .up } })
            #expect(fleet.downEndpoints().isEmpty)
            await first.stop()
            await fleet.drain(ids[0])
            fleet.pollSoon(ids[0])
            #expect(await eventually { fleet.downEndpoints() == [ids[0]: "connection refused"] })
            #expect(fleet.reports()[0].1.state.phase == .draining)
            await fleet.maintenance(ids[0])
            #expect(fleet.downEndpoints().isEmpty)
            await fleet.resume(ids[0])
            #expect(await eventually { fleet.downEndpoints().count == 1 })
            await fleet.apply([configs[1]], polling: rarely())
            #expect(fleet.downEndpoints().isEmpty)
        }
        await second.stop()
    }

    /// Breaks when clients go on asking for a model that its endpoint has just denied, or when it is lost although it is there.
    @Test func whatAnEndpointDeniesIsGoneUntilAPollFindsItAgain() async throws {
        let server = try await FakePollServer.start(ollama.merging(["/api/ps": aIsLoaded]) { $1 })
        try await withFleet { fleet, told in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.models.count == 1 && fleet.only.loaded.count == 1 })
            fleet.noteMissing(model: "a:latest", on: id)
            // It denied it by mistake, and lists it still.
            #expect(await eventually { told.reports.withLockedValue { $0.map(\.1.models.count) } == [1, 0, 1] })
            #expect(told.reports.withLockedValue { $0.map(\.1.loaded.count) } == [1, 0, 1])
            server.answer("/api/tags", .json(#"{"models":[]}"#))
            server.answer("/api/ps", .json(#"{"models":[]}"#))
            fleet.noteMissing(model: "a:latest", on: id)
            #expect(await eventually { server.count("/api/tags") == 3 })
            #expect(fleet.only.models.isEmpty && fleet.only.state.phase == .up)
        }
        await server.stop()
    }

    /// Breaks when a client is told that a model is there, and its next request is told that it is not.
    @Test(arguments: EndpointKind.allCases) func afterARefreshTheReportSaysWhatIsThere(kind: EndpointKind) async throws {
        let server = try await FakePollServer.start(ollama.merging(llama) { $1 })
        func have(_ names: [String]) {
            server.answer("/api/tags", .json(#"{"models":[\#(names.map { #"{"name":"\#($0)"}"# }.joined(separator: ","))]}"#))
            server.answer("/v1/models", .json(#"{"data":[\#(names.map { #"{"id":"\#($0)"}"# }.joined(separator: ","))]}"#))
        }
        try await withFleet { fleet, _ in
            let id = await fleet.apply([config(server, kind: kind)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            for step in 1...5 {
                let names = (0..<step).map { "model-\($0)" }
                have(names)
                await fleet.refresh(id, models: true)
                #expect(fleet.only.models.map(\.name) == names, "at once, and not within an interval")
            }
            have(["last"])
            // Several who wait are told by the same round, or by one after it.
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<20 { group.addTask { await fleet.refresh(id, models: true) } }
            }
            #expect(fleet.only.models.map(\.name) == ["last"])
        }
        await server.stop()
    }

    @Test func anEntryForTheSameServerIsRefreshedToo() async throws {
        let server = try await FakePollServer.start(ollama.merging(llama) { $1 })
        try await withFleet { fleet, _ in
            var other = config(server, name: "as-a-service", kind: .openAI)
            other.address = EndpointAddress(host: "127.0.0.1", port: server.port, url: "http://127.0.0.1:\(server.port)/v1")
            let ids = await fleet.apply([config(server), other], polling: rarely()).map(\.id)
            #expect(await eventually { fleet.reports().allSatisfy { $0.1.state.phase == .up } })
            server.answer("/v1/models", .json(#"{"data":[{"id":"new"}]}"#))
            await fleet.refresh(ids[0], models: true)
            #expect(fleet.reports()[1].1.models.map(\.name) == ["new"])
        }
        await server.stop()
    }

    /// Breaks when a hung endpoint holds the news of what went well, or when somebody waits for an endpoint that nobody asks.
    @Test func aRefreshHasAnEnd() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet { fleet, _ in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            for path in ollama.keys { server.answer(path, .silence) }
            let began = ContinuousClock.now
            await fleet.refresh([id], models: true, patience: .milliseconds(50))
            await fleet.refresh([EndpointID(99)], models: true, patience: .hours(1))
            await fleet.maintenance(id)
            await fleet.refresh([id], models: true, patience: .hours(1))
            #expect(ContinuousClock.now - began < .seconds(20))
            // Who waits for an endpoint that leaves the fleet is let go.
            await fleet.resume(id)
            async let refreshed: Void = fleet.refresh([id], models: true, patience: .hours(1))
            _ = await fleet.apply([], polling: rarely())
            await refreshed
        }
        await server.stop()
    }

    /// Breaks when requests still go to the old server after a name was given to another one, or when its models are taken for the new one's.
    @Test func aNameThatPointsElsewhereIsNoticedWithTheNextPoll() async throws {
        let old = try await FakePollServer.start(ollama)
        let new = try await FakePollServer.start(
            ollama.merging(["/api/tags": .json(#"{"models":[{"name":"b:latest","model":"b:latest"}]}"#)]) { $1 }, host: "127.0.0.2", port: old.port)
        let address = NIOLockedValueBox("127.0.0.1")
        let names = NameResolver { host throws(NameFault) in
            guard let found = try? SocketAddress(ipAddress: address.withLockedValue { $0 }, port: 0) else { throw .unknown(host, "") }
            return [found]
        }
        try await withFleet(names: names) { fleet, told in
            let dropped = NIOLockedValueBox<[EndpointID]>([])
            names.whenMoved { host, from, to in
                fleet.hostMoved(host, from: from, to: to) { id in dropped.withLockedValue { $0.append(id) } }
            }
            var named = config(old, name: "gpu-3")
            named.address = EndpointAddress(host: "gpu-3.test", port: old.port, url: "http://gpu-3.test:\(old.port)")
            let ids = await fleet.apply([named, config(old, name: "other")], polling: rarely()).map(\.id)
            #expect(await eventually { fleet.reports()[0].1.models.map(\.name) == ["a:latest"] })
            address.withLockedValue { $0 = "127.0.0.2" }
            // This asks for what is loaded only; that it is another server makes it ask for everything.
            fleet.pollSoon(ids[0])
            #expect(await eventually { fleet.reports()[0].1.models.map(\.name) == ["b:latest"] })
            #expect(dropped.withLockedValue { $0 } == [ids[0]])
            let line = "notice gpu-3 now resolves to 127.0.0.2 (was 127.0.0.1) endpoint=gpu-3 host=gpu-3.test"
            #expect(told.logged.contains(line), "\(told.logged)")
        }
        await old.stop()
        await new.stop()
    }

    @Test func aLyingServerIsDegradedAndKeepsWhatWasKnown() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet { fleet, _ in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            server.answer("/api/tags", .json("<html>"))
            fleet.pollSoon(id, models: true)
            #expect(await eventually { fleet.only.state.phase == .degraded })
            #expect(fleet.only.state.reason.hasPrefix("/api/tags: unusable answer: "))
            #expect(fleet.only.models.count == 1)
            // A round without that part must not make it look mended.
            let polls = server.count("/api/ps")
            fleet.pollSoon(id)
            #expect(await eventually { server.count("/api/ps") > polls })
            #expect(fleet.only.state.phase == .degraded)
        }
        await server.stop()
    }

    @Test func aLlamaServerLoadsThenServesItsModel() async throws {
        let loading = FakePollServer.Answer.status(503, #"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#)
        let server = try await FakePollServer.start(["/health": loading, "/v1/models": loading])
        try await withFleet { fleet, told in
            await fleet.apply([config(server, kind: .llamaServer)], polling: rarely())
            #expect(await eventually { fleet.only.state.phase == .loading })
            for (path, answer) in llama { server.answer(path, answer) }
            #expect(await eventually { fleet.only.state.phase == .up })
            #expect(fleet.only.loaded.map(\.name) == ["smol"])
            #expect(told.phases == [.loading, .up])
            #expect(server.count("/api/tags") == 0)
        }
        await server.stop()
    }

    @Test func drainIsPolledMaintenanceIsNotAndResumePollsAtOnce() async throws {
        let server = try await FakePollServer.start(ollama)
        try await withFleet { fleet, _ in
            let id = await fleet.apply([config(server)], polling: rarely())[0].id
            #expect(await eventually { fleet.only.state.phase == .up })
            let drained = await fleet.drain(id)
            #expect(drained && fleet.only.state.phase == .draining)
            server.answer("/api/ps", aIsLoaded)
            fleet.pollSoon(id)
            #expect(await eventually { fleet.only.loaded.count == 1 })
            #expect(fleet.only.state.phase == .draining)

            await fleet.maintenance(id)
            #expect(fleet.only.state.phase == .maintenance)
            let polls = server.requests.count
            fleet.pollSoon(id)
            fleet.reportFailure(id, "connection refused")
            // Longer than the spacing of kicks: a poll would have come by now.
            try await Task.sleep(for: .milliseconds(400))
            #expect(server.requests.count == polls)

            server.answer("/api/ps", .json(#"{"models":[]}"#))
            await fleet.resume(id)
            #expect(await eventually { fleet.only.state.phase == .up && fleet.only.loaded.isEmpty })
            let unknown = await fleet.drain(EndpointID(99))
            #expect(!unknown)
        }
        await server.stop()
    }

    /// Breaks when a reload forgets what was known or wished, reuses an id, or keeps polling what is gone.
    @Test func reloadKeepsWhatItCan() async throws {
        let first = try await FakePollServer.start(ollama)
        let second = try await FakePollServer.start(ollama)
        let third = try await FakePollServer.start(ollama)
        try await withFleet { fleet, _ in
            let before = await fleet.apply([config(first, name: "one"), config(second, name: "two")], polling: rarely())
            #expect(await eventually { fleet.reports().allSatisfy { $0.1.state.phase == .up } })
            await fleet.drain(before[0].id)

            var renamed = config(first, name: "uno")
            renamed.limit = 7
            let after = await fleet.apply([config(third, name: "three"), renamed], polling: rarely())
            #expect(after.map(\.name) == ["three", "uno"])
            #expect(after[1].id == before[0].id && after[1].limit == 7)
            #expect(!before.map(\.id).contains(after[0].id))
            #expect(fleet.reports().map(\.0) == after)
            #expect(fleet.reports()[1].1.state.phase == .draining && fleet.reports()[1].1.models.count == 1)
            #expect(await eventually { fleet.reports()[0].1.state.phase == .up })

            // The one that left is not known, and comes back as a new one.
            let wasKnown = await fleet.drain(before[1].id)
            #expect(!wasKnown)
            let again = await fleet.apply([config(second)], polling: rarely())
            #expect(!(before + after).map(\.id).contains(again[0].id))
        }
        for server in [first, second, third] { await server.stop() }
    }

    /// Breaks when what was read as one kind's is kept for another.
    @Test func anotherKindAtTheSameURLStartsAnew() async throws {
        let server = try await FakePollServer.start(ollama.merging(llama) { $1 })
        try await withFleet { fleet, _ in
            let before = await fleet.apply([config(server)], polling: rarely())
            #expect(await eventually { fleet.only.state.phase == .up })
            let after = await fleet.apply([config(server, kind: .llamaServer)], polling: rarely())
            #expect(after[0].id == before[0].id)
            #expect(await eventually { fleet.only.models.map(\.name) == ["smol"] && fleet.only.version.isEmpty })
        }
        await server.stop()
    }

    @Test func aNewKeyIsTriedAtOnce() async throws {
        let server = try await FakePollServer.start(ollama.mapValues { _ in .status(401, "") })
        try await withFleet { fleet, _ in
            await fleet.apply([config(server)], polling: rarely())
            #expect(await eventually { fleet.only.state.phase == .down })
            #expect(fleet.only.state.reason.contains("api_keys"))
            for (path, answer) in ollama { server.answer(path, answer) }
            var keyed = config(server)
            keyed.key = Secret("k")
            await fleet.apply([keyed], polling: rarely())
            #expect(await eventually { fleet.only.state.phase == .up })
            #expect(server.requests.last?.contains("Bearer k") == true)
        }
        await server.stop()
    }
}

@Suite struct EndpointSelectorTests {
    private let fleet = [("gpu1", "http://10.0.0.1:11434"), ("gpu10", "http://10.0.0.2:11434"), ("Cellar", "http://cellar.lan:8080/base")]
        .enumerated()
        .map {
            Endpoint(
                id: EndpointID($0.offset), name: $0.element.0, address: EndpointAddress(host: "h", port: 1, url: $0.element.1), kind: .ollama,
                limit: 2)
        }

    @Test(arguments: [
        ("gpu1", "gpu1"), ("gpu10", "gpu10"), ("http://10.0.0.2:11434", "gpu10"), ("http://10.0.0.2:11434/", "gpu10"), ("0.0.1", "gpu1"),
        ("cell", "Cellar"), ("LAN:8080", "Cellar"), ("u10", "gpu10"),
    ])
    func exactBeforeUnambiguous(selector: String, name: String) {
        guard case .found(let endpoint) = fleet.matching(selector) else {
            Issue.record("\(fleet.matching(selector))")
            return
        }
        #expect(endpoint.name == name)
    }

    @Test func otherwiseTheNamesAreTold() {
        #expect(fleet.matching("gpu") == .ambiguous(["gpu1", "gpu10"]))
        #expect(fleet.matching("http") == .ambiguous(["gpu1", "gpu10", "Cellar"]))
        #expect(fleet.matching("nope") == .notFound(known: ["gpu1", "gpu10", "Cellar"]))
        #expect(fleet.matching("") == .notFound(known: ["gpu1", "gpu10", "Cellar"]))
    }
}
