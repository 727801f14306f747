// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers
import Protocol

/// What the cache has done, counted by the requests that it was asked for.
final class CacheCounters: Sendable {
    /// How a request on a cached route was answered.
    enum Outcome: Sendable, Equatable {
        case exact(saved: AnswerCost)
        case semantic(saved: AnswerCost)
        /// From another's generation.
        case shared(saved: AnswerCost)
        case miss
        case bypass(CacheBypass)
    }

    /// Hits and requests of the last hour, in slots of ten seconds.
    struct Recent: Sendable {
        static let slotSeconds = 10
        private static let slots = 360
        private var hits = [Int](repeating: 0, count: slots)
        private var all = [Int](repeating: 0, count: slots)
        /// Number of the newest slot since the epoch.
        private var newest = 0

        mutating func add(isHit: Bool, seconds: Int) {
            advance(to: seconds)
            let index = newest % Self.slots
            all[index] += 1
            if isHit { hits[index] += 1 }
        }

        /// Requests and hits of the last minutes.
        mutating func sum(minutes: Int, seconds: Int) -> (all: Int, hits: Int) {
            advance(to: seconds)
            let count = min(minutes * 60 / Self.slotSeconds, Self.slots)
            return (0..<count).reduce(into: (all: 0, hits: 0)) { sum, back in
                let index = (newest - back + Self.slots * 2) % Self.slots
                sum.all += all[index]
                sum.hits += hits[index]
            }
        }

        private mutating func advance(to seconds: Int) {
            let slot = seconds / Self.slotSeconds
            guard slot > newest else { return }
            for passed in 0..<min(slot - newest, Self.slots) {
                hits[(slot - passed) % Self.slots] = 0
                all[(slot - passed) % Self.slots] = 0
            }
            newest = slot
        }
    }

    private struct State {
        var info = CacheInfo()
        var recent = Recent()
        var milliseconds = 0
    }

    private let state = NIOLockedValueBox(State())
    /// Unix seconds.
    private let clock: @Sendable () -> Int

    init(clock: @escaping @Sendable () -> Int) {
        self.clock = clock
    }

    func count(_ outcome: Outcome) {
        let now = clock()
        state.withLockedValue { state in
            let saved: AnswerCost
            switch outcome {
            case .bypass(let reason):
                state.info.bypasses[reason.rawValue, default: 0] += 1
                return
            case .miss:
                state.info.misses += 1
                return state.recent.add(isHit: false, seconds: now)
            case .exact(let cost):
                state.info.exactHits += 1
                saved = cost
            case .semantic(let cost):
                state.info.semanticHits += 1
                saved = cost
            case .shared(let cost):
                state.info.shared += 1
                saved = cost
            }
            state.recent.add(isHit: true, seconds: now)
            state.info.tokensSaved += saved.promptTokens + saved.answerTokens
            state.milliseconds += saved.milliseconds
        }
    }

    func notKept(_ reason: NotKept) { state.withLockedValue { $0.info.notKept[reason.rawValue, default: 0] += 1 } }

    /// Everything but what the store holds.
    func info() -> CacheInfo {
        let now = clock()
        return state.withLockedValue { state in
            var info = state.info
            info.secondsSaved = Double(state.milliseconds) / 1000
            info.hitRates = [1, 10, 60].map { minutes in
                let sum = state.recent.sum(minutes: minutes, seconds: now)
                return .init(minutes: minutes, requests: sum.all, rate: sum.all == 0 ? nil : Double(sum.hits) / Double(sum.all))
            }
            return info
        }
    }
}
