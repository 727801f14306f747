// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What is measured is told apart from what is assumed. What breaks without these: an operator takes a guess for a measurement.
@Suite struct EstimateTests {
    private func ask(_ model: String = "m", promptTokens: Int? = nil) -> Ask {
        Ask(model: model, needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"), promptTokens: promptTokens)
    }

    private func serve(_ bench: SchedulerBench, on place: Int, _ outcome: LeaseEnd.Outcome = .completed, load: Double? = nil) throws {
        var ask = ask(promptTokens: 100)
        ask.excluding = bench.endpoints.map(\.id).filter { $0 != SchedulerBench.id(place) }
        let grant = try #require(bench.scheduler.submit(ask, now: bench.now).grant)
        bench.now = bench.now + .seconds(2)
        _ = bench.scheduler.began(grant.lease, now: bench.now)
        var end = LeaseEnd(
            outcome: outcome, timeToFirstToken: .milliseconds(100 + Int64((load ?? 0) * 1000)),
            serviceTime: .milliseconds(1100 + Int64((load ?? 0) * 1000)), tokens: 21, loadTime: load.map { .nanoseconds(Int64($0 * 1e9)) })
        end.teaches = outcome == .completed
        _ = bench.scheduler.release(grant.lease, end, now: bench.now)
    }

    private func option(_ bench: SchedulerBench, _ place: Int = 0, promptTokens: Int? = nil) throws -> Explanation.Option {
        let explained = bench.scheduler.explain(ask(promptTokens: promptTokens), now: bench.now)
        return try #require(explained.options.first { $0.endpoint == SchedulerBench.id(place) })
    }

    @Test func whatNobodyHasMeasuredIsAGuess() throws {
        let bench = SchedulerBench()
        bench.add(["m"], sizes: ["m": 3_000_000_000])
        let option = try option(bench)
        #expect(option.words.contains("s (a guess) to read the prompt") && option.words.contains("s (a guess) to load"), "\(option.words)")
        #expect(option.parts.allSatisfy { $0.answers == 0 || $0.answers == nil })
        let estimate = try #require(option.estimate)
        #expect(estimate.loads == 0 && estimate.loadSeconds > 0 && estimate.speedAnswers == 0 && estimate.tokensPerSecond == nil)
        #expect(!estimate.isSizeMeasured && estimate.sizeBytes == 3_600_000_000)
    }

    @Test func whatIsMeasuredSaysByHowMuch() throws {
        let bench = SchedulerBench()
        bench.add(["m"], sizes: ["m": 3_000_000_000])
        try serve(bench, on: 0, load: 4)
        for _ in 0..<3 { try serve(bench, on: 0) }
        // What failed teaches nothing, and so it counts for nothing.
        try serve(bench, on: 0, .failed)
        let estimate = try #require(option(bench).estimate)
        #expect(estimate.loads == 1 && estimate.loadSeconds == 4 && estimate.tokenAnswers == 4)
        #expect(abs((estimate.tokensPerSecond ?? 0) - 21) < 1)
        let words = try option(bench).words
        #expect(words.contains("(3 answers) to read the prompt"), "\(words)")
        _ = bench.report(0, ["m"], sizes: ["m": 3_000_000_000])
        let gone = try option(bench, promptTokens: 500)
        #expect(gone.words.contains("4.0 s (1 load) to load") && gone.words.contains("(3 answers) to read the prompt"), "\(gone.words)")
        _ = bench.report(0, ["m"], loaded: ["m"], sizes: ["m": 3_000_000_000])
        #expect(try option(bench).estimate?.isSizeMeasured == true)
    }

    @Test func aSpeedNeedsSomethingToCompareWith() throws {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"])
        bench.add(["m"], loaded: ["m"])
        for _ in 0..<4 { try serve(bench, on: 0) }
        #expect(try option(bench).estimate?.speedAnswers == 0, "there is nobody to be faster than")
        for _ in 0..<5 { try serve(bench, on: 1) }
        #expect(try option(bench, 1).estimate?.speedAnswers == 5 && option(bench, 0).estimate?.speedAnswers == 0)
        try serve(bench, on: 0)
        #expect(try option(bench, 0).estimate?.speedAnswers == 1)
    }

    @Test func theBooksOfManyModelsAreNotTold() throws {
        let bench = SchedulerBench()
        bench.add(["m", "n", "o"])
        try serve(bench, on: 0, load: 2)
        #expect(bench.scheduler.snapshot().endpoints[SchedulerBench.id(0)]?.estimates.keys.sorted() == ["m"])
    }
}
