// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// One keep-alive HTTP/1.1 connection to an endpoint, without the I/O.
///
/// ```
/// idle --begin--> busy --head--> answering --end--> idle | closing
/// any  --closed-> closed
/// ```
/// A connection carries one request at a time, and is used again only after an answer that ended by its own framing.
struct UpstreamStateMachine {
    enum State: Equatable {
        case idle
        /// The request is written (or being written); nothing has come back.
        case busy
        /// The head has come back. `reusable`: neither side has said `Connection: close`.
        case answering(reusable: Bool)
        /// We close it, and whatever comes is not ours.
        case closing
        case closed
    }

    private(set) var state: State = .idle
    /// Requests that were answered whole on it. Above zero, the endpoint may have closed it since.
    private(set) var answered = 0
    /// A large request may still be on its way out when its answer ends.
    private var unwritten = false

    enum Arrival: Equatable {
        case deliver
        /// Bytes that nobody asked for, or that come after we gave up.
        case ignore
    }

    enum AfterEnd: Equatable {
        case reuse
        case close
        case ignore
    }

    enum AfterClose: Equatable {
        /// It was idle or already given up: nobody has to know.
        case nothing
        /// The request has to be told. `nothingCameBack`: no byte of an answer; `wasReused`: it was not the connection's first request.
        case failRequest(nothingCameBack: Bool, wasReused: Bool)
    }

    mutating func begin() {
        assert(state == .idle)
        state = .busy
    }

    mutating func requestIsBeingWritten() { unwritten = true }

    mutating func requestIsWritten() { unwritten = false }

    mutating func receivedHead(keepAlive: Bool) -> Arrival {
        guard state == .busy else { return .ignore }
        state = .answering(reusable: keepAlive)
        return .deliver
    }

    var receivesBody: Bool {
        if case .answering = state { return true }
        return false
    }

    /// - Parameter isClean: nothing came behind the answer.
    mutating func receivedEnd(isClean: Bool = true) -> AfterEnd {
        guard case .answering(let reusable) = state else { return .ignore }
        answered += 1
        if reusable, isClean, !unwritten {
            state = .idle
            return .reuse
        }
        state = .closing
        return .close
    }

    /// We give up on the request: its connection cannot be used for another.
    mutating func abandon() {
        if state != .closed { state = .closing }
    }

    mutating func closed() -> AfterClose {
        defer { state = .closed }
        switch state {
        case .idle, .closing, .closed: return .nothing
        case .busy: return .failRequest(nothingCameBack: true, wasReused: answered > 0)
        case .answering: return .failRequest(nothingCameBack: false, wasReused: answered > 0)
        }
    }
}
