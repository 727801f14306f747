// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

@Suite struct BreakerTests {
    /// Time and a breaker.
    private struct Bench {
        var breaker = Breaker()
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)

        mutating func fail(_ reason: String = "503") -> Breaker.Change? { breaker.failed(breaker.letIn(), reason, now: now) }
        mutating func answer() -> Breaker.Change? { breaker.answered(breaker.letIn(), now: now) }
        mutating func pass(_ time: TimeAmount) { now = now + time }
        var wait: TimeAmount { breaker.due - now }
    }

    /// What breaks without it: an endpoint is set aside for a single failure, or never.
    @Test func threeFailuresInARowOpenIt() {
        var bench = Bench()
        #expect(bench.answer() == nil)
        #expect(bench.fail() == nil && bench.fail() == nil)
        #expect(bench.answer() == nil, "it works in between")
        #expect(bench.fail() == nil && bench.fail() == nil && bench.breaker.isClosed)
        #expect(bench.fail() == .opened)
        #expect(bench.breaker.state == .setAside(.broken) && bench.wait == .seconds(1))
        #expect(bench.breaker.reason == "5 of the last 7 answers failed: 503")
    }

    /// What breaks without it: an endpoint that fails every second request is never set aside.
    @Test func halfOfTheLastAnswersOpenIt() {
        var bench = Bench()
        var changes: [Breaker.Change?] = []
        for _ in 0..<4 {
            changes.append(bench.answer())
            changes.append(bench.fail())
        }
        #expect(changes == [nil, nil, nil, nil, nil, nil, nil, .opened])
        #expect(bench.breaker.reason == "4 of the last 8 answers failed: 503")
        // Of old failures nothing is left.
        var old = Bench()
        _ = (old.fail(), old.fail())
        for _ in 0..<16 { _ = old.answer() }
        #expect(old.breaker.answers.failures == 0 && old.breaker.answers.count == 16)
    }

    /// What breaks without it: a broken endpoint costs a client's request every second, or does not come back when it is mended.
    @Test func probesComeEverMoreRarelyAndAtLeastOnceAMinute() {
        var bench = Bench()
        for _ in 0..<3 { _ = bench.fail() }
        var waits: [Int64] = []
        for _ in 0..<9 {
            waits.append(bench.wait.nanoseconds / 1_000_000_000)
            #expect(!bench.breaker.admits(now: bench.breaker.due - .nanoseconds(1)))
            bench.pass(bench.wait)
            #expect(bench.breaker.admits(now: bench.now))
            #expect(bench.fail() == .reopened)
        }
        #expect(waits == [1, 2, 4, 8, 16, 32, 60, 60, 60])
        bench.pass(.minutes(1))
        #expect(bench.answer() == .closed)
        #expect(bench.breaker.admits(now: bench.now) && bench.breaker.reason.isEmpty && bench.breaker.answers == AnswerWindow())
        // What fails again at once was not mended; what fails much later has nothing to do with it.
        var later = bench
        for _ in 0..<3 { _ = bench.fail() }
        #expect(bench.wait == .minutes(1))
        later.pass(.minutes(1))
        for _ in 0..<3 { _ = later.fail() }
        #expect(later.wait == .seconds(1))
    }

    /// What breaks without it: a whole crowd is sent to an endpoint that is likely to fail.
    @Test func oneRequestProbes() {
        var bench = Bench()
        for _ in 0..<3 { _ = bench.fail() }
        bench.pass(.seconds(1))
        let probe = bench.breaker.letIn()
        #expect(bench.breaker.state == .probing(.broken, requests: 1) && !bench.breaker.admits(now: bench.now))
        // The client of the probe leaves: nothing is known, and the next may go.
        bench.breaker.endedWithoutVerdict(probe)
        #expect(bench.breaker.state == .setAside(.broken) && bench.breaker.admits(now: bench.now))
    }

    /// What breaks without it: a stream that began before the endpoint broke closes the breaker when it ends, and a burst of failures
    /// counts as one failed probe after another.
    @Test func whoWasThereBeforeItOpenedIsNoProbe() {
        var bench = Bench()
        let before = (0..<6).map { _ in bench.breaker.letIn() }
        for opening in before.prefix(3) { _ = bench.breaker.failed(opening, "cut", now: bench.now) }
        #expect(!bench.breaker.isClosed)
        #expect(bench.breaker.answered(before[3], now: bench.now) == nil)
        #expect(bench.breaker.failed(before[4], "cut", now: bench.now) == nil)
        bench.breaker.endedWithoutVerdict(before[5])
        #expect(bench.breaker.state == .setAside(.broken) && bench.wait == .seconds(1))
    }

    /// What breaks without it: an endpoint that asks for thirty seconds is asked again after one, or a burst of such answers sets it aside
    /// for minutes.
    @Test func aBusyOneIsLeftAloneForAsLongAsItAsks() {
        var bench = Bench()
        let burst = (0..<4).map { _ in bench.breaker.letIn() }
        #expect(burst.map { bench.breaker.busy($0, retryAfter: nil, now: bench.now) } == [.opened, nil, nil, nil])
        #expect(bench.wait == .seconds(1) && bench.breaker.reason == "busy: left alone for 1 s")
        bench.pass(.seconds(1))
        #expect(bench.breaker.busy(bench.breaker.letIn(), retryAfter: nil, now: bench.now) == .reopened)
        #expect(bench.wait == .seconds(2))
        bench.pass(.seconds(2))
        #expect(bench.breaker.busy(bench.breaker.letIn(), retryAfter: .seconds(30), now: bench.now) == .reopened)
        #expect(bench.wait == .seconds(30) && bench.breaker.reason == "busy: asked to be left alone for 30 s")
        bench.pass(.seconds(30))
        // The head of an answer is proof enough.
        #expect(bench.breaker.began(bench.breaker.letIn(), now: bench.now) == .closed)
        #expect(bench.breaker.busy(bench.breaker.letIn(), retryAfter: nil, now: bench.now) == .opened)
        #expect(bench.wait == .seconds(1), "it was as good as new")
        var rude = Bench()
        _ = rude.breaker.busy(rude.breaker.letIn(), retryAfter: .hours(24), now: rude.now)
        #expect(rude.wait == .hours(1))
        var hasty = Bench()
        _ = hasty.breaker.busy(hasty.breaker.letIn(), retryAfter: .zero, now: hasty.now)
        #expect(hasty.wait == .seconds(1))
    }

    /// What breaks without it: the head of an answer that is cut again and again counts as a recovery.
    @Test func aHeadIsNoProofThatABrokenOneIsMended() {
        var bench = Bench()
        for _ in 0..<3 { _ = bench.fail("cut") }
        bench.pass(.seconds(1))
        let probe = bench.breaker.letIn()
        #expect(bench.breaker.began(probe, now: bench.now) == nil)
        #expect(bench.breaker.failed(probe, "cut", now: bench.now) == .reopened)
    }

    /// What breaks without it: an operator's `resume` is undone by a request that failed before it.
    @Test func anOperatorClosesIt() {
        var bench = Bench()
        for _ in 0..<3 { _ = bench.fail() }
        bench.pass(.seconds(1))
        let probe = bench.breaker.letIn()
        #expect(bench.breaker.reset() == .closed && bench.breaker.reset() == nil)
        #expect(bench.breaker.failed(probe, "503", now: bench.now) == nil && bench.breaker.isClosed)
    }

    /// Any events in any order: it says what a model of it in the plainest words says.
    @Test func itDoesWhatItsDiagramSays() {
        for seed in 0..<400 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            var bench = Bench()
            var out: [UInt32] = []
            for step in 0..<200 {
                switch Int.random(in: 0..<12, using: &random) {
                case 0...4 where bench.breaker.admits(now: bench.now): out.append(bench.breaker.letIn())
                case 5 where bench.breaker.state != .closed: out.append(bench.breaker.letIn())
                case 6: bench.pass(.milliseconds(Int64.random(in: 0...20_000, using: &random)))
                case 7 where Int.random(in: 0..<20, using: &random) == 0: _ = bench.breaker.reset()
                case 8 where Int.random(in: 0..<20, using: &random) == 0: bench.breaker.retry(now: bench.now)
                default:
                    guard let index = out.indices.randomElement(using: &random) else { continue }
                    let opening = out.remove(at: index)
                    let before = bench.breaker
                    let isCurrent = opening == before.openings
                    let change: Breaker.Change?
                    switch Int.random(in: 0..<7, using: &random) {
                    case 0, 1:
                        change = bench.breaker.answered(opening, now: bench.now)
                        #expect((change == .closed) == (!before.isClosed && isCurrent), "seed \(seed), step \(step)")
                    case 2, 3:
                        change = bench.breaker.failed(opening, "cut", now: bench.now)
                        #expect((change == .reopened) == (!before.isClosed && isCurrent), "seed \(seed), step \(step)")
                    case 4: change = bench.breaker.busy(opening, retryAfter: .seconds(Int64(step % 3 * 20)), now: bench.now)
                    case 5: change = bench.breaker.absent(opening, "404", now: bench.now)
                    default:
                        bench.breaker.endedWithoutVerdict(opening)
                        change = nil
                    }
                    if change == .opened || change == .reopened { #expect(bench.breaker.openings == before.openings + 1) }
                    if change == nil { #expect(bench.breaker.isClosed == before.isClosed) }
                }
                let limit = bench.breaker.cause == .busy ? Breaker.longestRetryAfter : Breaker.longestBackOff
                #expect(bench.breaker.isClosed || bench.wait <= limit, "seed \(seed), step \(step)")
                #expect(bench.breaker.isClosed == bench.breaker.reason.isEmpty)
                if case .probing(_, let requests) = bench.breaker.state {
                    #expect((1...out.count).contains(requests), "seed \(seed), step \(step)")
                }
            }
            // All come back without a verdict: the next may probe, and soon.
            for opening in out { bench.breaker.endedWithoutVerdict(opening) }
            bench.pass(Breaker.longestRetryAfter)
            #expect(bench.breaker.admits(now: bench.now), "seed \(seed)")
        }
    }
}
