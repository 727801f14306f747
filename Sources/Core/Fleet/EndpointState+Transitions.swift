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
    /// | event | from up, degraded | from starting, loading | from down |
    /// |---|---|---|---|
    /// | poll succeeded | up | up | up, from the `rise`th in a row on |
    /// | part of the polls failed, or all with 429 | degraded | degraded | degraded, from the `rise`th in a row on |
    /// | server says that it is loading | loading | loading | loading |
    /// | connection refused, host unreachable, wrong key | down | down | down |
    /// | poll failed otherwise: timed out, 5xx, unusable answers | degraded; down from the `fall`th in a row on, unless requests were answered meanwhile | as it was; down from the `fall`th in a row on | down |
    /// | the router itself could not ask | as it was | loading as it was; starting as for a poll that failed otherwise | down |
    /// | traffic could not connect | down | down | down |
    ///
    /// The phase shown is the operator's wish, if there is one, else the observed one.
    public struct Machine: Sendable, Equatable {
        /// Failed rounds in a row that make an endpoint down: one alone may be a moment's load.
        public var fall = Config.Polling().fall
        /// Good rounds in a row that bring an endpoint back which was down.
        public var rise = Config.Polling().rise

        /// What everybody else sees.
        public private(set) var state: EndpointState
        public private(set) var wish: Wish?
        /// What polls and traffic say, whatever the operator wishes.
        public private(set) var observed: Phase = .starting
        private var observedReason = ""
        private var failures = 0
        private var successes = 0

        public init(at now: NIODeadline) {
            self.state = EndpointState(phase: .starting, since: now)
        }

        /// Whether polls should go on.
        public var isPolled: Bool { wish != .maintenance }

        /// Why it is known to be down; nil where it is not, and where nobody looks.
        public var downReason: String? { observed == .down && isPolled ? observedReason : nil }

        /// - Parameter requestsWereAnswered: since the round before this one began.
        public mutating func polled(_ outcome: PollOutcome, requestsWereAnswered: Bool = false, at now: NIODeadline) {
            switch outcome {
            case .succeeded: answered(.up, "")
            case .partlyFailed(let reason): answered(.degraded, reason)
            case .loading(let reason):
                failures = 0
                successes = 0
                observe(.loading, reason)
            case .failed(.cancelled): return
            case .failed(let error) where error.isConnectionFailure || error.isKeyRefused:
                failures += 1
                successes = 0
                observe(.down, error.description)
            case .failed(let error) where error.isOurs && observed != .starting: return
            case .failed(let error): failed(error.description, requestsWereAnswered)
            }
            show(at: now)
        }

        private mutating func answered(_ phase: Phase, _ reason: String) {
            failures = 0
            successes += 1
            if observed != .down || successes >= rise { observe(phase, reason) }
        }

        private mutating func failed(_ reason: String, _ requestsWereAnswered: Bool) {
            failures += 1
            successes = 0
            switch observed {
            case .up, .degraded:
                if requestsWereAnswered {
                    observe(.degraded, "\(reason); requests are answered")
                } else {
                    observe(failures < fall ? .degraded : .down, reason)
                }
            case .starting, .loading:
                if failures >= fall { observe(.down, reason) }
            // The other two are never observed.
            case .down, .draining, .maintenance: observe(.down, reason)
            }
        }

        /// A request could not connect: more recent than any poll.
        public mutating func trafficFailed(_ reason: String, at now: NIODeadline) {
            successes = 0
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
