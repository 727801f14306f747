// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// How much context a request gets: no less than the configuration says, and no less than it asks for if some endpoint has that. What breaks
/// without these: a prompt is cut that would fit elsewhere, or the configuration is not heeded.
@Suite struct SchedulerContextTests {
    private static let small = RunnerOptions(contextLength: 8192)
    private static let large = RunnerOptions(contextLength: 32768)

    private func ask(_ options: RunnerOptions?) -> Ask {
        Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), options: options)
    }

    /// On a route that can say how much context it wants.
    private func sharer(_ options: RunnerOptions?) -> Ask {
        var ask = ask(options)
        ask.takesContext = true
        return ask
    }

    @discardableResult
    private func end(_ bench: SchedulerBench, _ grant: Grant, load: Double = 0.02) -> [SchedulerAction] {
        let end = LeaseEnd(
            outcome: .completed, timeToFirstToken: .nanoseconds(Int64((load + 0.1) * 1e9)),
            serviceTime: .nanoseconds(Int64((load + 0.5) * 1e9)), tokens: 20, loadTime: .nanoseconds(Int64(load * 1e9)))
        return bench.scheduler.release(grant.lease, end, now: bench.now)
    }

    /// The context that a request has to ask for; "load" where its model is loaded for it.
    private func outcome(_ bench: SchedulerBench, _ ask: Ask) throws -> String {
        let grant = try #require(bench.scheduler.submit(ask, now: bench.now).grant)
        bench.now = bench.now + .seconds(3)
        _ = bench.scheduler.began(grant.lease, now: bench.now)
        end(bench, grant, load: grant.loadCause == nil ? 0.02 : 2)
        return grant.loadCause == nil ? grant.context.map { "\($0.tokens)" } ?? "as asked" : "load"
    }

    private func poll(_ bench: SchedulerBench, _ number: Int, context: Int?) {
        var loaded = LoadedModel(name: "m")
        loaded.contextLength = context
        let report = EndpointReport(
            state: EndpointState(phase: .up, since: bench.now), models: [ModelListing(name: "m")], loaded: context == nil ? [] : [loaded])
        _ = bench.scheduler.report(SchedulerBench.id(number), report, now: bench.now)
    }

    // MARK: No less than is configured

    private func minimum(_ bench: SchedulerBench, _ tokens: Int32 = 16384, _ change: (inout SchedulerSettings) -> Void = { _ in }) {
        var settings = SchedulerSettings()
        settings.contextMinimums = [ModelName.ollamaKey("m"): tokens]
        change(&settings)
        _ = bench.scheduler.setSettings(settings, now: bench.now)
    }

    @Test func nobodyGetsLessThanIsConfigured() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        minimum(bench)
        let first = try #require(bench.scheduler.submit(sharer(Self.small), now: bench.now).grant)
        #expect(first.context == ContextChange(tokens: 16384, why: .minimum) && first.loadCause == .first)
        bench.now = bench.now + .seconds(3)
        _ = bench.scheduler.began(first.lease, now: bench.now)
        end(bench, first, load: 2)
        // One load does for all that ask for less, and for those that ask for none.
        #expect(try outcome(bench, sharer(nil)) == "16384")
        #expect(try outcome(bench, sharer(RunnerOptions(contextLength: 16384))) == "as asked")
        #expect(try outcome(bench, sharer(Self.large)) == "load", "more is what the request says")
        #expect(try outcome(bench, sharer(Self.small)) == "load", "nothing is shared, as the configuration does not say so")
        // Where a route cannot say so, a request goes as it came.
        #expect(try outcome(bench, ask(Self.small)) == "load")
    }

    @Test func whatIsRaisedIsExplained() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        minimum(bench)
        let words = bench.scheduler.explain(sharer(Self.small), now: bench.now).options.first?.words ?? ""
        #expect(words.hasSuffix(", with num_ctx 16384, the least that is configured"), "\(words)")
        #expect(bench.scheduler.explain(sharer(Self.large), now: bench.now).options.first?.words.contains("least") == false)
    }

    @Test func whatIsRaisedIsSharedToo() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        minimum(bench) { $0.context = .share }
        #expect(try outcome(bench, sharer(Self.large)) == "load")
        let grant = try #require(bench.scheduler.submit(sharer(Self.small), now: bench.now).grant)
        #expect(grant.context == ContextChange(tokens: 32768, why: .loaded) && grant.wasLoaded)
    }

    @Test func theMinimumIsThatOfTheModelThatANameMeans() throws {
        let bench = SchedulerBench()
        bench.add(["m", "n"])
        minimum(bench) { $0.aliases = ["other": "M:latest"] }
        var alias = sharer(nil)
        alias.model = "other"
        #expect(bench.scheduler.submit(alias, now: bench.now).grant?.context?.tokens == 16384)
        var foreign = sharer(nil)
        foreign.model = "n"
        #expect(bench.scheduler.submit(foreign, now: bench.now).grant?.context == nil)
    }

    @Test func whatNoRequestIsForIsLoadedAsRequestsAskForIt() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        let id = SchedulerBench.id(0)
        #expect(bench.scheduler.usualOptions(id, model: "m") == nil, "the server's own")
        minimum(bench)
        #expect(bench.scheduler.usualOptions(id, model: "m") == RunnerOptions(contextLength: 16384))
        for _ in 0..<3 { _ = try outcome(bench, sharer(Self.large)) }
        #expect(bench.scheduler.usualOptions(id, model: "m") == Self.large, "as it is there")
        poll(bench, 0, context: nil)
        #expect(bench.scheduler.usualOptions(id, model: "m") == Self.large, "as most ask for it")
        minimum(bench, 65536)
        #expect(bench.scheduler.usualOptions(id, model: "m") == RunnerOptions(contextLength: 65536))
        #expect(bench.scheduler.usualOptions(id, model: "gone") == nil && bench.scheduler.usualOptions(EndpointID(9), model: "m") == nil)
    }

    /// What an operator loads goes where the next request will find it.
    @Test func whatAnOperatorLoadsGoesWhereRequestsGo() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        for _ in 0..<3 { _ = try outcome(bench, sharer(Self.large)) }
        bench.add(["m"])
        for _ in 0..<10 {
            let place = try bench.scheduler.whereTo(Ask(model: "m", needs: RouteNeeds([]), tenant: Tenant("")), now: bench.now).get()
            #expect(place.endpoint == SchedulerBench.id(0), "it is there as most ask for it")
        }
    }

    @Test func whoWaitsForOtherOptionsIsToldWhatIsLoaded() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        let running = try #require(bench.scheduler.submit(ask(Self.large), now: bench.now).grant)
        bench.now = bench.now + .seconds(3)
        _ = bench.scheduler.began(running.lease, now: bench.now)
        #expect(bench.scheduler.submit(ask(Self.small), now: bench.now).ticket != nil)
        #expect(bench.scheduler.queue(now: bench.now).first?.blockedBy == ["e0: loaded with num_ctx 32768"])
    }

    // MARK: Endpoints with a context of their own

    /// A request that any endpoint can serve, if need be in other words.
    private func chat(_ options: RunnerOptions?) -> Ask {
        var ask = Ask(model: "m", needs: Core.Operation.ollamaChat.needs, tenant: Tenant("t"), options: options)
        ask.takesContext = true
        return ask
    }

    /// One endpoint for each context; nil for Ollama.
    private func own(_ contexts: [Int?]) -> SchedulerBench {
        let bench = SchedulerBench()
        for context in contexts { bench.add(["m"], loaded: context == nil ? [] : ["m"], kind: context == nil ? .ollama : .llamaServer) }
        for (number, context) in contexts.enumerated() where context != nil { poll(bench, number, context: context) }
        return bench
    }

    @Test func whoNeedsMoreContextGoesWhereThereIsEnough() throws {
        for seed in 0..<10 {
            let bench = own([8192, 32768])
            for _ in 0..<seed { _ = bench.scheduler.submit(chat(nil), now: bench.now) }
            let grant = bench.scheduler.submit(chat(RunnerOptions(contextLength: 16384)), now: bench.now).grant
            #expect(grant?.endpoint ?? SchedulerBench.id(1) == SchedulerBench.id(1) && grant?.context == nil)
        }
        let bench = own([8192, nil])
        #expect(bench.scheduler.submit(chat(Self.large), now: bench.now).grant?.endpoint == SchedulerBench.id(1), "Ollama loads it for that")
        #expect(bench.scheduler.submit(chat(Self.small), now: bench.now).grant?.endpoint == SchedulerBench.id(0), "there is enough")
        let explained = bench.scheduler.explain(chat(Self.large), now: bench.now)
        #expect(explained.options.first { $0.endpoint == SchedulerBench.id(0) }?.obstacle == "its context is 8192 tokens")
    }

    @Test func whereNobodyHasEnoughItGoesWhereItCan() throws {
        let bench = own([8192, 4096])
        #expect(bench.scheduler.submit(chat(Self.large), now: bench.now).grant != nil)
        // The only one that has enough is out of service, or has failed the request.
        let other = own([8192, 65536])
        var failed = chat(Self.large)
        failed.excluding = [SchedulerBench.id(1)]
        #expect(other.scheduler.submit(failed, now: other.now).grant?.endpoint == SchedulerBench.id(0))
        _ = other.scheduler.report(SchedulerBench.id(1), EndpointReport(state: EndpointState(phase: .down, since: other.now)), now: other.now)
        #expect(other.scheduler.submit(chat(Self.large), now: other.now).grant?.endpoint == SchedulerBench.id(0))
    }

    @Test func whoWaitsForEnoughContextIsNotGivenLess() throws {
        let bench = own([8192, 32768])
        var running: [Grant] = []
        while let grant = bench.scheduler.submit(chat(Self.large), now: bench.now).grant { running.append(grant) }
        #expect(!running.isEmpty && running.allSatisfy { $0.endpoint == SchedulerBench.id(1) })
        bench.now = bench.now + .seconds(5)
        #expect(bench.scheduler.expire(now: bench.now).isEmpty, "the other one is idle, and too small")
        let line = bench.scheduler.queue(now: bench.now)
        #expect(line.first?.blockedBy == ["e0: its context is 8192 tokens", "e1: 2 of 2 slots taken"])
        let actions = end(bench, running[0])
        #expect(actions.count == 1)
        for case .grant(_, let grant) in actions { #expect(grant.endpoint == SchedulerBench.id(1)) }
    }
}
