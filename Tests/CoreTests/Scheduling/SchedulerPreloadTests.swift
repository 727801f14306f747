// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// Loads that nobody asked for. What breaks without them: pinned models stay away, idle memory stays idle under a line, or loads ahead of
/// need push out what is in use.
@Suite struct SchedulerPreloadTests {
    private static let gigabyte = 1 << 30

    @Test func aPinnedModelIsLoadedAndItsFailureIsNotRepeatedAtOnce() {
        let bench = SchedulerBench()
        bench.add(["m", "n"])
        bench.add(["m", "n"])
        _ = bench.scheduler.setSettings(SchedulerSettings(pins: ["m": .on(["e1"])]), now: bench.now)
        bench.now = bench.now + .seconds(2)
        let first = bench.scheduler.expire(now: bench.now)
        #expect(first == [.load(EndpointID(1), model: "m")])
        bench.now = bench.now + .seconds(2)
        #expect(bench.scheduler.expire(now: bench.now).isEmpty, "under way")
        _ = bench.scheduler.loadEnded(EndpointID(1), model: "m", .failed, now: bench.now)
        bench.now = bench.now + .seconds(2)
        #expect(bench.scheduler.expire(now: bench.now).isEmpty, "just failed")
        bench.now = bench.now + .seconds(120)
        #expect(bench.scheduler.expire(now: bench.now) == first)
        _ = bench.scheduler.loadEnded(EndpointID(1), model: "m", .loaded(.seconds(3)), now: bench.now)
        #expect(bench.place("m") == "e1 loaded")
    }

    @Test func activePlacementLoadsWhatIsWantedWhereMemoryIsIdle() {
        let sizes = ["m": 4 * Self.gigabyte]
        for placement in SchedulerSettings.Placement.allCases {
            let bench = SchedulerBench()
            bench.add(["m"], loaded: ["m"], limit: 1, vram: 8 * Self.gigabyte, sizes: sizes)
            bench.add(["m"], limit: 1, vram: 8 * Self.gigabyte, sizes: sizes)
            _ = bench.scheduler.setSettings(SchedulerSettings(placement: placement), now: bench.now)
            for _ in 0..<40 { _ = bench.submit("m").grant.map { bench.release($0) } }
            // It is wanted, and gone from the only place where it was.
            _ = bench.report(0, ["m"], loaded: [], sizes: sizes)
            bench.now = bench.now + .seconds(2)
            let loads = bench.scheduler.expire(now: bench.now)
            #expect(loads.contains(.load(EndpointID(0), model: "m")) == (placement == .active))
            #expect(loads.isEmpty == (placement != .active))
        }
    }

    /// The other endpoint has room for it, but the next load that is needed would find none.
    @Test func aSecondCopyLeavesAThirdOfTheMemoryFree() {
        for (size, isLoaded) in [(4, true), (6, false)] {
            let sizes = ["m": size * Self.gigabyte]
            let bench = SchedulerBench()
            bench.add(["m"], loaded: ["m"], limit: 1, vram: 8 * Self.gigabyte, sizes: sizes)
            bench.add(["m"], limit: 1, vram: 8 * Self.gigabyte, sizes: sizes)
            #expect(Self.loads(bench).contains(.load(EndpointID(1), model: "m")) == isLoaded, "\(size) GB")
        }
    }

    @Test func theOnlyCopyMayTakeAllThatIsFree() {
        let sizes = ["m": 7 * Self.gigabyte]
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], limit: 1, vram: 8 * Self.gigabyte, sizes: sizes)
        #expect(Self.loads(bench) { _ = $0.report(0, ["m"], loaded: [], sizes: sizes) } == [.load(EndpointID(0), model: "m")])
    }

    // MARK: Memory that nobody told

    private static let sizes = ["m": 4 * gigabyte, "n": 5 * gigabyte]

    /// "m" is wanted and on the first endpoint; the second has "n", which takes all that was ever seen in use there.
    private static func untold() -> SchedulerBench {
        let bench = SchedulerBench()
        bench.add(["m"], loaded: ["m"], limit: 1, sizes: sizes)
        bench.add(["m", "n"], loaded: ["n"], limit: 1, sizes: sizes)
        return bench
    }

    /// What is loaded ahead of need under `placement: active`, after much demand for "m" and after `then`.
    private static func loads(_ bench: SchedulerBench, then: (SchedulerBench) -> Void = { _ in })
        -> [SchedulerAction]
    {
        _ = bench.scheduler.setSettings(SchedulerSettings(placement: .active), now: bench.now)
        for _ in 0..<40 { _ = bench.submit("m").grant.map { bench.release($0, service: .seconds(20)) } }
        then(bench)
        bench.now = bench.now + .seconds(2)
        return bench.scheduler.expire(now: bench.now)
    }

    @Test func anIdleEndpointFindsOutHowMuchFits() { #expect(Self.loads(Self.untold()) == [.load(EndpointID(1), model: "m")]) }

    /// Or a load that does not fit would hold up those who are served there.
    @Test func anEndpointInUseIsNotTriedOut() {
        #expect(Self.loads(Self.untold()) { _ = $0.submit("n") }.isEmpty)
    }

    @Test func whatIsWantedMoreIsNotPutAtRisk() {
        let loads = Self.loads(Self.untold()) { bench in
            for _ in 0..<400 { _ = bench.submit("n").grant.map { bench.release($0) } }
        }
        #expect(loads.isEmpty)
    }

    @Test func whatDidNotFitOnceIsNotTriedAgain() {
        let bench = Self.untold()
        #expect(Self.loads(bench).count == 1)
        _ = bench.scheduler.loadEnded(EndpointID(1), model: "m", .loaded(.seconds(3)), now: bench.now)
        // "n" had to go for it, and comes back.
        _ = bench.report(1, ["m", "n"], loaded: ["m"], sizes: Self.sizes)
        _ = bench.submit("n", excluding: [0]).grant.map { bench.release($0) }
        _ = bench.report(1, ["m", "n"], loaded: ["n"], sizes: Self.sizes)
        #expect(Self.loads(bench).isEmpty)
    }

    /// A model that is taken to have gone for a load, and comes back, is news: what goes for it teaches the memory.
    @Test func whatComesBackIsNews() throws {
        let bench = SchedulerBench()
        bench.add(["m", "n"], loaded: ["n"], limit: 1, vram: 6 * Self.gigabyte, sizes: Self.sizes)
        let pair = try #require(bench.scheduler.pairs.values.firstIndex { $0.name == "n" })
        #expect(bench.scheduler.pairs.values[pair].isReported)
        #expect(bench.submit("m").grant?.why == .load)
        #expect(!bench.scheduler.pairs.values[pair].isLoaded && !bench.scheduler.pairs.values[pair].isReported)
    }
}
