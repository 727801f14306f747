// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Dispatch
import NIOConcurrencyHelpers
import NIOCore
import Synchronization
import Testing

@testable import Core

/// The lock around the scheduler, and leases as their owners hold them.
@Suite struct SchedulerBoxTests {
    private static func box(limit: Int = 2, queueLimit: Int = 10_000) -> SchedulerBox {
        let box = SchedulerBox(settings: SchedulerSettings(queueLimit: queueLimit, queueTimeout: .seconds(3600)), seed: 1)
        let endpoints = (0..<3).map {
            Endpoint(id: EndpointID($0), name: "e\($0)", address: EndpointAddress(host: "h", port: $0, url: "u\($0)"), kind: .ollama, limit: limit)
        }
        box.setEndpoints(endpoints)
        for number in 0..<3 {
            box.report(
                EndpointID(number),
                EndpointReport(state: EndpointState(phase: .up, since: .now()), models: [ModelListing(name: "m")], loaded: [LoadedModel(name: "m")]))
        }
        return box
    }

    private static let ask = Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"))

    private static func granted(_ answer: SchedulerBox.Answer) -> Lease? {
        if case .granted(let lease) = answer { return lease }
        return nil
    }

    @Test func aLeaseGoesBackOnceHoweverOftenItIsReleased() {
        let box = Self.box()
        let lease = Self.granted(box.submit(Self.ask) { _ in })
        lease?.release(LeaseEnd(outcome: .completed))
        lease?.release(LeaseEnd(outcome: .failed))
        let snapshot = box.snapshot()
        #expect(snapshot.inFlight == 0 && snapshot.doubleReleases == 0)
        #expect(snapshot.endpoints.values.map(\.counters.completed).reduce(0, +) == 1)
    }

    /// The safety net: a way out that forgot its lease does not cost the slot, and shows.
    @Test func aForgottenLeaseComesBackAndIsCounted() {
        let box = Self.box()
        do { _ = Self.granted(box.submit(Self.ask) { _ in }) }
        let snapshot = box.snapshot()
        #expect(snapshot.inFlight == 0)
        #expect(snapshot.endpoints.values.map(\.counters.lost).reduce(0, +) == 1)
    }

    @Test func whoWithdrewInTimeIsToldNothing() {
        let box = Self.box(limit: 1)
        let held = (0..<3).compactMap { _ in Self.granted(box.submit(Self.ask) { _ in }) }
        let told = Atomic(0)
        guard case .queued(let ticket, position: _) = box.submit(Self.ask, onDecision: { _ in told.add(1, ordering: .relaxed) }) else {
            return #expect(Bool(false))
        }
        let wasWaiting = box.withdraw(ticket)
        for lease in held { lease.release(LeaseEnd(outcome: .completed)) }
        #expect(wasWaiting && told.load(ordering: .relaxed) == 0)
        #expect(box.snapshot().inFlight == 0)
    }

    /// A decision runs outside of the lock: it may call the scheduler again.
    @Test func aDecisionMayAskAgain() {
        let box = Self.box(limit: 1)
        let held = (0..<3).compactMap { _ in Self.granted(box.submit(Self.ask) { _ in }) }
        let inner = Atomic(-1)
        _ = box.submit(Self.ask) { decision in
            _ = try? decision.get()
            inner.store(box.snapshot().waiting, ordering: .relaxed)
        }
        held[0].release(LeaseEnd(outcome: .completed))
        #expect(inner.load(ordering: .relaxed) == 0)
    }

    /// What breaks without it: with many event loops the line is decided anew many times for each tick.
    @Test func oneOfManyCallersSweeps() {
        let time = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(1_000_000_000))
        let box = SchedulerBox(
            settings: SchedulerSettings(queueTimeout: .milliseconds(100)), seed: 1, clock: { time.withLockedValue { $0 } })
        box.setEndpoints([
            Endpoint(id: EndpointID(0), name: "e", address: EndpointAddress(host: "h", port: 1, url: "u"), kind: .ollama, limit: 1)
        ])
        let refused = Atomic(0)
        func wait() { _ = box.submit(Self.ask) { _ in refused.add(1, ordering: .relaxed) } }
        wait()
        box.sweep()
        time.withLockedValue { $0 = $0 + .milliseconds(150) }
        box.sweep()
        #expect(refused.load(ordering: .relaxed) == 0, "another loop has just done it")
        time.withLockedValue { $0 = $0 + .milliseconds(50) }
        box.sweep()
        #expect(refused.load(ordering: .relaxed) == 1)
    }

    @Test func manyThreadsLeaveNothingBehind() {
        let box = Self.box()
        let served = Atomic(0)
        let withdrawn = Atomic(0)
        let open = DispatchGroup()
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            var random = SplitMix64(seed: UInt64(thread))
            for _ in 0..<2000 {
                open.enter()
                let answer = box.submit(Self.ask) { decision in
                    if case .success(let lease) = decision {
                        served.add(1, ordering: .relaxed)
                        lease.release(LeaseEnd(outcome: .completed))
                    }
                    open.leave()
                }
                switch answer {
                case .granted(let lease):
                    served.add(1, ordering: .relaxed)
                    lease.release(LeaseEnd(outcome: .aborted))
                    open.leave()
                case .queued(let ticket, position: _):
                    if Bool.random(using: &random), box.withdraw(ticket) {
                        withdrawn.add(1, ordering: .relaxed)
                        open.leave()
                    }
                case .refused:
                    open.leave()
                }
                if Int.random(in: 0..<50, using: &random) == 0 {
                    box.report(
                        EndpointID(0),
                        EndpointReport(
                            state: EndpointState(phase: Bool.random(using: &random) ? .up : .draining, since: .now()),
                            models: [ModelListing(name: "m")]))
                }
            }
        }
        // Each request was told exactly once, or the group would be unbalanced.
        #expect(open.wait(timeout: .now() + 20) == .success)
        let snapshot = box.snapshot()
        #expect(snapshot.inFlight == 0 && snapshot.waiting == 0 && snapshot.doubleReleases == 0)
        #expect(served.load(ordering: .relaxed) + withdrawn.load(ordering: .relaxed) > 8000)
    }
}
