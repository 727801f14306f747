// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// The line as operators see it. What breaks without these: they are told to wait for the wrong one.
@Suite struct SchedulerQueueTests {
    private static func ask(_ model: String, _ tenant: String, excluding: [EndpointID] = []) -> Ask {
        Ask(model: model, needs: RouteNeeds(.ollamaAPI), tenant: Tenant(tenant), excluding: excluding)
    }

    private static func queue(_ bench: SchedulerBench, _ ask: Ask) -> TicketID? {
        if case .queued(let ticket, position: _) = bench.scheduler.submit(ask, now: bench.now) { return ticket }
        return nil
    }

    @Test func positionsAreThoseInWhichTheyWouldGo() throws {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], limit: 1)
        _ = bench.scheduler.submit(Self.ask("m", "a"), now: bench.now)
        // a sends three, then b one: b's turn comes second.
        let first = try #require(Self.queue(bench, Self.ask("m", "a")))
        let second = try #require(Self.queue(bench, Self.ask("m:latest", "a")))
        let third = try #require(Self.queue(bench, Self.ask("m", "a")))
        let other = try #require(Self.queue(bench, Self.ask("m", "b")))
        let queue = bench.scheduler.queue(now: bench.now)
        #expect(queue.map(\.ticket) == [first, second, third, other], "who has waited longest first")
        #expect(queue.map(\.position) == [0, 2, 3, 1])
        #expect(queue[2].behind == [first, other, second])
        #expect(queue.allSatisfy { $0.blockedBy == ["e0: 1 of 1 slots taken"] })
    }

    @Test func whyNobodyTakesItIsTold() throws {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], limit: 1)
        bench.add(["m"], loaded: ["m"], limit: 1, phase: .draining)
        bench.add(["m"], loaded: ["m"], limit: 1)
        _ = bench.scheduler.submit(Self.ask("m", "a", excluding: [EndpointID(2)]), now: bench.now)
        _ = try #require(Self.queue(bench, Self.ask("m", "a", excluding: [EndpointID(2)])))
        #expect(bench.scheduler.queue(now: bench.now).first?.blockedBy == ["e0: 1 of 1 slots taken", "e1: draining", "e2: has failed this request"])
    }

    @Test func askingWhereChangesNothing() throws {
        let bench = SchedulerBench()
        bench.add(["m"], limit: 1)
        bench.add(["m"], loaded: ["m"], limit: 1)
        let before = bench.scheduler.snapshot()
        for _ in 0..<3 {
            let answer = bench.scheduler.whereTo(Self.ask("m", "a"), now: bench.now)
            try #expect(answer.get().endpoint == EndpointID(1))
        }
        #expect(bench.scheduler.snapshot() == before)
        #expect(throws: RefusalError.self) { try bench.scheduler.whereTo(Self.ask("nothing", "a"), now: bench.now).get() }
    }

    @Test func theLastEndpointOfAModelIsKnown() {
        let bench = SchedulerBench()
        bench.add(["m", "n"])
        bench.add(["m"], phase: .down)
        bench.add(["n"])
        #expect(!bench.scheduler.isServed("m", without: EndpointID(0)) && bench.scheduler.isServed("n", without: EndpointID(0)))
    }
}
