// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// Times of loads and sizes of models. What breaks without these: a model is not loaded where it would take a second, because it once took a
/// minute there.
@Suite struct SchedulerLearningTests {
    private static let gigabyte = 1 << 30

    /// Two endpoints and two models; `seconds` is what a load takes, by endpoint and model.
    private struct Loads {
        let bench: SchedulerBench
        var seconds: [[Double]]
        var random: SplitMix64

        init(_ seconds: [[Double]], seed: UInt64) {
            bench = SchedulerBench(seed: seed)
            self.seconds = seconds
            random = SplitMix64(seed: seed)
            for _ in seconds { bench.add(["a", "b"], sizes: ["a": 4 * gigabyte, "b": 16 * gigabyte]) }
        }

        mutating func load(_ number: Int, _ model: Int, _ outcome: LeaseEnd.Outcome = .completed) throws {
            let ask = Ask(
                model: ["a", "b"][model], needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), excluding: [SchedulerBench.id(1 - number)])
            let grant = try #require(bench.scheduler.submit(ask, now: bench.now).grant)
            let load = seconds[number][model] * Double.random(in: 0.95...1.05, using: &random)
            let first = TimeAmount.nanoseconds(Int64((load + 0.2) * 1e9))
            bench.now = bench.now + first
            let end = LeaseEnd(
                outcome: outcome, timeToFirstToken: first, serviceTime: first + .seconds(1), tokens: 20,
                loadTime: outcome == .completed ? .nanoseconds(Int64(load * 1e9)) : .seconds(500))
            _ = bench.scheduler.release(grant.lease, end, now: bench.now)
            // It goes from memory again.
            _ = bench.report(number, ["a", "b"], sizes: ["a": 4 * gigabyte, "b": 16 * gigabyte])
        }

        /// By what factor each load time is wrong.
        var errors: [Double] {
            seconds.indices.flatMap { number in
                seconds[number].indices.map { bench.scheduler.loadTime(PairIndex(2 * number + $0)) / seconds[number][$0] }
            }
        }
    }

    @Test func loadTimesConvergeInWhateverOrderTheyCome() throws {
        for seed in 0..<40 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            let truth = (0..<2).map { _ in (0..<2).map { _ in Double.random(in: 0.3...120, using: &random) } }
            var loads = Loads(truth, seed: seed)
            // From any start, a load that took much longer or shorter among them.
            for number in 0..<2 { for model in 0..<2 { loads.bench.scheduler.pairs[PairIndex(2 * number + model)].learned.recordLoad(60) } }
            for _ in 0..<200 { try loads.load(Int.random(in: 0..<2, using: &random), Int.random(in: 0..<2, using: &random)) }
            #expect(loads.errors.allSatisfy { (0.85...1.15).contains($0) }, "\(loads.errors)")
        }
    }

    @Test func aQuickerDiskIsKnownAfterAWhile() throws {
        var loads = Loads([[20, 60], [20, 60]], seed: 1)
        for turn in 0..<80 { try loads.load(turn % 2, turn / 2 % 2) }
        loads.seconds[0] = [2, 6]
        for turn in 0..<100 { try loads.load(turn % 2, turn / 2 % 2) }
        #expect(loads.errors.allSatisfy { (0.85...1.15).contains($0) }, "\(loads.errors)")
    }

    @Test(arguments: [LeaseEnd.Outcome.failed, .aborted, .busy, .notHere, .refused, .unreachable, .lost])
    func whatFailedTeachesNothing(_ outcome: LeaseEnd.Outcome) throws {
        var loads = Loads([[5, 15], [5, 15]], seed: 2)
        for turn in 0..<40 { try loads.load(turn % 2, turn / 2 % 2) }
        let before = (loads.errors, loads.bench.scheduler.books[0].service, loads.bench.scheduler.places[0].speed)
        try loads.load(0, 0, outcome)
        #expect(loads.errors == before.0)
        #expect(loads.bench.scheduler.books[0].service == before.1 && loads.bench.scheduler.places[0].speed == before.2)
    }

    /// What was seen in memory counts, the last time it was seen; until then it is the size on disk and a fifth more.
    @Test func aSizeIsWhatWasSeenLast() {
        let bench = SchedulerBench()
        bench.add(["a"], sizes: ["a": 10 * Self.gigabyte])
        #expect(bench.scheduler.size(0) == 12 * Self.gigabyte)
        for size in [30, 7, 22] {
            var loaded = LoadedModel(name: "a", sizeVramBytes: size * Self.gigabyte)
            loaded.contextLength = 4096
            let report = EndpointReport(
                state: EndpointState(phase: .up, since: bench.now), models: [ModelListing(name: "a", sizeBytes: 10 * Self.gigabyte)],
                loaded: [loaded])
            _ = bench.scheduler.report(SchedulerBench.id(0), report, now: bench.now)
            #expect(bench.scheduler.size(0) == size * Self.gigabyte)
        }
    }
}
