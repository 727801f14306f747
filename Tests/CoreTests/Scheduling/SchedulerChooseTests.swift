// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// Which endpoint a request gets, where nothing has been measured yet.
@Suite struct SchedulerChooseTests {
    /// A load where it is in memory elsewhere costs a minute that nobody had to wait.
    @Test func whereItIsLoadedComesFirst() {
        let bench = SchedulerBench()
        bench.add(["m"])
        bench.add(["m"], loaded: ["m"])
        #expect(bench.fill("m", 2) == [1, 1])
        #expect(bench.place("m") == "e0 load")
        #expect(bench.fill("m", 1) == [0])
        #expect(bench.place("m") == "line")
    }

    @Test func fewestInFlightForTheModelThenOnTheEndpoint() {
        let bench = SchedulerBench()
        bench.add(["m", "n"], loaded: ["m", "n"], limit: 4)
        bench.add(["m", "n"], loaded: ["m", "n"], limit: 4)
        let first = bench.fill("m", 1)[0]
        let second = bench.fill("m", 1)[0]
        #expect(first != second)
        // One of m each; a request for n on one of them tips the balance of the endpoints.
        let third = bench.fill("n", 1)[0]
        #expect(bench.fill("m", 1) == [1 - third])
    }

    @Test func weightDecidesAmongEquals() {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], weight: 1)
        bench.add(["m"], loaded: ["m"], weight: 3)
        bench.add(["m"], loaded: ["m"], weight: 2)
        #expect(bench.fill("m", 6) == [1, 2, 0, 1, 2, 0])
    }

    /// The same seed gives the same picks, and equals get equal shares.
    @Test func amongEqualsThePickIsSeededAndEven() {
        func picks(_ seed: UInt64) -> [Int] {
            let bench = SchedulerBench(seed: seed)
            for _ in 0..<4 { bench.add(["m"], loaded: ["m"]) }
            return (0..<400).map { _ in
                guard let grant = bench.submit("m").grant else { return -1 }
                _ = bench.release(grant)
                return grant.endpoint.rawValue
            }
        }
        let counts = Dictionary(picks(7).map { ($0, 1) }, uniquingKeysWith: +)
        #expect(picks(7) == picks(7))
        #expect(picks(7) != picks(8))
        #expect((0..<4).allSatisfy { (60...140).contains(counts[$0] ?? 0) }, "\(counts)")
    }

    /// Two requests for a model that is loaded nowhere must not load it twice.
    @Test func whatIsBeingLoadedForUsCountsAsLoaded() {
        let bench = SchedulerBench()
        for _ in 0..<3 { bench.add(["m"], limit: 3) }
        let first = bench.submit("m").grant
        let second = bench.submit("m").grant
        #expect(first?.why == .load && first?.wasLoaded == false)
        #expect(second?.why == .loading && second?.endpoint == first?.endpoint)
    }

    @Test func aFailedLoadIsForgotten() {
        let bench = SchedulerBench()
        bench.add(["m"])
        guard let grant = bench.submit("m").grant else { return #expect(Bool(false)) }
        _ = bench.release(grant, .failed)
        #expect(bench.submit("m").grant?.why == .load)
    }

    @Test func aFinishedLoadIsBelievedUntilAReportSaysOtherwise() {
        let bench = SchedulerBench()
        bench.add(["m"])
        guard let grant = bench.submit("m").grant else { return #expect(Bool(false)) }
        _ = bench.release(grant)
        let after = bench.submit("m").grant
        _ = after.map { bench.release($0) }
        _ = bench.report(0, ["m"], loaded: [])
        #expect(after?.why == .loaded)
        #expect(bench.submit("m").grant?.why == .load)
    }

    static let gigabyte = 1 << 30

    /// Where a load evicts nothing in use, by what is known of sizes.
    @Test func aLoadGoesWhereItDisturbsLeast() {
        let sizes = ["big": 6 * Self.gigabyte, "m": 4 * Self.gigabyte]
        let bench = SchedulerBench()
        bench.add(["big", "m"], loaded: ["big"], vram: 8 * Self.gigabyte, sizes: sizes)
        bench.add(["big", "m"], loaded: ["big"], vram: 16 * Self.gigabyte, sizes: sizes)
        bench.add(["big", "m"], loaded: [], vram: nil, sizes: sizes)
        #expect(bench.place("m") == "e1 fits")
        #expect(bench.place("m", excluding: [1]) == "e2 load", "unknown memory, and nothing in use there")
        #expect(bench.place("m", excluding: [1, 2]) == "e0 load", "evicting an idle model is allowed")
    }

    @Test func aModelInUseIsEvictedOnlyWhereThereIsNoOtherPlace() {
        let sizes = ["big": 6 * Self.gigabyte, "m": 4 * Self.gigabyte]
        let bench = SchedulerBench()
        for _ in 0..<2 { bench.add(["big", "m"], loaded: ["big"], vram: 8 * Self.gigabyte, sizes: sizes) }
        let busy = bench.fill("big", 1)[0]
        #expect(bench.place("m") == "e\(1 - busy) load")
        // Not behind the busy one at the endpoint, where it would hold up everybody: in line, until that has come to its end.
        #expect(bench.place("m", excluding: [1 - busy]) == "line")
    }

    @Test func theLimitIsTheEndpointsOwn() {
        let bench = SchedulerBench()
        bench.add(["m", "n"], loaded: ["m", "n"], limit: 1)
        bench.add(["m"], loaded: ["m"], limit: 3)
        #expect(bench.fill("m", 9).sorted() == [0, 1, 1, 1])
        // Slots are counted per model.
        #expect(bench.fill("n", 9) == [0])
    }

    @Test(arguments: EndpointState.Phase.allCases) func onlyEndpointsInServiceGetWork(_ phase: EndpointState.Phase) {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], phase: phase)
        bench.add(["m"], loaded: ["m"])
        let placed = bench.fill("m", 4)
        #expect(placed.contains(0) == (phase == .up || phase == .degraded))
    }

    @Test func whoFailedIsNotAskedAgain() {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"])
        bench.add(["m"])
        #expect(bench.place("m", excluding: [0]) == "e1 load")
        #expect(bench.submit("m", excluding: [0, 1]).refusal == .allFailed)
    }

    @Test func onlyEndpointsThatSpeakTheRouteAreAsked() {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], kind: .llamaServer)
        #expect(bench.submit("m", needs: .ollamaAPI).refusal == .unsupportedRoute(endpoints: ["e0"]))
        #expect(bench.submit("m", needs: .openAIAPI).grant?.endpoint == EndpointID(0))
        bench.add(["m"])
        #expect(bench.submit("m", needs: .ollamaAPI).grant?.endpoint == EndpointID(1))
    }

    /// Waiting for a cold load where a translation could begin at once would be the wrong order.
    @Test func translationServesWhereNobodySpeaksTheRouteAndWhereItBeginsSooner() {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], kind: .llamaServer)
        #expect(bench.submit("m", needs: .ollamaAPI, translated: .chat).grant?.fit == .translated)
        bench.add(["m"])
        #expect(bench.submit("m", needs: .ollamaAPI, translated: .chat).grant?.endpoint == EndpointID(0), "loaded there")
        _ = bench.report(1, ["m"], loaded: ["m"])
        let grant = bench.submit("m", needs: .ollamaAPI, translated: .chat).grant
        #expect(grant?.endpoint == EndpointID(1) && grant?.fit == .native)
    }

    @Test func aServiceThatLoadsNothingHasAllItsModelsReady() {
        let bench = SchedulerBench()
        bench.add(["gpt"], kind: .openAI)
        #expect(bench.place("gpt").contains("unsupportedRoute"))
        #expect(bench.submit("gpt", needs: .chat).grant?.why == .loaded)
    }

    @Test func aliasesAreLookedUpFirst() {
        let bench = SchedulerBench(aliases: ["gpt": "llama3:8b"])
        bench.add(["llama3:8b", "gpt:latest"])
        let grant = bench.submit("gpt").grant
        #expect(grant?.model == "llama3:8b")
        #expect(grant?.understandsAskedName == false)
        #expect(bench.submit("LLAMA3:8b").grant?.understandsAskedName == true)
    }

    // MARK: Refusals

    @Test func anUnknownModelIsToldWhatIsKnown() {
        let bench = SchedulerBench()
        bench.add(["b", "a"])
        bench.add(["a", "c"])
        bench.add(["z"], phase: .down)
        #expect(bench.submit("x").refusal == .unknownModel(known: ["a", "b", "c"], unreachable: ["e2"]))
    }

    @Test func whoeverHasTheModelAndWhyNot() {
        let bench = SchedulerBench()
        bench.add(["m"])
        bench.add(["other"])
        _ = bench.report(0, [], phase: .down)
        #expect(bench.submit("m").refusal == .noEndpointUp([.init(endpoint: "e0", why: "down (refused)")]))
        _ = bench.report(1, [], phase: .down)
        #expect(
            bench.submit("unheard-of").refusal
                == .noEndpointUp([.init(endpoint: "e0", why: "down (refused)"), .init(endpoint: "e1", why: "down (refused)")]))
    }

    /// The first request of all may come before the first poll: it waits for it, and is not refused.
    @Test func whatIsNotKnownYetIsWaitedFor() {
        let bench = SchedulerBench()
        bench.add([], phase: .starting)
        let ticket = bench.submit("m").ticket
        let other = bench.submit("unheard-of").ticket
        let actions = bench.report(0, ["m"])
        let granted = actions.compactMap { if case .grant(let ticket, _) = $0 { ticket } else { nil } }
        let refused = actions.compactMap { if case .refuse(let ticket, .unknownModel) = $0 { ticket } else { nil } }
        #expect(granted == [ticket] && refused == [other])
    }
}
