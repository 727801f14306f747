// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What the rule weighs beyond slots: warm prefixes, keys' weights, over-committing; and that it can say why.
@Suite struct SchedulerCostTests {
    private static func ask(_ model: String, steps: Int, conversation: UInt64 = 1, tenant: String = "t") -> Ask {
        let chain = PrefixChain((0..<steps).map { PrefixChain.Step(hash: conversation << 32 | UInt64($0), tokens: 1000 * ($0 + 1)) })
        return Ask(model: model, needs: RouteNeeds(.ollamaAPI), tenant: Tenant(tenant), prefix: chain)
    }

    @Test func aConversationGoesBackToWhereItIsWarm() {
        for seed in 0..<10 as Range<UInt64> {
            let bench = SchedulerBench(seed: seed)
            for _ in 0..<4 { bench.add(["m"], loaded: ["m"]) }
            guard let first = bench.scheduler.submit(Self.ask("m", steps: 4), now: bench.now).grant else { return #expect(Bool(false)) }
            _ = bench.release(first)
            let next = bench.scheduler.submit(Self.ask("m", steps: 6), now: bench.now).grant
            #expect(next?.endpoint == first.endpoint && next?.why == .affinity && next?.warmTokens == 4000)
        }
    }

    /// Affinity is a saving, not a rule: it loses where its endpoint is busier than it is worth.
    @Test func aShortWarmPrefixLosesAgainstAnIdleEndpoint() {
        let bench = SchedulerBench()
        bench.add(["m", "n"], loaded: ["m", "n"], limit: 8)
        bench.add(["m"], loaded: ["m"], limit: 8)
        let warm = bench.scheduler.submit(Self.ask("m", steps: 8), now: bench.now).grant
        guard warm?.endpoint == EndpointID(0) || warm?.endpoint == EndpointID(1), let warm else { return #expect(Bool(false)) }
        let other = EndpointID(1 - warm.endpoint.rawValue)
        // A long new question on a short warm beginning, and much under way there.
        for number in 0..<5 { _ = bench.scheduler.submit(Self.ask("m", steps: 1, conversation: UInt64(100 + number)), now: bench.now) }
        _ = bench.report(other.rawValue, ["m"], loaded: ["m"])
        let held = bench.scheduler.snapshot().endpoints
        let busier = (held[warm.endpoint]?.inFlight ?? 0) > (held[other]?.inFlight ?? 0)
        var ask = Self.ask("m", steps: 1)
        ask.promptTokens = 100_000
        let next = bench.scheduler.submit(ask, now: bench.now).grant
        #expect(!busier || next?.endpoint == other)
    }

    @Test func whatIsUnloadedIsNotWarm() {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"])
        _ = bench.scheduler.submit(Self.ask("m", steps: 4), now: bench.now).grant.map { bench.release($0) }
        _ = bench.report(0, ["m"], loaded: [])
        _ = bench.report(0, ["m"], loaded: ["m"])
        #expect(bench.scheduler.submit(Self.ask("m", steps: 6), now: bench.now).grant?.warmTokens == 0)
    }

    @Test func noNumberOfConversationsFillsTheMemory() {
        var memory = PrefixMemory()
        for number in 0..<50_000 as Range<UInt64> { memory.keep(Self.ask("m", steps: 3, conversation: number)) }
        #expect(memory.count <= 2 * PrefixMemory.limit)
        #expect(memory.warmTokens(Self.ask("m", steps: 5, conversation: 49_999)) == 3000)
        #expect(memory.warmTokens(Self.ask("m", steps: 5, conversation: 1)) == 0)
    }

    @Test func inventedNamesLeaveNothingBehind() {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"])
        for number in 0..<1000 { _ = bench.submit("invented-\(number)") }
        #expect(bench.scheduler.books.values.count == 1 && bench.scheduler.pairs.values.count == 1)
    }

    @Test func aKeyOfThriceTheWeightIsServedThriceAsOften() {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], limit: 1)
        _ = bench.scheduler.setSettings(SchedulerSettings(keyWeights: [Tenant("heavy"): 3]), now: bench.now)
        var held = bench.submit("m", tenant: "x").grant
        var owner: [TicketID: String] = [:]
        for tenant in ["heavy", "light"] { for _ in 0..<40 { if let ticket = bench.submit("m", tenant: tenant).ticket { owner[ticket] = tenant } } }
        var heavy = 0
        for _ in 0..<40 {
            guard let grant = held, case .grant(let ticket, let next)? = bench.release(grant).first else { break }
            if owner[ticket] == "heavy" { heavy += 1 }
            held = next
        }
        #expect((29...31).contains(heavy), "\(heavy) of 40")
    }

    @Test func aFloodLeavesRoomInTheLine() {
        let bench = SchedulerBench(queueLimit: 90)
        bench.add(["m"], loaded: ["m"], limit: 1)
        _ = bench.submit("m")
        for _ in 0..<500 { _ = bench.submit("m", tenant: "flood") }
        #expect(bench.submit("m", tenant: "other").ticket != nil)
    }

    @Test func overCommittingMeansThatNobodyWaits() {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], limit: 1)
        bench.add(["m"], limit: 1)
        _ = bench.scheduler.setSettings(SchedulerSettings(overcommits: true), now: bench.now)
        let grants = (0..<6).compactMap { _ in bench.submit("m").grant }
        #expect(grants.count == 6)
        #expect(grants.last?.why == .overcommit)
    }

    @Test func explainDoesNotOfferALineThatMovesBeforeTheModelIsThere() {
        let bench = SchedulerBench()
        bench.add(["m"], limit: 1)
        _ = bench.submit("m")
        let ask = Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"))
        let line = bench.scheduler.explain(ask, now: bench.now).options.first { $0.endpoint == nil }
        let wait = line?.parts.first { $0.name == .line }?.seconds ?? 0
        let load = line?.parts.first { $0.name == .load }?.seconds ?? 0
        #expect(wait > 0 && load > 0, "its only holder is still loading")
        #expect(line?.expected == wait + load)
        #expect(line?.words.contains("of a load under way") == true && line?.words.contains("(a guess)") == true)
    }

    @Test(arguments: [
        (0.0, "under 0.01 s"), (0.042, "0.04 s"), (0.994, "0.99 s"), (0.996, "1.0 s"), (1.449, "1.4 s"), (9.94, "9.9 s"), (9.96, "10 s"),
        (30.0, "30 s"), (-0.44, "-0.44 s"), (.infinity, "1000000000 s"),
    ])
    func expectationsAreNoMoreExactThanTheyCanBe(seconds: Double, text: String) {
        #expect(Scheduler.text(seconds) == text)
    }

    @Test func explainSaysWhatWouldBeChosenAndWhatTheOthersCost() {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"])
        bench.add(["m"])
        bench.add(["m"], phase: .draining)
        let ask = Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("t"))
        let explanation = bench.scheduler.explain(ask, now: bench.now)
        #expect(explanation.chosen?.endpointName == "e0" && explanation.chosen?.why == .loaded)
        #expect(
            explanation.options.map(\.endpointName) == ["e0", "e1", "", "e2"] || explanation.options.map(\.endpointName) == ["e0", "", "e1", "e2"])
        #expect(explanation.options.last?.obstacle == "draining" && explanation.options.last?.cost == nil)
        #expect(explanation.options.first { $0.endpointName == "e1" }?.parts.contains { $0.name == .load && $0.seconds > 0 } == true)
        let grant = bench.submit("m").grant
        #expect(grant?.endpoint == explanation.chosen?.endpoint && grant?.expected == explanation.chosen?.expected)
    }
}
