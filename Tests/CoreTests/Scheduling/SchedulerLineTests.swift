// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// Who waits, in what order, and how the waiting ends.
@Suite struct SchedulerLineTests {
    private static func tickets(_ actions: [SchedulerAction]) -> [TicketID] {
        actions.compactMap { if case .grant(let ticket, _) = $0 { ticket } else { nil } }
    }

    private static func grants(_ actions: [SchedulerAction]) -> [Grant] {
        actions.compactMap { if case .grant(_, let grant) = $0 { grant } else { nil } }
    }

    /// One endpoint, one slot, and whoever else waits for it.
    private static func busy(_ waiting: [(tenant: String, model: String)], models: [String] = ["m"]) -> (SchedulerBench, Grant?, [TicketID]) {
        let bench = SchedulerBench()
        bench.add(models, loaded: models, limit: 1)
        let held = bench.submit("m").grant
        return (bench, held, waiting.compactMap { bench.submit($0.model, tenant: $0.tenant).ticket })
    }

    /// Serves the line one by one, and tells in which order.
    private static func order(_ bench: SchedulerBench, _ held: Grant?) -> [TicketID] {
        var order: [TicketID] = []
        var held = held
        while let grant = held {
            let actions = bench.release(grant)
            order += tickets(actions)
            held = grants(actions).first
        }
        return order
    }

    @Test func firstComeFirstServedWithinATenant() {
        let (bench, held, tickets) = Self.busy(Array(repeating: ("t", "m"), count: 6))
        #expect(tickets.count == 6)
        #expect(Self.order(bench, held) == tickets)
        #expect(bench.scheduler.snapshot().waiting == 0)
    }

    /// One tenant with a hundred requests must not make another wait for all of them.
    @Test func tenantsTakeTurns() {
        let (bench, held, tickets) = Self.busy([("a", "m"), ("a", "m"), ("a", "m"), ("b", "m"), ("b", "m"), ("c", "m")])
        let names = Dictionary(uniqueKeysWithValues: zip(tickets, ["a1", "a2", "a3", "b1", "b2", "c1"]))
        #expect(Self.order(bench, held).map { names[$0] } == ["a1", "b1", "c1", "a2", "b2", "a3"])
    }

    /// Turns cannot be saved up by staying away.
    @Test func whoComesLateStartsWithTheOthers() {
        let (bench, held, first) = Self.busy(Array(repeating: ("a", "m"), count: 4))
        let one = bench.release(
            held ?? Grant(lease: .init(rawValue: 0), endpoint: EndpointID(0), model: "", understandsAskedName: true, wasLoaded: true, why: .loaded))
        let late = (0..<4).compactMap { _ in bench.submit("m", tenant: "b").ticket }
        let order = Self.order(bench, Self.grants(one).first)
        #expect(Self.tickets(one) == [first[0]])
        // They alternate from here on; neither is served three times in a row.
        let tenants = order.map { late.contains($0) ? "b" : "a" }
        #expect(tenants.count == 7)
        #expect(!zip(tenants, zip(tenants.dropFirst(), tenants.dropFirst(2))).prefix(5).contains { $0 == $1.0 && $0 == $1.1 }, "\(tenants)")
    }

    /// A model whose slots are all taken must not hold up one whose slots are free.
    @Test func whatCannotGoHoldsUpNobody() {
        let bench = SchedulerBench()
        bench.add(["m", "n"], loaded: ["m", "n"], limit: 1)
        let m = bench.submit("m").grant
        let n = bench.submit("n").grant
        let first = bench.submit("m").ticket
        let second = bench.submit("n").ticket
        let actions = n.map { bench.release($0) } ?? []
        #expect(Self.tickets(actions) == [second])
        let later = m.map { bench.release($0) } ?? []
        #expect(Self.tickets(later) == [first])
    }

    @Test func theLineIsBounded() {
        let bench = SchedulerBench(queueLimit: 2)
        bench.add(["m"], loaded: ["m"], limit: 1)
        let answers = (0..<4).map { _ in bench.submit("m") }
        #expect(answers[0].grant != nil && answers[1].ticket != nil && answers[2].ticket != nil)
        #expect(answers[3].refusal == .lineFull(limit: 2))
    }

    @Test func positionsAreCountedPerModel() {
        let bench = SchedulerBench()
        bench.add(["m", "n"], loaded: ["m", "n"], limit: 1)
        _ = bench.fill("m", 1) + bench.fill("n", 1)
        let positions = ["m", "m", "n", "m"].map { model -> Int? in
            if case .queued(_, let position) = bench.submit(model) { return position }
            return nil
        }
        #expect(positions == [0, 1, 0, 2])
    }

    @Test func aWaitEndsAtItsDeadline() {
        let bench = SchedulerBench(queueTimeout: .seconds(10))
        bench.add(["m"], loaded: ["m"], limit: 1)
        let held = bench.submit("m").grant
        let early = bench.submit("m").ticket
        bench.now = bench.now + .seconds(5)
        let late = bench.submit("m").ticket
        let before = bench.scheduler.expire(now: bench.now + .seconds(4))
        let after = bench.scheduler.expire(now: bench.now + .seconds(5))
        #expect(before.isEmpty)
        #expect(after == early.map { [.refuse($0, .waitedTooLong(seconds: 10))] })
        #expect(Self.tickets(held.map { bench.release($0) } ?? []) == [late])
    }

    @Test func whoWithdrawsIsNotServed() {
        let (bench, held, tickets) = Self.busy([("a", "m"), ("a", "m"), ("b", "m")])
        let first = bench.scheduler.withdraw(tickets[0])
        let again = bench.scheduler.withdraw(tickets[0])
        #expect(first && !again)
        #expect(Self.order(bench, held) == [tickets[1], tickets[2]])
        #expect(bench.scheduler.leasesOut == 0)
    }

    // MARK: The fleet changes

    @Test func aNewPlaceIsGivenToTheLineAtOnce() {
        let (bench, _, tickets) = Self.busy(Array(repeating: ("t", "m"), count: 3))
        bench.add([], limit: 2, phase: .starting)
        let actions = bench.report(1, ["m"])
        #expect(Self.tickets(actions) == Array(tickets.prefix(2)))
        #expect(Self.grants(actions).allSatisfy { $0.endpoint == EndpointID(1) })
    }

    @Test func aRaisedLimitIsGivenToTheLineAtOnce() {
        let (bench, _, tickets) = Self.busy(Array(repeating: ("t", "m"), count: 3))
        let actions = bench.reload { $0[0].limit = 3 }
        #expect(Self.tickets(actions) == Array(tickets.prefix(2)))
    }

    /// A lowered limit takes nothing from those who have a slot, and gives none until it holds again.
    @Test func aLoweredLimitIsReachedByWaiting() {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], limit: 3)
        let held = (0..<3).compactMap { _ in bench.submit("m").grant }
        let waiting = bench.submit("m").ticket
        _ = bench.reload { $0[0].limit = 1 }
        let given = held.map { Self.tickets(bench.release($0)) }
        #expect(given == [[], [], waiting.map { [$0] } ?? []])
    }

    /// Waiting for what will not come is worse than being told.
    @Test func whoWaitsForAnEndpointThatGoesIsTold() {
        let (bench, held, tickets) = Self.busy([("t", "m"), ("t", "m")])
        let actions = bench.report(0, ["m"], loaded: ["m"], phase: .draining)
        #expect(actions.count == 2)
        for (action, ticket) in zip(actions, tickets) {
            guard case .refuse(ticket, .noEndpointUp) = action else { return #expect(Bool(false), "\(action)") }
        }
        #expect(held.map { bench.release($0) } == [])
        #expect(bench.scheduler.leasesOut == 0)
    }

    @Test func aRemovedEndpointsLeasesComeBackAllTheSame() {
        let (bench, held, tickets) = Self.busy([("t", "m")])
        bench.add(["m"], limit: 1)
        let actions = bench.reload { $0.removeFirst() }
        #expect(Self.tickets(actions).isEmpty, "the other had been free before")
        #expect(tickets.count == 1)
        _ = held.map { bench.release($0) }
        let snapshot = bench.scheduler.snapshot()
        #expect(snapshot.endpoints[EndpointID(0)]?.inFlight == 0)
    }

    @Test func aLeaseGoesBackOnce() {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], limit: 2)
        guard let one = bench.submit("m").grant, let other = bench.submit("m").grant else { return #expect(Bool(false)) }
        _ = bench.release(one)
        _ = bench.release(one)
        // The name of a lease that is back must not be the name of the next one.
        let next = bench.submit("m").grant
        _ = bench.release(one)
        #expect(next?.lease != one.lease)
        #expect(bench.scheduler.leasesOut == 2)
        #expect(bench.scheduler.snapshot().endpoints[EndpointID(0)]?.inFlight == 2)
        #expect(bench.scheduler.doubleReleases == 2)
        _ = bench.release(other)
    }
}
