// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import Testing

@testable import Core

/// What the scheduler makes of how an answer ended.
@Suite struct SchedulerVerdictTests {
    private func end(_ outcome: LeaseEnd.Outcome, service: TimeAmount, teaches: Bool? = nil) -> LeaseEnd {
        LeaseEnd(outcome: outcome, serviceTime: service, teaches: teaches)
    }

    /// What breaks without it: sixty requests refused at once by an endpoint teach that its slots free up within 10 ms, and the next
    /// request waits in its line for seconds while another endpoint with the model does nothing.
    @Test func aRefusalTeachesNoServiceTime() throws {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], limit: 1)
        bench.add(["m"], limit: 1, sizes: ["m": 4_000_000_000])
        for _ in 0..<60 {
            let grant = try #require(bench.submit("m").grant)
            #expect(grant.endpoint == SchedulerBench.id(0))
            _ = bench.scheduler.release(grant.lease, end(.refused, service: .milliseconds(5)), now: bench.now)
        }
        _ = try #require(bench.submit("m").grant)
        let next = bench.submit("m")
        #expect(next.grant?.endpoint == SchedulerBench.id(1), "\(next)")
        #expect(bench.scheduler.books.values.allSatisfy { $0.service == Mean(ModelBook.priorService) })
    }

    /// What breaks without it: an endpoint that says 400, or answers nothing, counts as one that has the model in memory.
    @Test(arguments: LeaseEnd.Outcome.allCases)
    func onlyAnAnswerThatTeachesMarksTheModelAsLoaded(_ outcome: LeaseEnd.Outcome) throws {
        for teaches in [true, false] {
            let bench = SchedulerBench()
            bench.add(["m"])
            let grant = try #require(bench.submit("m").grant)
            #expect(!grant.wasLoaded)
            let end = end(outcome, service: .milliseconds(5), teaches: outcome == .completed ? teaches : nil)
            _ = bench.scheduler.release(grant.lease, end, now: bench.now)
            #expect(bench.scheduler.pairs[0].isLoaded == (outcome == .completed && teaches), "\(outcome)")
        }
    }

    /// What breaks without it: an answer that comes whole after 20 s counts as 20 s for reading its prompt.
    @Test func wholeAnswersTeachNothingAboutFirstTokens() throws {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"])
        let ask = Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), promptTokens: 1000)
        let grant = try #require(bench.scheduler.submit(ask, now: bench.now).grant)
        _ = bench.scheduler.release(
            grant.lease, LeaseEnd(outcome: .completed, timeToHead: .seconds(20), serviceTime: .seconds(20), tokens: 500), now: bench.now)
        let book = bench.scheduler.books[0]
        #expect(book.secondsPerToken == Mean(ModelBook.priorSecondsPerToken) && book.firstToken == Mean(ModelBook.priorFirstToken))
        #expect(book.service.value == 20 && book.paces.count == 0)
    }

    /// What breaks without it: the wait for a load counts as service, or service as next to nothing.
    @Test func aColdAnswerThatTellsNoLoadTimeTeachesNoServiceTime() throws {
        for (load, expected) in [(nil, ModelBook.priorService), (TimeAmount.seconds(9), 3.0)] {
            let bench = SchedulerBench()
            bench.add(["m"])
            let grant = try #require(bench.submit("m").grant)
            _ = bench.scheduler.release(
                grant.lease, LeaseEnd(outcome: .completed, serviceTime: .seconds(12), tokens: 5, loadTime: load), now: bench.now)
            #expect(bench.scheduler.books[0].service.value == expected)
            #expect(bench.scheduler.pairs[0].learned.loadTime == load?.seconds)
        }
    }

    /// What breaks without it: a conversation keeps going to an endpoint that has never read it, as it was once refused there.
    @Test(arguments: LeaseEnd.Outcome.allCases)
    func onlyWhatWasReadIsWarm(_ outcome: LeaseEnd.Outcome) throws {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"])
        func ask(_ steps: Int, session: UInt64) -> Ask {
            let prefix = PrefixChain((1...steps).map { PrefixChain.Step(hash: UInt64($0), tokens: 100 * $0) })
            return Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), prefix: prefix, session: session)
        }
        func warm(_ steps: Int, session: UInt64) -> Int { bench.scheduler.pairs[0].prefixes.warmTokens(ask(steps, session: session)) }
        let first = try #require(bench.scheduler.submit(ask(2, session: 77), now: bench.now).grant)
        _ = bench.release(first)
        #expect(warm(2, session: 0) == 200)
        let second = try #require(bench.scheduler.submit(ask(4, session: 77), now: bench.now).grant)
        #expect(second.warmTokens == 200 && warm(4, session: 0) == 400, "one that comes at once goes there too")
        _ = bench.release(second, outcome)
        let isRead = [.completed, .aborted, .lost].contains(outcome)
        #expect(warm(4, session: 0) == (isRead ? 400 : 200), "what was warm before stays so")
        let alone = Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), session: 88, promptTokens: 50)
        // One that was busy is asked again.
        bench.now = bench.now + .seconds(1)
        let third = try #require(bench.scheduler.submit(alone, now: bench.now).grant)
        _ = bench.release(third, outcome)
        #expect(bench.scheduler.pairs[0].prefixes.warmTokens(alone) == (isRead ? 50 : 0))
    }

    /// What breaks without it: an endpoint that refuses a load is taken to have lost what was to go for it, until some poll finds a change.
    @Test(arguments: LeaseEnd.Outcome.allCases)
    func aLoadThatDidNotComePushesNothingOut(_ outcome: LeaseEnd.Outcome) throws {
        let bench = SchedulerBench()
        let sizes = ["m": 4_000_000_000, "n": 4_000_000_000]
        bench.add(["m", "n"], loaded: ["n"], limit: 1, vram: 6_000_000_000, sizes: sizes)
        let grant = try #require(bench.submit("m").grant)
        let pairs = Dictionary(bench.scheduler.pairs.indices.map { (bench.scheduler.pairs[$0].name, $0) }, uniquingKeysWith: { $1 })
        let (m, n) = (try #require(pairs["m"]), try #require(pairs["n"]))
        #expect(grant.why == .load && !bench.scheduler.pairs[n].isLoaded)
        _ = bench.release(grant, outcome)
        #expect(bench.scheduler.pairs[m].isLoaded == (outcome == .completed))
        // A client that leaves does not end what its request has begun.
        #expect(bench.scheduler.pairs[n].isLoaded == (outcome != .completed && outcome != .aborted))
        let left = bench.scheduler.pairs.values.flatMap(\.displaced)
        #expect(left.isEmpty)
    }

    /// What breaks without it: a model of which requests fail seems to be wanted three times as much.
    @Test func whoComesBackIsNoFurtherRequest() throws {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"])
        func ask(_ since: NIODeadline?) -> Ask { Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), since: since) }
        _ = bench.scheduler.submit(ask(nil), now: bench.now)
        let once = bench.scheduler.books[0].rate
        _ = bench.scheduler.submit(ask(bench.now), now: bench.now)
        #expect(bench.scheduler.books[0].rate == once && once > 0)
    }

    /// What breaks without it: a request that an endpoint has failed waits for `queue_timeout` all over again.
    @Test func whoComesBackToTheLineKeepsItsDeadline() throws {
        let bench = SchedulerBench(queueTimeout: .seconds(10))
        bench.add(["m"], loaded: ["m"], limit: 1)
        _ = try #require(bench.submit("m").grant)
        let came = bench.now
        bench.now = bench.now + .seconds(6)
        func ask() -> Ask { Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), since: came) }
        let ticket = try #require(bench.scheduler.submit(ask(), now: bench.now).ticket)
        #expect(bench.scheduler.queue(now: bench.now).map(\.since) == [came])
        #expect(bench.scheduler.expire(now: came + .seconds(9)).isEmpty)
        #expect(bench.scheduler.expire(now: came + .seconds(10)) == [.refuse(ticket, .waitedTooLong(seconds: 10))])
        bench.now = came + .seconds(10)
        #expect(bench.scheduler.submit(ask(), now: bench.now).refusal == .waitedTooLong(seconds: 10))
    }

    /// What breaks without it: whoever an endpoint has failed stands behind all who have come since.
    @Test func whoComesBackToTheLineStandsWhereItStood() throws {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], limit: 1)
        let held = try #require(bench.submit("m").grant)
        let came = bench.now
        bench.now = bench.now + .seconds(1)
        let later = try #require(bench.submit("m").ticket)
        bench.now = bench.now + .seconds(1)
        let back = Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), since: came)
        let ticket = try #require(bench.scheduler.submit(back, now: bench.now).ticket)
        guard case .grant(ticket, let next)? = bench.release(held).first, case .grant(later, _)? = bench.release(next).first else {
            Issue.record("not in the order in which they came")
            return
        }
    }

    /// What breaks without it: an answer is held back although nobody else could give a better one, or passed on although somebody could.
    @Test func aGrantTellsHowManyOthersCouldServeIt() throws {
        let bench = SchedulerBench()
        for number in 0..<5 { bench.add(["m"], loaded: number == 0 ? ["m"] : [], kind: number == 2 ? .openAI : .ollama) }
        bench.add(["other"])
        #expect(bench.submit("m").grant?.alternatives == 3)
        _ = bench.report(1, ["m"], phase: .down)
        #expect(bench.submit("m", excluding: [3]).grant?.alternatives == 1)
        #expect(bench.submit("other").grant?.alternatives == 0)
    }

    /// What breaks without it: a client that is told to come back comes back too early.
    @Test func aFleetThatIsBusySaysForHowLong() {
        let refusal = Refusal.allBusy(seconds: 29.2)
        #expect(refusal.status == .serviceUnavailable && refusal.retryAfter == 30 && refusal.label == "all_busy")
        #expect(refusal.message(model: "m", path: "/").hasSuffix("Every endpoint that has model 'm' is busy for the next 30 s"))
        #expect(Refusal.allBusy(seconds: 0).retryAfter == 1)
        #expect(Refusal.allBusy(seconds: .infinity).retryAfter == 86_400)
    }
}
