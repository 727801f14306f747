// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

extension EndpointState {
    /// What an operator asked for. It is kept apart from what polls see, so that after `resume` the truth is there at once.
    public enum Wish: String, Sendable {
        /// Nothing new; still polled.
        case drain
        /// Nothing new, not polled.
        case maintenance
    }

    /// What one round of polls came to.
    public enum PollOutcome: Sendable, Equatable {
        case succeeded
        /// The server answers, but not to everything: why not.
        case partlyFailed(String)
        /// The server says that it loads a model before it can serve.
        case loading(String)
        case failed(ProbeError)
    }

    /// Decides an endpoint's state from events. Pure: the time is handed in.
    ///
    /// | event | observed phase afterwards |
    /// |---|---|
    /// | poll succeeded | up |
    /// | part of the polls failed | degraded |
    /// | server says that it is loading | loading |
    /// | connection refused, host unreachable, wrong key, unusable answers only | down |
    /// | timed out once | as it was; degraded if it was up |
    /// | timed out again | down |
    /// | traffic could not connect | down |
    ///
    /// The phase shown is the operator's wish, if there is one, else the observed one.
    public struct Machine: Sendable, Equatable {
        /// Timeouts in a row that make an endpoint down: one alone may be a moment's load.
        public static let timeoutsUntilDown = 2

        /// What everybody else sees.
        public private(set) var state: EndpointState
        public private(set) var wish: Wish?
        /// What polls and traffic say, whatever the operator wishes.
        public private(set) var observed: Phase = .starting
        private var observedReason = ""
        private var timeouts = 0

        public init(at now: NIODeadline) {
            self.state = EndpointState(phase: .starting, since: now)
        }

        /// Whether polls should go on.
        public var isPolled: Bool { wish != .maintenance }

        public mutating func polled(_ outcome: PollOutcome, at now: NIODeadline) {
            var isTimeout = false
            switch outcome {
            case .succeeded: observe(.up, "")
            case .partlyFailed(let reason): observe(.degraded, reason)
            case .loading(let reason): observe(.loading, reason)
            case .failed(.cancelled): return
            case .failed(let error) where error.isTimeout:
                isTimeout = true
                timeouts += 1
                if timeouts >= Self.timeoutsUntilDown {
                    observe(.down, error.description)
                } else if observed == .up || observed == .degraded {
                    observe(.degraded, error.description)
                }
            case .failed(let error): observe(.down, error.description)
            }
            if !isTimeout { timeouts = 0 }
            show(at: now)
        }

        /// A request could not connect: more recent than any poll.
        public mutating func trafficFailed(_ reason: String, at now: NIODeadline) {
            observe(.down, reason)
            show(at: now)
        }

        /// Sets or, with nil, takes back the operator's wish.
        public mutating func wished(_ wish: Wish?, at now: NIODeadline) {
            self.wish = wish
            show(at: now)
        }

        private mutating func observe(_ phase: Phase, _ reason: String) {
            observed = phase
            observedReason = reason
        }

        private mutating func show(at now: NIODeadline) {
            let phase: Phase
            let reason: String
            switch wish {
            case nil: (phase, reason) = (observed, observedReason)
            // What is wrong with it stays worth knowing: a drain may wait for streams that never end.
            case .drain: (phase, reason) = (.draining, observedReason)
            // Not polled, so what was observed grows old.
            case .maintenance: (phase, reason) = (.maintenance, "")
            }
            if phase != state.phase { state.since = now }
            state.phase = phase
            state.reason = reason
        }
    }
}
