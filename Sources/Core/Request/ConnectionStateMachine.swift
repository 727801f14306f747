// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What may happen next on a client's connection, without the I/O.
///
/// Two halves run beside each other, the request that comes in and the answer that goes out; the connection is ready for
/// the next request when both have ended. Requests that come earlier (pipelining) are held back, so that answers keep the order.
///
/// ```
/// request:  none --head--> receiving --end--> whole
/// answer:   none --begin-> begun -----end--> ended
/// ```
struct ConnectionStateMachine {
    enum RequestHalf: Equatable {
        case none, receiving, whole
    }

    enum AnswerHalf: Equatable {
        case none, begun, ended
    }

    private(set) var request: RequestHalf = .none
    private(set) var answer: AnswerHalf = .none
    /// Neither side has asked for the connection to end.
    private(set) var keepsAlive = true
    private(set) var isClosed = false
    /// The answer is out and the connection ends; what still comes in is thrown away, so that the client can read the answer.
    private(set) var isLingering = false

    enum OnHead: Equatable {
        case begin
        /// An exchange is under way: keep it for later.
        case hold
        case ignore
    }

    enum OnBody: Equatable {
        case keep
        case hold
        case ignore
    }

    enum OnRequestEnd: Equatable {
        /// The request is whole: decide where it goes.
        case decide
        case hold
        case ignore
        /// It was answered before it ended; now the next may come.
        case next
        case close
    }

    enum OnAnswerEnd: Equatable {
        case next
        /// Close when what is written has been flushed.
        case close
        /// The client is still sending: go on reading, and close at its end or after a while.
        case linger
        case nothing
    }

    var isIdle: Bool { request == .none && !isClosed }
    var answerHasBegun: Bool { answer != .none }

    mutating func receivedHead(keepAlive: Bool) -> OnHead {
        if isClosed || isLingering { return .ignore }
        guard request == .none else { return .hold }
        request = .receiving
        answer = .none
        keepsAlive = keepAlive
        return .begin
    }

    /// `holding`: there are held-back parts already, so that this one belongs behind them.
    mutating func receivedBody(holding: Bool) -> OnBody {
        if isClosed || isLingering { return .ignore }
        if holding { return .hold }
        switch request {
        case .receiving: return answer == .none ? .keep : .ignore
        case .whole: return .hold
        case .none: return .ignore
        }
    }

    mutating func receivedEnd(holding: Bool) -> OnRequestEnd {
        if isClosed { return .ignore }
        if isLingering { return .close }
        if holding { return .hold }
        guard request == .receiving else { return request == .whole ? .hold : .ignore }
        request = .whole
        switch answer {
        case .none: return .decide
        case .begun: return .ignore
        case .ended: return finish()
        }
    }

    mutating func beginAnswer() {
        assert(answer == .none)
        answer = .begun
    }

    /// From here on the connection ends after the current answer.
    mutating func endAfterThis() { keepsAlive = false }

    mutating func endAnswer() -> OnAnswerEnd {
        guard !isClosed, answer == .begun else { return .nothing }
        answer = .ended
        switch request {
        case .whole:
            return finish() == .next ? .next : .close
        case .receiving:
            if keepsAlive { return .nothing }
            isLingering = true
            return .linger
        case .none:
            return .close
        }
    }

    private mutating func finish() -> OnRequestEnd {
        request = .none
        answer = .none
        if keepsAlive { return .next }
        return .close
    }

    mutating func closed() { isClosed = true }
}
