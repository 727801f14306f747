// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// An endpoint's state, why, and since when.
public struct EndpointState: Sendable, Equatable {
    public enum Phase: String, Sendable, CaseIterable {
        /// Not polled yet.
        case starting
        case up
        /// It answers, and says that it is loading a model before it can serve (llama-server's 503).
        case loading
        /// It serves, but one of its polls fails: what is known of its models may be old.
        case degraded
        case down
        /// An operator's wish: nothing new, what runs ends, still polled.
        case draining
        /// As draining, and not polled.
        case maintenance

        /// Whether new work may go there.
        public var takesWork: Bool { self == .up || self == .degraded }
    }

    public var phase: Phase
    /// For people; empty when there is nothing to say.
    public var reason: String
    public var since: NIODeadline

    public init(phase: Phase, reason: String = "", since: NIODeadline) {
        self.phase = phase
        self.reason = reason
        self.since = since
    }
}
