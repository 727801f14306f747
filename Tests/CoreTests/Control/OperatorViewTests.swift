// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOCore
import Protocol
import Testing

@testable import Core

/// From the books to what an operator sees. What breaks without these: the console tells what is not so.
@Suite struct OperatorViewTests {
    private static let now = NIODeadline.uptimeNanoseconds(50_000_000_000)

    private static func endpoint(_ number: Int, key: Secret? = nil, vram: Int? = nil) -> Endpoint {
        Endpoint(
            id: EndpointID(number), name: "e\(number)", address: EndpointAddress(host: "h", port: number, url: "http://h:\(number)"), kind: .ollama,
            limit: 2, key: key, vramBytes: vram)
    }

    private static func report(_ models: [String], loaded: [LoadedModel] = []) -> EndpointReport {
        EndpointReport(state: EndpointState(phase: .up, since: now), models: models.map { ModelListing(name: $0) }, loaded: loaded)
    }

    private static func row(_ id: String, own: String, ticket: UInt64? = nil) -> RequestRow {
        let info = RequestInfo(
            id: id, client: "c", method: "POST", route: "/api/chat", model: "m", endpoint: "", phase: .waiting, ageMs: 1, phaseMs: 1, tokens: 0,
            bytesSent: 0)
        return RequestRow(info: info, ownName: own, ticket: ticket.map { TicketID(rawValue: $0) })
    }

    @Test func anEndpointTellsWhatIsKnownOfIt() {
        var loaded = LoadedModel(name: "m:latest", sizeVramBytes: 7, expiresAt: "T")
        loaded.contextLength = 4096
        var books = SchedulerSnapshot()
        books.endpoints[EndpointID(1)] = SchedulerSnapshot.OfEndpoint(inFlight: 1, inFlightByModel: ["m:latest": 1])
        var figures = WorkerMetrics.OfEndpoint()
        (figures.retries, figures.clientErrors) = (3, 4)
        let view = OperatorView(
            fleet: [(Self.endpoint(1, key: Secret("s3cret"), vram: 99), Self.report(["m:latest"], loaded: [loaded]))], scheduler: books, requests: [],
            counters: WorkerCounters(), now: Self.now, date: Date(), lastAnswers: [EndpointID(1): Self.now - .milliseconds(250)],
            figures: [EndpointID(1): figures])
        let info = view.endpoints[0]
        #expect(info.loadedModels == [.init(name: "m:latest", sizeVramBytes: 7, expiresAt: "T", contextLength: 4096, inFlight: 1, slots: 2)])
        #expect(info.slots == 2)
        #expect(info.hasKey && info.vramBytes == 99 && info.polledAgoMs == 250)
        #expect(info.retriesTotal == 3 && info.clientErrorsTotal == 4 && info.ttftP50Ms == nil)
        #expect(!"\(info)".contains("s3cret"))
    }

    @Test func whatAModelIsLoadedWithAndWhyIsTold() {
        let now = Self.now + .hours(1)
        var history = LoadHistory()
        _ = history.note(isReload: false, .unset, by: nil, now: now - .minutes(20))
        history.found()
        _ = history.note(isReload: false, .unset, by: nil, now: now - .minutes(19))
        let editor = Asker(address: "10.0.0.7", product: "continue")
        for seconds in [700, 30, 20, 10] as [Int64] {
            let options = RunnerOptions(contextLength: seconds == 20 ? 32768 : 8192)
            _ = history.note(isReload: true, options, by: seconds == 20 ? nil : editor, now: now - .seconds(seconds))
        }
        var books = SchedulerSnapshot()
        books.endpoints[EndpointID(1)] = SchedulerSnapshot.OfEndpoint(configurations: ["m": "num_ctx 8192"])
        let fleet = [(Self.endpoint(1), Self.report(["m"], loaded: [LoadedModel(name: "m")]))]
        let loads = [EndpointID(1): ["m": history]]
        let view = OperatorView(
            fleet: fleet, scheduler: books, requests: [], counters: WorkerCounters(), now: now, date: Date(), loads: loads)
        let expected = LoadsInfo(
            first: 1, evicted: 1, configuration: 4,
            asked: [
                .init(options: "num_ctx 8192", address: "10.0.0.7", agent: "continue", reloads: 2),
                .init(options: "num_ctx 32768", address: "", agent: "", reloads: 1),
            ])
        let endpoint = view.endpoints[0].loadedModels[0]
        #expect(endpoint.configuration == "num_ctx 8192" && endpoint.loads == expected)
        let place = OperatorView.models(fleet: fleet, scheduler: books, loads: loads, now: now)[0].places[0]
        #expect(place.configuration == "num_ctx 8192" && place.loads == expected)
        var page = MetricsText()
        page.loads(fleet.map(\.0), loads, books)
        for line in [
            #"routerd_model_configuration{endpoint="e1",model="m",options="num_ctx 8192"} 1"#,
            #"routerd_model_loads_total{endpoint="e1",model="m",cause="first"} 1"#,
            #"routerd_model_loads_total{endpoint="e1",model="m",cause="evicted"} 1"#,
            #"routerd_model_loads_total{endpoint="e1",model="m",cause="configuration"} 4"#,
        ] { #expect(page.text.contains(line + "\n"), "\(line)") }
    }

    private static func breaker(_ cause: LeaseEnd.Outcome, at now: NIODeadline) -> Breaker {
        var breaker = Breaker()
        for _ in 0..<3 {
            _ =
                cause == .busy
                ? breaker.busy(breaker.letIn(), retryAfter: .seconds(30), now: now) : breaker.failed(breaker.letIn(), "503", now: now)
        }
        return breaker
    }

    /// What breaks without it: the console says that an endpoint is up while every request that goes there fails.
    @Test func whatFailsItsRequestsIsDegraded() throws {
        let broken = try #require(SetAside(Self.breaker(.failed, at: Self.now - .milliseconds(500)), model: "m"))
        let busy = try #require(SetAside(Self.breaker(.busy, at: Self.now - .seconds(10)), model: "n"))
        let up = EndpointState(phase: .up, since: Self.now - .hours(1))
        let one = up.shown(with: [broken], now: Self.now)
        #expect(one == EndpointState(phase: .degraded, reason: "3 of the last 3 answers failed: 503 (m)", since: broken.since))
        let two = up.shown(with: [busy, broken], now: Self.now)
        #expect(two.reason == "busy: asked to be left alone for 30 s (n and 1 other model)" && two.since == busy.since)
        // When nobody has asked for long, nothing but the reason is left, and that of what is still in doubt comes first.
        #expect(up.shown(with: [broken], now: Self.now + .seconds(59)) == one)
        let later = up.shown(with: [broken, busy], now: Self.now + .seconds(61))
        #expect(later.phase == .degraded && later.reason.hasPrefix("busy"))
        let next = up.shown(with: [broken], now: Self.now + .seconds(61))
        #expect(next.phase == .up && next.since == up.since && next.reason == one.reason)
        // What polls say stays.
        let polls = EndpointState(phase: .degraded, reason: "/api/ps: status 500", since: Self.now)
        #expect(polls.shown(with: [broken], now: Self.now).reason == "/api/ps: status 500; 3 of the last 3 answers failed: 503 (m)")
        let down = EndpointState(phase: .down, reason: "refused", since: Self.now)
        #expect(down.shown(with: [broken], now: Self.now) == down && up.shown(with: [], now: Self.now) == up)
        #expect(SetAside(Breaker()) == nil)
    }

    @Test func whatIsSetAsideIsListed() throws {
        var books = SchedulerSnapshot()
        books.endpoints[EndpointID(1)] = SchedulerSnapshot.OfEndpoint(setAside: [
            try #require(SetAside(Self.breaker(.failed, at: Self.now))), try #require(SetAside(Self.breaker(.busy, at: Self.now), model: "m")),
        ])
        let view = OperatorView(
            fleet: [(Self.endpoint(1), Self.report(["m"]))], scheduler: books, requests: [], counters: WorkerCounters(), now: Self.now,
            date: Date(timeIntervalSince1970: 0))
        let info = view.endpoints[0]
        #expect(info.state == "degraded")
        #expect(
            info.setAside == [
                .init(model: "", reason: "3 of the last 3 answers failed: 503", since: "1970-01-01T00:00:00Z", retryAt: "1970-01-01T00:00:01Z"),
                .init(model: "m", reason: "busy: asked to be left alone for 30 s", since: "1970-01-01T00:00:00Z", retryAt: "1970-01-01T00:00:30Z"),
            ])
        let metrics = MetricsText(
            WorkerMetrics(), counters: WorkerCounters(), fleet: view.fleet, scheduler: books, connections: 0, version: "v", now: Self.now
        ).text
        for line in [
            #"routerd_endpoint_state{endpoint="e1",state="degraded"} 1"#, #"routerd_endpoint_state{endpoint="e1",state="up"} 0"#,
            #"routerd_breaker_state{endpoint="e1",model=""} 2"#, #"routerd_breaker_state{endpoint="e1",model="m"} 2"#,
            #"routerd_breaker_openings_total{endpoint="e1"} 0"#, #"routerd_verdicts_total{endpoint="e1",verdict="not_here"} 0"#,
        ] { #expect(metrics.contains(line + "\n"), "\(line)") }
    }

    @Test func slotsAreThoseOfTheModelsThatAreThere() {
        func slots(_ loaded: [LoadedModel], inFlight: [String: Int], isOwn: Bool = false) -> Int {
            var endpoint = Self.endpoint(1)
            endpoint.limitIsOwn = isOwn
            var books = SchedulerSnapshot()
            books.endpoints[EndpointID(1)] = SchedulerSnapshot.OfEndpoint(inFlight: inFlight.values.reduce(0, +), inFlightByModel: inFlight)
            let view = OperatorView(
                fleet: [(endpoint, Self.report(["m", "n", "o"], loaded: loaded))], scheduler: books, requests: [], counters: WorkerCounters(),
                now: Self.now, date: Date())
            return view.endpoints[0].slots
        }
        let two = [LoadedModel(name: "m"), LoadedModel(name: "n")]
        #expect(slots([], inFlight: [:]) == 2, "the first one will have so many")
        #expect(slots(two, inFlight: ["m": 2]) == 4, "the slots of one are taken, and the endpoint is not full")
        #expect(slots(two, inFlight: ["m": 2, "o": 1]) == 6, "what is in use there is being loaded")
        var told = LoadedModel(name: "m")
        told.slots = 7
        #expect(slots([told], inFlight: [:]) == 7 && slots([told], inFlight: [:], isOwn: true) == 2)
    }

    @Test func aModelKnowsItsAliasesAndTotals() {
        var loaded = LoadedModel(name: "m:latest")
        loaded.contextLength = 8192
        var books = SchedulerSnapshot()
        books.waitingByModel = ["gpt": 2]
        let models = OperatorView.models(
            fleet: [(Self.endpoint(1), Self.report(["m:latest", "n:latest"], loaded: [loaded])), (Self.endpoint(2), Self.report(["m:latest"]))],
            scheduler: books, aliases: ["gpt": "m", "a": "m:latest", "other": "gone"],
            figures: ["m:latest": WorkerMetrics.OfModel(requests: 5, tokens: 6)])
        #expect(models.map(\.name) == ["m:latest", "n:latest"])
        #expect(models[0].aliases == ["a", "gpt"] && models[0].waiting == 2 && models[0].contextLength == 8192)
        #expect(models[0].requestsTotal == 5 && models[0].tokensTotal == 6 && models[0].places.count == 2)
        #expect(models[1].aliases.isEmpty && models[1].requestsTotal == 0)
    }

    @Test func whoWaitsIsNamedAsInRequests() {
        let places = [
            LinePlace(ticket: TicketID(rawValue: 1), since: Self.now - .seconds(3), position: 0, behind: [], blockedBy: ["e1: 2 of 2 slots taken"]),
            // One of the router's own, which has no row.
            LinePlace(ticket: TicketID(rawValue: 2), since: Self.now, position: 1, behind: [TicketID(rawValue: 1)], blockedBy: []),
            LinePlace(
                ticket: TicketID(rawValue: 3), since: Self.now - .seconds(1), position: 2, behind: [TicketID(rawValue: 1), TicketID(rawValue: 2)],
                blockedBy: []),
        ]
        let queue = OperatorView.queue(
            places: places, rows: [Self.row("a", own: "r-1", ticket: 1), Self.row("b", own: "r-2"), Self.row("c", own: "r-3", ticket: 3)],
            now: Self.now)
        #expect(queue.map(\.id) == ["a", "c"])
        #expect(queue.map(\.position) == [0, 2] && queue.map(\.ageMs) == [3000, 1000])
        #expect(queue[1].behind == ["a"] && queue[0].blockedBy == ["e1: 2 of 2 slots taken"])
    }

    @Test func anIdStandsForOneRequest() {
        let rows = RequestRow.unique([Self.row("same", own: "r-1"), Self.row("same", own: "r-2"), Self.row("mine", own: "r-3")])
        #expect(rows.map(\.info.id) == ["r-1", "r-2", "mine"])
    }

    /// Whoever may only read must not be able to change a thing.
    @Test func onlyTheseMethodsAreForReaders() {
        let reading = MethodTable.methods.values.filter { $0.access == .read }.map(\.name).sorted()
        #expect(
            reading == [
                "cache.stats", "config.show", "endpoints", "events", "explain", "history", "model.show", "models", "queue", "requests", "status",
                "tokens",
            ])
        let changing = MethodTable.methods.values.filter { $0.access == .change }.map(\.name)
        #expect(Set(changing).isSuperset(of: ["cancel", "weight", "model.pull", "model.delete", "model.load", "model.unload", "model.copy"]))
    }

    @Test func progressIsThinnedOutAndNothingNewIsLost() {
        let filter = ProgressFilter()
        func passes(_ status: String, _ completed: Int?, _ milliseconds: Int64) -> Bool {
            filter.passes(ModelProgress(endpoint: "e", status: status, completed: completed, total: 100), now: Self.now + .milliseconds(milliseconds))
        }
        #expect(passes("pulling", 1, 0))
        #expect(!passes("pulling", 2, 50))
        #expect(passes("pulling", 3, 100))
        #expect(passes("verifying", nil, 110), "another status is news")
        #expect(passes("pulling", 4, 111))
        #expect(passes("pulling", 100, 112), "the end of it too")
    }
}
