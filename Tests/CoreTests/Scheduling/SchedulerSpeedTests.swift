// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What is expected of an endpoint. What breaks without these: a slow endpoint is taken for a quick one, or the other way round, for good.
@Suite struct SchedulerSpeedTests {
    /// Twins that serve one model, the second `ratio` times as fast as the first.
    private struct Twins {
        let bench: SchedulerBench
        var ratio: Double
        var random: SplitMix64
        var held: [(grant: Grant, tokens: Int, prompt: Int)] = []

        /// A prompt of 1,000 tokens takes the first half a second, and a token of the answer 20 ms.
        static let perPromptToken = 0.0005
        static let perToken = 0.02

        init(ratio: Double, start: (Double, Double), seed: UInt64) {
            bench = SchedulerBench(seed: seed)
            self.ratio = ratio
            random = SplitMix64(seed: seed)
            for _ in 0..<2 { bench.add(["m"], loaded: ["m"], limit: 8) }
            bench.scheduler.places[0].logSpeed = start.0
            bench.scheduler.places[1].logSpeed = start.1
        }

        func speed(_ endpoint: EndpointID) -> Double { endpoint.rawValue == 0 ? 1 : ratio }

        /// - Parameter only: where it must go; nil for where the rule sends it.
        mutating func begin(only: Int? = nil) {
            let prompt = Int.random(in: 100...2000, using: &random)
            let ask = Ask(
                model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), excluding: only.map { [SchedulerBench.id(1 - $0)] } ?? [],
                promptTokens: prompt)
            guard let grant = bench.scheduler.submit(ask, now: bench.now).grant else { return }
            held.append((grant, Int.random(in: 15...400, using: &random), prompt))
        }

        mutating func end() {
            let (grant, tokens, prompt) = held.remove(at: Int.random(in: 0..<held.count, using: &random))
            let place = bench.scheduler.places[PlaceIndex(grant.endpoint.rawValue)]
            let pace = speed(grant.endpoint) / (1 + Place.slowing * Double(place.inFlight - 1))
            let first = Double(prompt) * Self.perPromptToken / pace
            let whole = first + Double(tokens) * Self.perToken / pace
            bench.now = bench.now + .milliseconds(100)
            let end = LeaseEnd(
                outcome: .completed, timeToFirstToken: .nanoseconds(Int64(first * 1e9)), serviceTime: .nanoseconds(Int64(whole * 1e9)),
                tokens: tokens)
            _ = bench.scheduler.release(grant.lease, end, now: bench.now)
        }

        /// How far the estimates are from the truth, as factors: of the ratio, and of the time that a prompt takes.
        var errors: [Double] {
            let scheduler = bench.scheduler
            let found = scheduler.places[1].speed / scheduler.places[0].speed
            let ask = Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), promptTokens: 1000)
            let times = [0, 1].map { (index: Int) -> Double in
                let truth = 1000 * Self.perPromptToken / speed(SchedulerBench.id(index))
                return scheduler.costOfUse(PairIndex(index), ask, now: bench.now).prefill / truth
            }
            return [found / ratio] + times
        }
    }

    /// How requests come: one after the other to where the rule sends them, in bursts, or nearly all to one of the two.
    private enum Order: CaseIterable { case sequence, bursts, mostlyFirst, mostlySecond }

    @Test func estimatesConvergeWhateverTheOrderOfTraffic() {
        var random = SplitMix64(seed: 5)
        for round in 0..<120 {
            let ratio = Arithmetic.powerOfTwo(Double.random(in: -2.32...2.32, using: &random))
            let start = (Double.random(in: -4...4, using: &random), Double.random(in: -4...4, using: &random))
            let order = Order.allCases[round % 4]
            var twins = Twins(ratio: ratio, start: start, seed: UInt64(round))
            // Each has answered now and then, as a fleet begins.
            for number in 0..<200 {
                switch order {
                case .sequence:
                    twins.begin(only: number % 20 < 2 ? number % 2 : nil)
                case .bursts:
                    for _ in 0..<Int.random(in: 0...6, using: &random) where twins.held.count < 12 { twins.begin() }
                    if twins.held.isEmpty { twins.begin() }
                case .mostlyFirst: twins.begin(only: number % 10 == 0 ? 1 : 0)
                case .mostlySecond: twins.begin(only: number % 10 == 0 ? 0 : 1)
                }
                twins.end()
            }
            while !twins.held.isEmpty { twins.end() }
            let errors = twins.errors
            #expect(errors.allSatisfy { (0.85...1.15).contains($0) }, "\(order), ratio \(ratio), start \(start): \(twins.errors)")
        }
    }

    @Test func aMachineThatChangesIsKnownAnew() {
        var twins = Twins(ratio: 3, start: (0, 0), seed: 9)
        for number in 0..<600 {
            if number == 200 { twins.ratio = 0.5 }
            twins.begin(only: number % 2)
            twins.end()
        }
        #expect(twins.errors.allSatisfy { (0.85...1.15).contains($0) }, "\(twins.errors)")
    }

    /// An endpoint alone is neither fast nor slow, and answers that failed teach nothing.
    @Test func withoutAnotherThereIsNothingToCompare() {
        var twins = Twins(ratio: 4, start: (0, 0), seed: 1)
        for _ in 0..<50 {
            twins.begin(only: 1)
            twins.end()
        }
        #expect(twins.bench.scheduler.places[1].speed == 1 && twins.bench.scheduler.places[0].speed == 1)
        twins.begin(only: 0)
        if let held = twins.held.popLast() { _ = twins.bench.release(held.grant, .failed, service: .seconds(90)) }
        #expect(twins.bench.scheduler.places[0].speed == 1 && twins.bench.scheduler.books[0].paces.count == 1)
    }
}
