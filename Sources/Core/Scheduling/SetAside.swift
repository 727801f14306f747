// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// An endpoint, or a model on it, whose breaker is not closed: for operators.
public struct SetAside: Sendable, Equatable {
    public enum Cause: String, Sendable, CaseIterable {
        case broken
        case busy
    }

    public enum Probe: Sendable, Equatable {
        /// The next request from then on.
        case due(NIODeadline)
        /// A request is there to see how it is.
        case out
    }

    /// As the endpoint spells it; nil for the endpoint as a whole.
    public var model: String?
    public var cause: Cause
    /// For people, with the figures: "3 of the last 8 answers failed: 503".
    public var reason: String
    public var since: NIODeadline
    public var probe: Probe

    /// Whether the next request goes elsewhere.
    func isLeftAlone(now: NIODeadline) -> Bool {
        switch probe {
        case .due(let due): due > now
        case .out: true
        }
    }

    /// Whether it is as likely as not that the next request fails. When nobody has asked for long, what failed then says little.
    func isDoubtful(now: NIODeadline) -> Bool {
        switch probe {
        case .due(let due): due + Breaker.longestBackOff > now
        case .out: true
        }
    }

    /// Nil while the breaker is closed, and for a model that is not there at all: that is no illness of the endpoint's.
    init?(_ breaker: Breaker, model: String? = nil) {
        switch breaker.cause {
        case .broken, .unreachable: cause = .broken
        case .busy: cause = .busy
        case .absent, nil: return nil
        }
        self.model = model
        reason = breaker.reason
        since = breaker.since
        if case .probing = breaker.state { probe = .out } else { probe = .due(breaker.due) }
    }
}

extension Scheduler {
    /// The endpoint itself first, then the models that have been set aside for longest.
    func setAside(on place: PlaceIndex) -> [SetAside] {
        guard setAsideCount > 0 || !placeBreakers[place].isClosed else { return [] }
        let models = places[place].pairs.compactMap { SetAside(pairBreakers[$0], model: pairs[$0].name) }
        return (SetAside(placeBreakers[place]).map { [$0] } ?? []) + models.sorted { ($0.since, $0.model ?? "") < ($1.since, $1.model ?? "") }
    }
}
