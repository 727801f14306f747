// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import Testing

@testable import Core

/// One generation, many readers: nobody misses a byte, nobody waits for ever.
@Suite struct SharedFlightTests {
    private static let cost = AnswerCost(promptTokens: 1, answerTokens: 2, milliseconds: 3)
    private static let entry = CacheEntry(answer: ["a": 1], askedModel: "m", cost: cost)

    @Test func aLateFollowerGetsWhatHasBeenSent() throws {
        let flight = SharedFlight(tellsUsage: false)
        _ = try #require(flight.join())
        #expect(flight.look(from: 0, live: true) == .wait, "not begun")
        flight.begin(framing: .newlineJSON)
        flight.append([1, 2])
        flight.append([3])
        #expect(flight.look(from: 0, live: true) == .bytes([1, 2, 3], .newlineJSON))
        #expect(flight.look(from: 2, live: true) == .bytes([3], .newlineJSON))
        #expect(flight.look(from: 3, live: true) == .wait)
        #expect(flight.look(from: 0, live: false) == .wait, "another manner waits for the whole")
        let whole = try #require(flight.complete(Self.cost))
        #expect(whole.bytes == [1, 2, 3] && whole.framing == .newlineJSON)
        #expect(flight.look(from: 3, live: true) == .streamEnded(Self.cost))
        #expect(flight.look(from: 0, live: false) == .wait)
        flight.end(.answered(Self.entry))
        #expect(flight.look(from: 0, live: false) == .ended(.answered(Self.entry)))
        #expect(flight.look(from: 1, live: true) == .bytes([2, 3], .newlineJSON), "a slow reader still reads to the end")
    }

    /// A whole answer has nothing to be read before its end.
    @Test func aWholeAnswerComesAtItsEnd() throws {
        let flight = SharedFlight(tellsUsage: false)
        flight.begin(framing: nil)
        flight.append([1])
        #expect(flight.look(from: 0, live: true) == .wait)
        _ = flight.complete(Self.cost)
        flight.end(.answered(Self.entry))
        #expect(flight.look(from: 0, live: true) == .ended(.answered(Self.entry)))
    }

    @Test func failureReachesEverybody() throws {
        let flight = SharedFlight(tellsUsage: false)
        _ = try #require(flight.join())
        flight.begin(framing: .serverSentEvents)
        flight.append([1])
        flight.end(.failed)
        #expect(flight.look(from: 0, live: true) == .ended(.failed))
        #expect(flight.look(from: 1, live: true) == .ended(.failed))
        #expect(flight.join() == nil, "what has failed is not joined")
        #expect(flight.complete(Self.cost) == nil)
        flight.end(.answered(Self.entry))
        #expect(flight.look(from: 0, live: false) == .ended(.failed), "it ends once")
    }

    /// The signal comes once for joining, and for everything new.
    @Test func signalsAreNotLost() async throws {
        let flight = SharedFlight(tellsUsage: false)
        let (id, signals) = try #require(flight.join())
        var iterator = signals.makeAsyncIterator()
        #expect(await iterator.next() != nil)
        flight.begin(framing: .newlineJSON)
        flight.append([1])
        flight.append([2])
        #expect(await iterator.next() != nil)
        flight.end(.failed)
        #expect(await iterator.next() != nil)
        flight.leave(id)
        #expect(await iterator.next() == nil)
    }

    @Test func aLeaderThatLeavesGoesOnForOthersOnly() throws {
        let alone = SharedFlight(tellsUsage: false)
        #expect(!alone.leaderLeft {})
        #expect(alone.join() == nil, "it is over")

        let flight = SharedFlight(tellsUsage: false)
        let first = try #require(flight.join())
        let second = try #require(flight.join())
        let stops = Counter()
        #expect(flight.leaderLeft { stops.add() })
        flight.leave(first.id)
        #expect(stops.count == 0)
        flight.leave(second.id)
        #expect(stops.count == 1, "the last one out stops it")
        flight.leave(second.id)
        #expect(stops.count == 1)
    }

    @Test func whatIsTooLargeIsNotKeptInMemory() {
        let flight = SharedFlight(tellsUsage: false)
        flight.begin(framing: .newlineJSON)
        let piece = [UInt8](repeating: 0, count: 1 << 20)
        for _ in 0...(SharedFlight.recordLimit >> 20) { flight.append(piece) }
        #expect(flight.look(from: 0, live: true) == .ended(.failed))
        #expect(flight.complete(Self.cost) == nil)
    }

    // MARK: Counting

    @Test func hitRatesForgetWhatIsOld() {
        var recent = CacheCounters.Recent()
        recent.add(isHit: true, seconds: 1_000_000)
        recent.add(isHit: false, seconds: 1_000_005)
        #expect(recent.sum(minutes: 1, seconds: 1_000_010) == (all: 2, hits: 1))
        #expect(recent.sum(minutes: 1, seconds: 1_000_070) == (all: 0, hits: 0))
        #expect(recent.sum(minutes: 10, seconds: 1_000_070) == (all: 2, hits: 1))
        #expect(recent.sum(minutes: 60, seconds: 1_003_500) == (all: 2, hits: 1))
        #expect(recent.sum(minutes: 60, seconds: 1_003_700) == (all: 0, hits: 0))
        recent.add(isHit: true, seconds: 2_000_000)
        #expect(recent.sum(minutes: 60, seconds: 2_000_000) == (all: 1, hits: 1))
    }
}

private final class Counter: @unchecked Sendable {
    // Only used on the test's own thread.
    private(set) var count = 0
    func add() { count += 1 }
}
