// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What a weight does. What breaks without these: an operator takes load off an endpoint, and nothing changes.
@Suite struct SchedulerWeightTests {
    struct Fleet: Sendable, CustomStringConvertible {
        var weights: [Double]
        /// As measured; equal where empty.
        var speeds: [Double] = []
        /// Of the requests, one in so many.
        var shares: [Double]
        /// Requests at a time.
        var clients = 1

        var description: String { "weights \(weights), speeds \(speeds), \(clients) at a time" }
    }

    private static func bench(_ weights: [Double], speeds: [Double] = [], loaded: Bool = true, limit: Int = 16) -> SchedulerBench {
        let bench = SchedulerBench(seed: 3)
        for weight in weights { bench.add(["m"], loaded: loaded ? ["m"] : [], limit: limit, weight: weight) }
        for (number, speed) in speeds.enumerated() { bench.scheduler.places[PlaceIndex(number)].logSpeed = Arithmetic.binaryLogarithm(speed) }
        return bench
    }

    @Test(arguments: [
        Fleet(weights: [2, 1], shares: [0.667, 0.333]),
        Fleet(weights: [2, 1], shares: [0.667, 0.333], clients: 3),
        Fleet(weights: [2, 1], shares: [0.667, 0.333], clients: 8),
        // Twins that were measured to be a little apart are twins.
        Fleet(weights: [2, 1], speeds: [0.9, 1.08], shares: [0.667, 0.333]),
        Fleet(weights: [2, 1], speeds: [1.08, 0.9], shares: [0.667, 0.333]),
        Fleet(weights: [1, 7], shares: [0.125, 0.875]),
        Fleet(weights: [100, 1], shares: [0.99, 0.01]),
        Fleet(weights: [0.5, 1, 0.5], shares: [0.25, 0.5, 0.25], clients: 2),
        // The time counts as many times more as the weight is less.
        Fleet(weights: [2, 1], speeds: [1, 3], shares: [0, 1]),
        Fleet(weights: [7, 1], speeds: [1, 3], shares: [0.875, 0.125]),
        Fleet(weights: [1, 2], speeds: [1, 3], shares: [0, 1]),
        // What has the weight 0 is left alone; if all have it, nobody is.
        Fleet(weights: [0, 1, 1], shares: [0, 0.5, 0.5], clients: 4),
        Fleet(weights: [0, 0], shares: [0.5, 0.5], clients: 2),
    ])
    func amongThoseThatAreAboutAsGoodEachGetsItsShare(_ fleet: Fleet) throws {
        let bench = Self.bench(fleet.weights, speeds: fleet.speeds)
        var counts = fleet.weights.map { _ in 0 }
        var held: [Grant] = []
        for _ in 0..<600 {
            let grant = try #require(bench.submit("m").grant)
            counts[grant.endpoint.rawValue] += 1
            held.append(grant)
            // Twins take as long: the first to come is the first to go. Nothing is taught, or the speeds would not be what they are.
            if held.count == fleet.clients { _ = bench.release(held.removeFirst(), .aborted) }
        }
        for (count, share) in zip(counts, fleet.shares) {
            #expect(abs(Double(count) / 600 - share) < 0.05, "\(counts)")
        }
    }

    /// Breaks when what is shown is not what is compared: the dearer one stands first, and gets the request.
    @Test func whatIsExplainedCountsTheWeight() throws {
        let bench = Self.bench([7, 1], loaded: false)
        let ask = Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"))
        let explained = bench.scheduler.explain(ask, now: bench.now)
        let costs = explained.options.compactMap(\.cost)
        #expect(explained.chosen == explained.options.first && explained.chosen?.endpointName == "e0")
        let (least, most) = (try #require(costs.first), try #require(costs.last))
        #expect(abs(most / least - 7) < 0.1, "\(costs)")
        #expect(explained.options.last?.words.contains("counted 7.0 times by its weight") ?? false)
    }

    @Test func equalWeightsMeanNothing() {
        func picks(_ weight: Double) -> [Int] {
            let bench = Self.bench([weight, weight, weight])
            return (0..<60).map { _ in
                guard let grant = bench.submit("m").grant else { return -1 }
                _ = bench.release(grant)
                return grant.endpoint.rawValue
            }
        }
        #expect(picks(1) == picks(5) && Set(picks(1)) == [0, 1, 2])
    }

    /// It waits for those who can, and takes what they have failed, what they do not have, and all while they are away.
    @Test func withoutWeightItTakesOnlyWhatNobodyElseCan() throws {
        let bench = SchedulerBench()
        bench.add(["m", "only"], loaded: ["m"], limit: 4, weight: 0)
        bench.add(["m"], loaded: [], limit: 2)
        // To load it elsewhere is better than to use it here.
        #expect(bench.fill("m", 2) == [1, 1])
        #expect(bench.place("m") == "line")
        #expect(bench.place("m", excluding: [1]) == "e0 loaded")
        #expect(bench.submit("only").grant?.endpoint == SchedulerBench.id(0))
        _ = bench.report(1, ["m"], phase: .down)
        #expect(bench.place("m") == "e0 loaded")
    }

    @Test func aRequestInLineGoesThereOnceNobodyElseIsLeft() throws {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], limit: 2, weight: 0)
        bench.add(["m"], loaded: ["m"], limit: 1)
        #expect(bench.fill("m", 1) == [1])
        let ticket = try #require(bench.submit("m").ticket)
        let actions = bench.report(1, ["m"], phase: .draining)
        guard case .grant(ticket, let grant)? = actions.first else { return #expect(Bool(false), "\(actions)") }
        #expect(grant.endpoint == SchedulerBench.id(0))
    }

    @Test func aLoadIsRatherMadeWhereTheWeightIs() {
        for _ in 0..<10 { #expect(Self.bench([1, 4], loaded: false).fill("m", 1) == [1]) }
        // But not at any price.
        let bench = Self.bench([1, 4], loaded: false)
        bench.scheduler.pairs[0].learned.recordLoad(2)
        bench.scheduler.pairs[1].learned.recordLoad(30)
        #expect(bench.fill("m", 1) == [0])
    }

    /// Nobody waits in line for the sake of a weight.
    @Test func aFreeSlotIsTakenWhateverItsWeight() {
        let bench = Self.bench([100, 1], limit: 2)
        #expect(bench.fill("m", 4).sorted() == [0, 0, 1, 1])
    }

    /// An endpoint that comes back gets its share from then on, and not all that it has missed.
    @Test func whatWasAwayDoesNotCatchUp() throws {
        let bench = Self.bench([2, 1])
        func serve() -> Int? {
            guard let grant = bench.submit("m").grant else { return nil }
            _ = bench.release(grant, .aborted)
            return grant.endpoint.rawValue
        }
        _ = bench.report(1, ["m"], loaded: ["m"], phase: .draining)
        for _ in 0..<500 { #expect(serve() == 0) }
        _ = bench.report(1, ["m"], loaded: ["m"])
        let after = (0..<30).compactMap { _ in serve() }
        #expect((8...13).contains(after.count { $0 == 1 }), "\(after)")
    }

    @Test func aChangeActsAtOnce() {
        let bench = Self.bench([1, 1])
        _ = bench.reload { $0[0].weight = 0 }
        for _ in 0..<10 {
            guard let grant = bench.submit("m").grant else { return #expect(Bool(false)) }
            #expect(grant.endpoint == SchedulerBench.id(1))
            _ = bench.release(grant)
        }
        _ = bench.reload { $0[0].weight = 1 }
        #expect(bench.scheduler.weighting == .even)
    }
}
