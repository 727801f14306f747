// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// How a lease ended: for the counters, for what the scheduler learns, and for what it thinks of the endpoint from now on.
public struct LeaseEnd: Sendable, Equatable {
    /// Their raw values are labels in metrics: they do not change.
    public enum Outcome: String, Sendable, CaseIterable {
        /// Answered.
        case completed
        /// The endpoint refused the request by the client's fault: a 4xx of its own.
        case refused
        /// The model is gone there, or the endpoint does not speak the route.
        case notHere = "not_here"
        /// The endpoint takes nothing at the moment: 429, or 503 while it is busy or loading.
        case busy
        /// The endpoint is broken: 5xx, a cut stream, garbage, silence.
        case failed
        /// No connection could be made: nothing was sent.
        case unreachable
        /// The client went away.
        case aborted
        /// Given back by the safety net instead of its owner: a fault of ours, counted so that it is seen.
        case lost
    }

    public var outcome: Outcome
    /// From sending the request to the head of the answer; nil if there was none.
    public var timeToHead: TimeAmount?
    /// From sending the request to the first token of a streamed answer; nil for an answer that comes whole, as nothing tells when it began.
    public var timeToFirstToken: TimeAmount?
    /// From sending the request to its end.
    public var serviceTime: TimeAmount
    /// Tokens in the answer, as far as they are known.
    public var tokens: Int
    /// Time to load the model, where the endpoint told (`load_duration`).
    public var loadTime: TimeAmount?
    /// For how long the endpoint asked to be left alone (`Retry-After`).
    public var retryAfter: TimeAmount?
    /// What went wrong, in a few words for people, without secrets: "503", "no first token in 12 s", "cut". Empty where nothing did.
    public var reason: String
    /// Whether the answer says anything about how long the model takes. A completed one that has neither tokens nor vectors does not, and
    /// no other outcome does.
    public var teaches: Bool

    /// - Parameter teaches: nil for what the outcome says: an answer teaches, anything else does not.
    public init(
        outcome: Outcome, timeToHead: TimeAmount? = nil, timeToFirstToken: TimeAmount? = nil, serviceTime: TimeAmount = .zero, tokens: Int = 0,
        loadTime: TimeAmount? = nil, retryAfter: TimeAmount? = nil, reason: String = "", teaches: Bool? = nil
    ) {
        self.outcome = outcome
        self.timeToHead = timeToHead
        self.timeToFirstToken = timeToFirstToken
        self.serviceTime = serviceTime
        self.tokens = tokens
        self.loadTime = loadTime
        self.retryAfter = retryAfter
        self.reason = reason
        self.teaches = teaches ?? (outcome == .completed)
    }
}
