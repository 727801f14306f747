// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers

/// One generation that several equal requests are answered from: what the leader's endpoint sends is recorded as it comes, and
/// followers read the record at their own speed.
///
/// The leader's side is called on the leader's event loop; everything else from anywhere.
final class SharedFlight: Sendable {
    /// How the generation ended, for followers.
    enum Ending: Sendable, Equatable {
        /// Complete, and fit for any manner of asking.
        case answered(CacheEntry)
        /// It failed, or its answer is not for sharing: followers start over on their own.
        case failed
    }

    /// What a follower finds when it looks.
    enum Look: Sendable, Equatable {
        /// More of the stream.
        case bytes([UInt8], StreamFraming)
        /// The stream is complete, and all of it has been read.
        case streamEnded(AnswerCost)
        case ended(Ending)
        /// Nothing new.
        case wait
    }

    private struct State {
        /// How the answer is divided: nil until it has begun, then nil inside for one that is whole.
        var framing: StreamFraming??
        var record: [UInt8] = []
        /// Set when the answer is complete.
        var cost: AnswerCost?
        var ending: Ending?
        var followers: [Int: AsyncStream<Void>.Continuation] = [:]
        var nextFollower = 0
        /// The leader's client has gone, and the generation goes on for the others: what stops it when they go too.
        var stop: (@Sendable () -> Void)?
    }

    /// A stream's framing makes more than a hundred bytes of a word, so that this is some hundred thousand tokens.
    static let recordLimit = 32 << 20

    /// Streams tell token counts at their end, because the leader asked.
    let tellsUsage: Bool
    private let state = NIOLockedValueBox(State())

    init(tellsUsage: Bool) {
        self.tellsUsage = tellsUsage
    }

    // MARK: The leader

    func begin(framing: StreamFraming?) { state.withLockedValue { $0.framing = .some(framing) } }

    func append(_ bytes: some Sequence<UInt8>) {
        let isTooLarge = state.withLockedValue { state -> Bool in
            guard state.ending == nil else { return false }
            state.record.append(contentsOf: bytes)
            for follower in state.followers.values { follower.yield() }
            return state.record.count > Self.recordLimit
        }
        if isTooLarge { end(.failed) }
    }

    /// The answer is complete.
    ///
    /// - Returns: all of it; nil if it is not worth reading any more.
    func complete(_ cost: AnswerCost) -> (framing: StreamFraming?, bytes: [UInt8])? {
        state.withLockedValue { state in
            guard state.ending == nil, let framing = state.framing else { return nil }
            state.cost = cost
            for follower in state.followers.values { follower.yield() }
            return (framing, state.record)
        }
    }

    func end(_ ending: Ending) {
        state.withLockedValue { state in
            guard state.ending == nil else { return }
            state.ending = ending
            state.stop = nil
            // Whoever is in the midst of a complete stream still reads it to its end.
            if state.cost == nil { state.record = [] }
            for follower in state.followers.values { follower.yield() }
        }
    }

    /// The leader's client has gone.
    ///
    /// - Parameter stop: called when the last follower goes too.
    /// - Returns: whether the generation is to go on for others.
    func leaderLeft(stop: @escaping @Sendable () -> Void) -> Bool {
        state.withLockedValue { state in
            guard state.ending == nil else { return false }
            guard !state.followers.isEmpty else {
                state.ending = .failed
                return false
            }
            state.stop = stop
            return true
        }
    }

    // MARK: Followers

    /// A signal for each time that there may be something new, the first at once; nil if the flight is over.
    func join() -> (id: Int, signals: AsyncStream<Void>)? {
        state.withLockedValue { state in
            if case .failed? = state.ending { return nil }
            let (signals, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            continuation.yield()
            let id = state.nextFollower
            state.nextFollower += 1
            state.followers[id] = continuation
            return (id, signals)
        }
    }

    func leave(_ id: Int) {
        let stop = state.withLockedValue { state -> (@Sendable () -> Void)? in
            state.followers.removeValue(forKey: id)?.finish()
            guard state.followers.isEmpty, let stop = state.stop else { return nil }
            state.stop = nil
            state.ending = .failed
            return stop
        }
        stop?()
    }

    /// - Parameters:
    ///   - offset: bytes of the stream that this follower has.
    ///   - live: it takes the stream as it comes; the others wait for the whole.
    func look(from offset: Int, live: Bool) -> Look {
        state.withLockedValue { state in
            if live, let framing = state.framing ?? nil {
                if offset < state.record.count { return .bytes(Array(state.record[offset...]), framing) }
                if let cost = state.cost { return .streamEnded(cost) }
            }
            if let ending = state.ending { return .ended(ending) }
            return .wait
        }
    }
}
