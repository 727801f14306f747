// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What breakers mean for requests.
@Suite struct SchedulerBreakerTests {
    /// Endpoints that all have the model in memory.
    private func fleet(_ count: Int, limit: Int = 4, models: [String] = ["m"], queueTimeout: TimeAmount = .seconds(60)) -> SchedulerBench {
        let bench = SchedulerBench(queueTimeout: queueTimeout)
        for _ in 0..<count { bench.add(models, loaded: models, limit: limit) }
        return bench
    }

    /// One request to the endpoint ends so.
    @discardableResult
    private func end(
        _ bench: SchedulerBench, on number: Int, _ outcome: LeaseEnd.Outcome, model: String = "m", retryAfter: TimeAmount? = nil,
        needs: Capabilities = .ollamaAPI, reason: String = "503"
    ) throws -> [SchedulerAction] {
        let others = bench.endpoints.indices.filter { $0 != number }
        let grant = try #require(bench.submit(model, needs: needs, excluding: others).grant)
        return bench.scheduler.release(grant.lease, LeaseEnd(outcome: outcome, retryAfter: retryAfter, reason: reason), now: bench.now)
    }

    /// The endpoints that forty requests get, one after the other, each answered at once.
    private func spread(_ bench: SchedulerBench, model: String = "m") -> [Int: Int] {
        var counts: [Int: Int] = [:]
        for _ in 0..<40 {
            guard let grant = bench.submit(model).grant else { continue }
            counts[grant.endpoint.rawValue, default: 0] += 1
            _ = bench.release(grant)
        }
        return counts
    }

    /// What breaks without it: the endpoint that fails at once has least to do and gets nearly everything.
    @Test(arguments: [LeaseEnd.Outcome.failed, .busy])
    func whatFailsFastDoesNotAttractTraffic(_ outcome: LeaseEnd.Outcome) throws {
        let bench = fleet(2)
        var bad = 0
        var running: [Grant] = []
        for _ in 0..<40 {
            guard let grant = bench.submit("m").grant else { break }
            if grant.endpoint == SchedulerBench.id(0) {
                bad += 1
                _ = bench.release(grant, outcome)
            } else {
                running.append(grant)
                if running.count > 3 { _ = bench.release(running.removeFirst()) }
            }
            bench.now = bench.now + .milliseconds(20)
        }
        #expect((1...3).contains(bad), "\(bad)")
    }

    /// What breaks without it: a broken endpoint stays out for good, or a crowd finds out that it is broken still.
    @Test func aSingleProbeBringsItBack() throws {
        let bench = fleet(2, limit: 1)
        for _ in 0..<3 { try end(bench, on: 0, .failed) }
        #expect(spread(bench) == [1: 40])
        bench.now = bench.now + .seconds(1)
        let others = [try #require(bench.submit("m").grant), try #require(bench.submit("m").grant)]
        let probe = try #require(others.first { $0.endpoint == SchedulerBench.id(0) })
        #expect(probe.isProbe && others.contains { $0.endpoint == SchedulerBench.id(1) && !$0.isProbe })
        #expect(bench.submit("m").ticket != nil, "one at a time")
        let granted = bench.release(probe)
        #expect(granted.count == 1 && bench.scheduler.pairs.values.allSatisfy { !$0.isSetAside })
        #expect(bench.scheduler.setAsideCount == 0)
    }

    /// What breaks without it: a model that crashes its runner takes the endpoint's other models with it; and an endpoint that fails
    /// whatever it is asked for is tried with one model after the other.
    @Test func aModelIsSetAsideAloneAndAnEndpointAsAWhole() throws {
        let bench = fleet(2, models: ["a", "b", "c"])
        for _ in 0..<5 { try end(bench, on: 0, .failed, model: "a") }
        #expect(bench.scheduler.placeBreakers[0].isClosed && !bench.scheduler.pairBreakers[0].isClosed)
        #expect(spread(bench, model: "a") == [1: 40])
        #expect(spread(bench, model: "b")[0] ?? 0 > 5)

        let ill = fleet(2, models: ["a", "b", "c"])
        for model in ["a", "b", "c"] { try end(ill, on: 0, .failed, model: model) }
        #expect(!ill.scheduler.placeBreakers[0].isClosed && ill.scheduler.pairBreakers.values.allSatisfy(\.isClosed))
        for model in ["a", "b", "c"] { #expect(spread(ill, model: model) == [1: 40]) }
        // A model that comes to be known meanwhile is on a broken endpoint, too.
        _ = ill.report(0, ["a", "b", "c", "d"], loaded: ["a", "b", "c", "d"])
        _ = ill.report(1, ["a", "b", "c", "d"], loaded: ["a", "b", "c", "d"])
        #expect(spread(ill, model: "d") == [1: 40])
    }

    @Test func whatCannotBeReachedIsSetAsideAtOnce() throws {
        let bench = fleet(2)
        try end(bench, on: 0, .unreachable, reason: "connection refused")
        #expect(spread(bench) == [1: 40])
        #expect(bench.scheduler.placeBreakers[0].reason == "cannot be reached: connection refused")
        // A poll finds it again: no need to wait, or to try.
        _ = bench.report(0, ["m"], loaded: ["m"], phase: .down)
        _ = bench.report(0, ["m"], loaded: ["m"])
        #expect(bench.submit("m", excluding: [1]).grant?.isProbe == false)
        // What failed is only tried earlier.
        for _ in 0..<3 { try end(bench, on: 1, .failed) }
        _ = bench.report(1, ["m"], loaded: ["m"], phase: .down)
        _ = bench.report(1, ["m"], loaded: ["m"])
        #expect(bench.submit("m", excluding: [0]).grant?.isProbe == true)
    }

    /// What breaks without it: an endpoint that was away for a moment gets one request for as long as that one's answer takes.
    @Test func theHeadOfAnAnswerProvesThatItCanBeReached() throws {
        let bench = fleet(2)
        try end(bench, on: 0, .unreachable)
        bench.now = bench.now + .seconds(1)
        let probe = try #require(bench.submit("m", excluding: [1]).grant)
        #expect(bench.scheduler.setAsideCount == 1)
        _ = bench.scheduler.began(probe.lease, now: bench.now)
        #expect(bench.scheduler.setAsideCount == 0)
    }

    /// What breaks without it: clients are told that nobody is there although nobody was asked.
    @Test func aFleetThatFailsIsAskedAllTheSame() throws {
        let bench = fleet(3, limit: 1)
        for number in 0..<3 {
            for _ in 0..<3 { try end(bench, on: number, .failed) }
            bench.now = bench.now + .milliseconds(100)
        }
        #expect(bench.scheduler.placeBreakers.values.allSatisfy(\.isClosed) && bench.scheduler.setAsideCount == 3)
        // Whose probe is due first comes first; whoever finds every slot taken waits.
        #expect(bench.fill("m", 4) == [0, 1, 2])
        #expect(bench.scheduler.snapshot().waiting == 1)
    }

    /// What breaks without it: a request fails although the endpoint that is busy now would have served it.
    @Test func whoFindsEveryoneBusyWaitsForTheFirst() throws {
        let bench = fleet(2)
        try end(bench, on: 0, .busy, retryAfter: .seconds(20))
        try end(bench, on: 1, .busy, retryAfter: .seconds(5))
        let ticket = try #require(bench.submit("m").ticket)
        #expect(
            bench.scheduler.queue(now: bench.now).first?.blockedBy == [
                "e0: busy: asked to be left alone for 20 s; asked again in 20 s", "e1: busy: asked to be left alone for 5 s; asked again in 5 s",
            ])
        bench.now = bench.now + .milliseconds(4900)
        #expect(bench.scheduler.expire(now: bench.now).isEmpty)
        bench.now = bench.now + .milliseconds(100)
        let actions = bench.scheduler.expire(now: bench.now)
        guard case .grant(ticket, let grant)? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(grant.endpoint == SchedulerBench.id(1) && grant.isProbe)
        // The head of its answer lets the others in.
        #expect(bench.submit("m").ticket != nil)
        #expect(bench.scheduler.began(grant.lease, now: bench.now).count == 1)
    }

    /// What breaks without it: a client waits for minutes to be told that it has waited in vain.
    @Test func whoWouldWaitInVainIsToldAtOnce() throws {
        let bench = fleet(2, queueTimeout: .seconds(60))
        try end(bench, on: 0, .busy, retryAfter: .seconds(100))
        let ticket = try #require(bench.fill("m", 4) == [1, 1, 1, 1] ? bench.submit("m").ticket : nil)
        // The one that it waits for becomes busy, too.
        let lease = try #require(bench.scheduler.leases.record(of: LeaseID(rawValue: 1)).map { _ in LeaseID(rawValue: 1) })
        _ = bench.scheduler.release(lease, LeaseEnd(outcome: .busy, retryAfter: .seconds(90)), now: bench.now)
        #expect(bench.scheduler.expire(now: bench.now) == [.refuse(ticket, .allBusy(seconds: 90))])
        #expect(bench.submit("m").refusal == .allBusy(seconds: 90))
        bench.now = bench.now + .seconds(40)
        #expect(bench.submit("m").ticket != nil, "for so long it can wait")
        // One whose client has less patience than the line cannot.
        let hasty = Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), deadline: bench.now + .seconds(20))
        #expect(bench.scheduler.submit(hasty, now: bench.now).refusal == .allBusy(seconds: 50))
    }

    /// Mixed: what is busy comes back, what is broken is asked when it is due, or where there is nothing to lose.
    @Test func theBusyAreWaitedForAndTheBrokenAreTheLastResort() throws {
        let bench = fleet(2, queueTimeout: .seconds(10))
        for _ in 0..<3 { try end(bench, on: 0, .failed) }
        try end(bench, on: 1, .busy, retryAfter: .seconds(5))
        let ticket = try #require(bench.submit("m").ticket, "the probe of the broken one is not due")
        bench.now = bench.now + .seconds(1)
        guard case .grant(ticket, let probe)? = bench.scheduler.expire(now: bench.now).first else {
            Issue.record("nobody was asked")
            return
        }
        #expect(probe.endpoint == SchedulerBench.id(0))
        for _ in 0..<4 { _ = bench.release(probe, .failed) }
        // Now the wait for the busy one is longer than anybody's patience, and so is that for the broken one.
        bench.now = bench.now + .seconds(6)
        for _ in 0..<6 {
            try end(bench, on: 0, .failed)
            bench.now = bench.scheduler.pairBreakers[0].due
        }
        try end(bench, on: 1, .busy, retryAfter: .seconds(100))
        try end(bench, on: 0, .failed)
        #expect(bench.submit("m").grant?.endpoint == SchedulerBench.id(0))
    }

    /// What breaks without it: requests for a model that was deleted go there until the next poll; and a client that asks a chat model for
    /// embeddings sets it aside for chats.
    @Test func whatIsNotThereIsLeftAloneForItsRouteOnly() throws {
        let bench = fleet(2)
        try end(bench, on: 0, .notHere, needs: .embeddings, reason: "501")
        #expect(bench.submit("m", needs: .embeddings).grant?.endpoint == SchedulerBench.id(1))
        #expect(spread(bench)[0] ?? 0 > 5)
        #expect(bench.submit("m", needs: .embeddings, excluding: [1]).grant?.endpoint == SchedulerBench.id(0), "nobody else has it")
        // Its list is told anew.
        try end(bench, on: 0, .notHere)
        #expect(spread(bench) == [1: 40])
        _ = bench.report(0, ["m", "other"], loaded: ["m"])
        #expect(spread(bench)[0] ?? 0 > 5)
        _ = bench.report(0, ["other"])
        #expect(bench.scheduler.setAsideCount == 0 && bench.scheduler.absences.isEmpty)
    }

    /// What breaks without it: a client's own faults, or its leaving, set an endpoint aside.
    @Test(arguments: [LeaseEnd.Outcome.refused, .aborted, .lost])
    func clientsFaultsCountNeitherWay(_ outcome: LeaseEnd.Outcome) throws {
        let bench = fleet(1)
        for _ in 0..<20 { try end(bench, on: 0, outcome) }
        #expect(bench.scheduler.setAsideCount == 0 && bench.scheduler.pairBreakers[0].answers.count == 0)
        for _ in 0..<3 { try end(bench, on: 0, .failed) }
        try end(bench, on: 0, outcome)
        #expect(bench.scheduler.setAsideCount == 1, "no probe has succeeded")
    }

    @Test func anOperatorsResumeClosesThemAll() throws {
        let bench = fleet(2, models: ["a", "b", "c"])
        for model in ["a", "b", "c"] { for _ in 0..<3 { try end(bench, on: 0, .failed, model: model) } }
        #expect(bench.scheduler.setAsideCount == 3)
        for model in ["a", "b", "c"] { _ = bench.fill(model, 4) }
        let ticket = try #require(bench.submit("a").ticket)
        let actions = bench.scheduler.resume(SchedulerBench.id(0), now: bench.now)
        guard case .grant(ticket, let grant)? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(grant.endpoint == SchedulerBench.id(0) && bench.scheduler.setAsideCount == 0)
    }

    /// What breaks without it: nobody learns that an endpoint is set aside, or the log is flooded with it.
    @Test func eventsTellOfWhatLasts() throws {
        let bench = fleet(2)
        func told() -> [String] { bench.scheduler.takeBreakerEvents().map { "\($0.kind) \($0.endpoint) \($0.model ?? "-") \(Int($0.seconds))" } }
        for _ in 0..<3 { try end(bench, on: 0, .failed) }
        #expect(told() == ["opened e0 m 1"])
        bench.now = bench.now + .seconds(1)
        try end(bench, on: 0, .failed)
        #expect(told() == ["probing e0 m 0", "reopened e0 m 2"])
        bench.now = bench.now + .seconds(2)
        try end(bench, on: 0, .completed)
        #expect(told() == ["probing e0 m 0", "closed e0 m 0"])
        // Busy for a moment is no news.
        try end(bench, on: 0, .busy)
        bench.now = bench.now + .seconds(1)
        try end(bench, on: 0, .completed)
        #expect(told().isEmpty)
        try end(bench, on: 0, .busy, retryAfter: .seconds(30))
        #expect(told() == ["opened e0 m 30"])
        // A fleet that fails as fast as it is asked does not fill the log.
        for _ in 0..<200 { try end(bench, on: 1, .failed) }
        #expect(told().count <= 8)
        #expect(bench.scheduler.places[1].counters.breakerOpenings == 1)
    }

    @Test func explainNamesTheBreaker() throws {
        let bench = fleet(2)
        for _ in 0..<3 { try end(bench, on: 0, .failed) }
        let ask = Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"))
        let explained = bench.scheduler.explain(ask, now: bench.now)
        #expect(explained.chosen?.endpointName == "e1")
        #expect(explained.options.first { $0.endpointName == "e0" }?.obstacle == "3 of the last 3 answers failed: 503; asked again in 1 s")
        for _ in 0..<3 { try end(bench, on: 1, .failed) }
        #expect(bench.scheduler.explain(ask, now: bench.now).chosen?.endpointName == "e0", "somebody is asked")
        #expect(bench.submit("m").grant?.endpoint == SchedulerBench.id(0))
    }
}
