// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// How long an answer took. Three figures that are never mixed: a server may send its head at once and think afterwards, and an answer
/// that comes whole does not tell when its first token was made.
struct AnswerTimings: Sendable, Equatable {
    enum Manner: Sendable {
        /// Tokens as they are made.
        case streamed
        /// All tokens at once.
        case whole
        /// Vectors or scores and no tokens: most of them are short, and would hide how long generations take.
        case embeddings
    }

    var manner: Manner
    /// From sending the request to the head of the answer.
    var timeToHead: TimeAmount?
    /// To the first token, streamed answers only.
    var timeToFirstToken: TimeAmount?
    /// To the last byte, others only.
    var whole: TimeAmount?
    /// From one token of a stream to the next, on average.
    var timePerToken: TimeAmount?

    init(
        _ manner: Manner, timeToHead: TimeAmount? = nil, timeToFirstToken: TimeAmount? = nil, whole: TimeAmount? = nil,
        timePerToken: TimeAmount? = nil
    ) {
        self.manner = manner
        self.timeToHead = timeToHead
        self.timeToFirstToken = timeToFirstToken
        self.whole = whole
        self.timePerToken = timePerToken
    }

    /// - Parameters:
    ///   - firstToken: without meaning for an answer that is not streamed.
    ///   - ended: nil for an answer that was not whole in the end.
    ///   - tokens: in the answer.
    init(_ manner: Manner, sent: NIODeadline, head: NIODeadline?, firstToken: NIODeadline?, ended: NIODeadline?, tokens: Int) {
        self.init(manner, timeToHead: head.map { $0 - sent })
        switch manner {
        case .streamed:
            timeToFirstToken = firstToken.map { $0 - sent }
            if let firstToken, let ended, tokens > 1 { timePerToken = .nanoseconds((ended - firstToken).nanoseconds / Int64(tokens - 1)) }
        case .whole, .embeddings:
            whole = ended.map { $0 - sent }
        }
    }
}

extension AnswerTimings.Manner {
    /// Nil for what costs an endpoint next to nothing, and is no answer of a model.
    init?(_ operation: Operation, isStreamed: Bool) {
        guard operation.takesSlot else { return nil }
        self = !operation.makesTokens ? .embeddings : isStreamed ? .streamed : .whole
    }
}

/// Answers of an endpoint since the start, by the time that they took.
struct AnswerTimes: Sendable, Equatable {
    var heads = LogHistogram()
    var firstTokens = LogHistogram()
    var wholes = LogHistogram()
    var embeddings = LogHistogram()

    /// All but the first token, which is told when it comes: a stream may go on for long.
    mutating func record(_ timings: AnswerTimings) {
        switch timings.manner {
        case .streamed: if let head = timings.timeToHead { heads.record(head) }
        case .whole:
            if let head = timings.timeToHead { heads.record(head) }
            if let whole = timings.whole { wholes.record(whole) }
        case .embeddings: if let whole = timings.whole { embeddings.record(whole) }
        }
    }

    static func += (left: inout AnswerTimes, right: AnswerTimes) {
        left.heads += right.heads
        left.firstTokens += right.firstTokens
        left.wholes += right.wholes
        left.embeddings += right.embeddings
    }

    /// What was recorded since an earlier state.
    static func - (later: AnswerTimes, earlier: AnswerTimes) -> AnswerTimes {
        AnswerTimes(
            heads: later.heads - earlier.heads, firstTokens: later.firstTokens - earlier.firstTokens, wholes: later.wholes - earlier.wholes,
            embeddings: later.embeddings - earlier.embeddings)
    }
}
