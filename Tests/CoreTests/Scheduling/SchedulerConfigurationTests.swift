// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// One model that is asked for with several contexts. What breaks without these: two applications make one endpoint load at every request
/// while another is idle, or one of them never gets its turn.
@Suite struct SchedulerConfigurationTests {
    private static let small = RunnerOptions(contextLength: 8192)
    private static let large = RunnerOptions(contextLength: 32768)

    private func ask(_ options: RunnerOptions?, _ session: UInt64? = nil) -> Ask {
        Ask(
            model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), session: session, promptTokens: session == nil ? nil : 1000,
            options: options)
    }

    private func serve(_ bench: SchedulerBench, _ options: RunnerOptions?, seconds: Double = 0.5, load: Double = 2) throws -> Grant {
        let grant = try #require(bench.scheduler.submit(ask(options), now: bench.now).grant)
        let isLoad = grant.loadCause != nil
        bench.now = bench.now + .nanoseconds(Int64((seconds + (isLoad ? load : 0)) * 1e9))
        _ = bench.scheduler.began(grant.lease, now: bench.now)
        _ = end(bench, grant, load: isLoad ? load : 0.02)
        return grant
    }

    private func end(_ bench: SchedulerBench, _ grant: Grant, load: Double = 0.02) -> [SchedulerAction] {
        let end = LeaseEnd(
            outcome: .completed, timeToFirstToken: .nanoseconds(Int64((load + 0.1) * 1e9)),
            serviceTime: .nanoseconds(Int64((load + 0.5) * 1e9)), tokens: 20, loadTime: .nanoseconds(Int64(load * 1e9)))
        return bench.scheduler.release(grant.lease, end, now: bench.now)
    }

    private func poll(_ bench: SchedulerBench, _ number: Int, context: Int?) {
        var loaded = LoadedModel(name: "m")
        loaded.contextLength = context
        let report = EndpointReport(
            state: EndpointState(phase: .up, since: bench.now), models: [ModelListing(name: "m")], loaded: context == nil ? [] : [loaded])
        _ = bench.scheduler.report(SchedulerBench.id(number), report, now: bench.now)
    }

    // MARK: A place for each

    @Test(arguments: [[small, large], [nil, large], [nil, small, nil, nil]])
    func eachConfigurationHasAPlaceOfItsOwnWhereThereIsRoom(_ turns: [RunnerOptions?]) throws {
        for seed in 1...20 as ClosedRange<UInt64> {
            let bench = SchedulerBench(seed: seed)
            bench.add(["m"])
            bench.add(["m"])
            var places: [RunnerOptions?: Set<Int>] = [:]
            var loads = 0
            for turn in 0..<40 {
                let options = turns[turn % turns.count]
                let grant = try serve(bench, options)
                loads += grant.loadCause == nil ? 0 : 1
                #expect(grant.wasLoaded == (grant.loadCause == nil))
                places[options, default: []].insert(grant.endpoint.rawValue)
            }
            #expect(loads == 2 && places.values.allSatisfy { $0.count == 1 }, "\(loads) loads, \(places)")
        }
    }

    /// Where it is in memory with other options it is of no use to those who would miss it. If it counted, each would be pushed out for a
    /// rare model as if there were two of it.
    @Test func whatIsElsewhereWithOtherOptionsIsMissedAllTheSame() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        bench.add(["m"])
        for turn in 0..<20 { _ = try serve(bench, turn % 2 == 0 ? Self.small : Self.large) }
        let whole = bench.scheduler.presentRate(0) * bench.scheduler.loadTime(0) * Scheduler.Weights.harmSeconds
        #expect(abs(bench.scheduler.presentRate(0) - bench.scheduler.books[0].rate / 2) < 0.01)
        #expect(bench.scheduler.harm(0) >= whole && !bench.scheduler.isElsewhere(0))
        bench.scheduler.settings.context = .share
        bench.scheduler.setContextPolicies()
        // The larger one does for both now, and the smaller one is not missed as much.
        let larger: PairIndex = bench.scheduler.pairs[0].configuration.options == Self.large ? 0 : 1
        let smaller: PairIndex = larger == 0 ? 1 : 0
        #expect(bench.scheduler.isElsewhere(smaller) && !bench.scheduler.isElsewhere(larger))
        #expect(bench.scheduler.presentRate(larger) > 1.5 * bench.scheduler.presentRate(smaller))
    }

    @Test func aLoadForOtherOptionsIsToldAsSuch() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        #expect(try serve(bench, Self.small).loadCause == .first)
        let again = try serve(bench, Self.large)
        #expect(again.loadCause == .configuration && !again.wasLoaded && again.why == .load)
        #expect(try serve(bench, Self.large).loadCause == nil)
        // A smaller one, too; and none is another than one that was asked for.
        #expect(try serve(bench, Self.small).loadCause == .configuration)
        #expect(try serve(bench, nil).loadCause == .configuration)
    }

    @Test func serversWithAContextOfTheirOwnDoNotCare() throws {
        for kind in [EndpointKind.llamaServer, .openAI] {
            let bench = SchedulerBench()
            bench.add(["m"], loaded: ["m"], kind: kind)
            for options in [Self.small, nil, Self.large] {
                let ask = Ask(model: "m", needs: RouteNeeds(.chat), tenant: Tenant("t"), options: options)
                let grant = try #require(bench.scheduler.submit(ask, now: bench.now).grant)
                #expect(grant.wasLoaded)
                _ = end(bench, grant)
            }
        }
    }

    /// Where nobody wants the large one any more, the small one takes the place rather than wait for a slot.
    @Test func theLeastHarmIsDone() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        bench.add(["m"])
        for _ in 0..<30 { _ = try serve(bench, Self.small) }
        _ = try serve(bench, Self.large)
        let place = try serve(bench, Self.large).endpoint
        // A third goes where it takes the place of the one that is wanted less.
        let third = try serve(bench, RunnerOptions(contextLength: 16384))
        #expect(third.endpoint == place && third.loadCause == .configuration)
    }

    // MARK: One place for all

    /// Two clients with one endpoint, each of which asks again as soon as it has its answer, on three connections.
    @Test func oneEndpointServesEachSideForAWhile() throws {
        let bench = SchedulerBench()
        bench.add(["m"], limit: 4)
        let sides = [Self.small, Self.large]
        var running: [(grant: Grant, side: Int, ends: NIODeadline)] = []
        var waiting: [TicketID: (side: Int, since: NIODeadline)] = [:]
        var served = [0, 0]
        var loads = 0
        var longest = TimeAmount.zero
        func take(_ grant: Grant, _ side: Int) {
            loads += grant.loadCause == nil ? 0 : 1
            // The endpoint lets the others come to their end before it loads.
            let free = grant.loadCause == nil ? bench.now : max(bench.now, running.map(\.ends).max() ?? bench.now) + .seconds(2)
            let ready = max(free, bench.now + (grant.wasLoaded || grant.loadCause != nil ? .zero : .seconds(2)))
            running.append((grant, side, ready + .milliseconds(200)))
        }
        func apply(_ actions: [SchedulerAction]) {
            for case .grant(let ticket, let grant) in actions {
                guard let waiter = waiting.removeValue(forKey: ticket) else { continue }
                longest = max(longest, bench.now - waiter.since)
                take(grant, waiter.side)
            }
        }
        func submit(_ side: Int) {
            switch bench.scheduler.submit(ask(sides[side]), now: bench.now) {
            case .granted(let grant): take(grant, side)
            case .queued(let ticket, position: _): waiting[ticket] = (side, bench.now)
            case .refused(let refusal): Issue.record("\(refusal)")
            }
        }
        for client in 0..<6 { submit(client % 2) }
        let start = bench.now
        while bench.now - start < .seconds(300) {
            bench.now = bench.now + .milliseconds(50)
            for (number, request) in running.enumerated().reversed() where request.ends <= bench.now {
                running.remove(at: number)
                served[request.side] += 1
                apply(bench.scheduler.began(request.grant.lease, now: bench.now))
                apply(end(bench, request.grant, load: request.grant.loadCause == nil ? 0.01 : 2))
                submit(request.side)
            }
            apply(bench.scheduler.expire(now: bench.now))
        }
        // Taken as they come, each of 150 switches would cost a load.
        #expect(loads < 60, "\(loads) loads")
        #expect(served.allSatisfy { $0 > 300 }, "\(served)")
        #expect(longest < .seconds(20), "\(longest)")
    }

    @Test func whoIsInTheWayIsWaitedForAndNobodyIsForgotten() throws {
        let bench = SchedulerBench()
        bench.add(["m"], limit: 2)
        _ = try serve(bench, Self.small)
        let first = try #require(bench.scheduler.submit(ask(Self.small), now: bench.now).grant)
        let other = try #require(bench.scheduler.submit(ask(Self.large), now: bench.now).ticket)
        // Those that come later find it claimed as soon as it is the other's turn.
        bench.now = bench.now + .seconds(7)
        #expect(bench.scheduler.expire(now: bench.now).isEmpty)
        let late = try #require(bench.scheduler.submit(ask(Self.small), now: bench.now).ticket)
        var actions = end(bench, first)
        guard case .grant(other, let grant)? = actions.first, actions.count == 1 else {
            Issue.record("\(actions)")
            return
        }
        #expect(grant.loadCause == .configuration)
        bench.now = bench.now + .seconds(20)
        _ = bench.scheduler.began(grant.lease, now: bench.now)
        _ = bench.scheduler.expire(now: bench.now)
        actions = end(bench, grant, load: 2)
        guard case .grant(late, let last)? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(last.loadCause == .configuration)
    }

    // MARK: Sharing

    private func shared(_ bench: SchedulerBench, _ change: (inout SchedulerSettings) -> Void = { $0.context = .share }) {
        var settings = SchedulerSettings()
        change(&settings)
        _ = bench.scheduler.setSettings(settings, now: bench.now)
    }

    private func sharer(_ options: RunnerOptions?) -> Ask {
        var ask = ask(options)
        ask.takesContext = true
        return ask
    }

    /// The context that a request has to ask for; "load" where its model is loaded for it.
    private func outcome(_ bench: SchedulerBench, _ ask: Ask) throws -> String {
        let grant = try #require(bench.scheduler.submit(ask, now: bench.now).grant)
        bench.now = bench.now + .seconds(3)
        _ = bench.scheduler.began(grant.lease, now: bench.now)
        _ = end(bench, grant, load: grant.loadCause == nil ? 0.02 : 2)
        return grant.loadCause == nil ? grant.context.map { "\($0.tokens)" } ?? "as asked" : "load"
    }

    @Test func whoAsksForLessGetsWhatIsThereAndNobodyGetsLess() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        shared(bench)
        #expect(try outcome(bench, sharer(Self.large)) == "load")
        #expect(try outcome(bench, sharer(Self.small)) == "32768")
        #expect(try outcome(bench, sharer(nil)) == "32768")
        #expect(try outcome(bench, sharer(Self.large)) == "as asked")
        // Where the route has no options, nothing can be said.
        #expect(try outcome(bench, ask(nil)) == "load")
        #expect(try outcome(bench, sharer(Self.small)) == "load", "nothing tells yet how much the server's own is")
        #expect(try outcome(bench, sharer(RunnerOptions(contextLength: 65536))) == "load")
        #expect(try outcome(bench, sharer(Self.small)) == "65536")
        // All else has to be the same.
        var other = Self.small
        other.batchSize = 64
        #expect(try outcome(bench, sharer(other)) == "load")
    }

    @Test func theServersOwnIsSharedWhereItIsKnown() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        shared(bench)
        _ = try outcome(bench, sharer(nil))
        poll(bench, 0, context: 16384)
        #expect(try outcome(bench, sharer(Self.small)) == "16384")
        // A server that tells more than was asked for multiplies: what it tells is not what to ask for.
        _ = try outcome(bench, sharer(Self.large))
        poll(bench, 0, context: 4 * 32768)
        _ = try outcome(bench, ask(nil))
        poll(bench, 0, context: 4 * 16384)
        #expect(try outcome(bench, sharer(Self.small)) == "load")
    }

    @Test func theModelsPolicyGoesBeforeTheEndpointsAndThatBeforeAll() throws {
        for (all, endpoint, model, shares) in [
            (ContextPolicy.share, nil, nil, true), (.asAsked, nil, nil, false), (.asAsked, .share, nil, true), (.share, .asAsked, nil, false),
            (.share, .share, ContextPolicy.asAsked, false), (.asAsked, ContextPolicy.asAsked, .share, true),
        ] {
            let bench = SchedulerBench()
            bench.add(["m"])
            shared(bench) {
                $0.context = all
                $0.contextByModel = model.map { ["M:latest": $0] } ?? [:]
            }
            _ = bench.reload { $0[0].context = endpoint }
            _ = try outcome(bench, sharer(Self.large))
            #expect(try outcome(bench, sharer(Self.small)) == (shares ? "32768" : "load"))
        }
    }

    // MARK: What is known

    @Test func aPollBeforeTheLoadHasEndedTellsOfWhatWasThere() throws {
        let bench = SchedulerBench()
        bench.add(["m"], limit: 4)
        _ = try serve(bench, Self.small)
        poll(bench, 0, context: 8192)
        let load = try #require(bench.scheduler.submit(ask(Self.large), now: bench.now).grant)
        poll(bench, 0, context: 8192)
        #expect(bench.scheduler.submit(ask(Self.large), now: bench.now).grant?.why == .loading, "the load is still under way")
        _ = bench.scheduler.began(load.lease, now: bench.now)
        // It was under way as the load ended.
        poll(bench, 0, context: 8192)
        #expect(bench.scheduler.submit(ask(Self.large), now: bench.now).grant?.wasLoaded == true)
        poll(bench, 0, context: 32768)
        #expect(bench.scheduler.submit(ask(Self.large), now: bench.now).grant?.wasLoaded == true)
    }

    @Test func whatOthersHadLoadedIsFoundByItsContext() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        poll(bench, 0, context: 8192)
        #expect(try serve(bench, Self.small).loadCause == nil)
        poll(bench, 0, context: 4096)
        #expect(try serve(bench, Self.small).loadCause == .configuration)
        poll(bench, 0, context: 8192)
        // Somebody else has it loaded otherwise behind our back.
        poll(bench, 0, context: 32768)
        #expect(try serve(bench, Self.large).loadCause == nil)
        // The server's own, once it was seen, is the same as asked for in so many words.
        #expect(try serve(bench, nil).loadCause == .configuration)
        poll(bench, 0, context: 4096)
        #expect(try serve(bench, RunnerOptions(contextLength: 4096)).loadCause == nil)
    }

    @Test func anUnforeseenLoadIsLearnedFrom() throws {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"])
        let grant = try #require(bench.scheduler.submit(ask(Self.small), now: bench.now).grant)
        #expect(grant.wasLoaded, "nothing tells with what it is loaded")
        _ = end(bench, grant, load: 9)
        #expect(try serve(bench, Self.large).loadCause == .configuration)
        // No answer comes sooner than the load that it tells of.
        let late = try #require(bench.scheduler.submit(ask(Self.large), now: bench.now).grant)
        let end = LeaseEnd(outcome: .completed, serviceTime: .milliseconds(300), tokens: 20, loadTime: .seconds(9))
        _ = bench.scheduler.release(late.lease, end, now: bench.now)
        #expect(try serve(bench, Self.large).loadCause == nil)
        #expect(bench.scheduler.books[0].firstToken.value < 1, "the load is no part of the time to the first token")
    }

    /// What is warm goes with the process that held it.
    @Test func aConversationIsForgottenWithTheLoad() throws {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"])
        let first = try #require(bench.scheduler.submit(ask(Self.small, 7), now: bench.now).grant)
        _ = end(bench, first)
        let second = try #require(bench.scheduler.submit(ask(Self.small, 7), now: bench.now).grant)
        #expect(second.warmTokens > 0)
        _ = end(bench, second)
        _ = try serve(bench, Self.large)
        _ = try serve(bench, Self.small)
        #expect(bench.scheduler.submit(ask(Self.small, 7), now: bench.now).grant?.warmTokens == 0)
    }

    @Test func whatIsLoadedAheadOfNeedIsAsMostAskForIt() throws {
        let bench = SchedulerBench()
        bench.add(["m"])
        for _ in 0..<3 { _ = try serve(bench, Self.large) }
        _ = try serve(bench, Self.small)
        bench.add(["m"])
        _ = bench.scheduler.setSettings(SchedulerSettings(pins: ["m": .on(["e1"])]), now: bench.now)
        bench.now = bench.now + .seconds(2)
        #expect(bench.scheduler.expire(now: bench.now) == [.load(EndpointID(1), model: "m", options: Self.large)])
        _ = bench.scheduler.loadEnded(EndpointID(1), model: "m", .loaded(.seconds(2)), now: bench.now)
        let grant = try #require(bench.scheduler.submit(ask(Self.large), now: bench.now).grant)
        #expect(grant.wasLoaded && grant.endpoint == EndpointID(1))
    }

    /// However many configurations are asked for at once, each has its turn.
    @Test func inventionsAreServedOneAfterTheOther() throws {
        let bench = SchedulerBench(queueTimeout: .hours(10))
        bench.add(["m"], limit: 2)
        var running = [try #require(bench.scheduler.submit(ask(Self.small), now: bench.now).grant)]
        for number in 1...100 as ClosedRange<Int32> {
            #expect(bench.scheduler.submit(ask(RunnerOptions(contextLength: number)), now: bench.now).ticket != nil)
        }
        var served = 0
        func take(_ actions: [SchedulerAction]) {
            for case .grant(_, let grant) in actions {
                served += 1
                running.append(grant)
            }
        }
        for _ in 0..<5000 where served < 100 {
            bench.now = bench.now + .milliseconds(500)
            if let grant = running.popLast() {
                take(bench.scheduler.began(grant.lease, now: bench.now))
                take(end(bench, grant, load: 2))
            }
            take(bench.scheduler.expire(now: bench.now))
        }
        #expect(served == 100)
    }

    /// Clients may invent options: what is kept of them is bounded.
    @Test func inventionsDoNotMakeTheBooksGrow() {
        var demand = ConfigurationDemand()
        var now = NIODeadline.uptimeNanoseconds(0)
        for _ in 0..<9 { demand.count(Self.large, now: now) }
        for number in 1...1000 as ClosedRange<Int32> { demand.count(RunnerOptions(contextLength: number), now: now) }
        #expect(demand.commonest == Self.large)
        #expect(demand.rate { _ in true } <= 0.0024 * Double(ConfigurationDemand.limit + 9))
        now = now + .hours(24 * 7)
        demand.decay(now: now)
        #expect(demand.isEmpty)
    }
}
