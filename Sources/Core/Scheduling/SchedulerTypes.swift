// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What a request asks of the scheduler.
public struct Ask: Sendable {
    /// The model as the client named it.
    public var model: String
    /// What the endpoint must speak.
    public var needs: RouteNeeds
    /// Whose request it is, for fairness: a key's name, or the client's address where there are no keys.
    public var tenant: Tenant
    /// Endpoints that have already failed this request.
    public var excluding: [EndpointID]
    /// What to do if no list has the model's name.
    public var unlisted = UnlistedName.refused
    /// What the conversation begins with, so that it can go where that is known already.
    public var prefix: PrefixChain
    /// A hash of what the client calls the conversation (`X-Session-Id`, `prompt_cache_key`).
    public var session: UInt64?
    /// About how many tokens the whole prompt has; 0 where nobody has counted.
    public var promptTokens: Int
    /// With what the model must be loaded, as far as the request says; nil where it sets none of these options.
    public var options: RunnerOptions?
    /// Its context may be another one than it asks for, if that is more and the configuration allows it: it can be said on its route.
    public var takesContext = false
    /// It asks for no answer but that its model leave memory: it belongs where that is, with whatever options.
    public var isUnload = false
    /// Its options ask for more context than the client did, as the configuration says.
    var isRaised = false
    /// When it began to wait, if that was not just now: a request that comes back to the line after an endpoint has failed it gets no new
    /// deadline.
    public var since: NIODeadline?
    /// When it is too late, whatever the line allows; nil if the line's own limit is all.
    public var deadline: NIODeadline?

    public init(
        model: String, needs: RouteNeeds, tenant: Tenant, excluding: [EndpointID] = [], prefix: PrefixChain = PrefixChain(), session: UInt64? = nil,
        promptTokens: Int? = nil, options: RunnerOptions? = nil, since: NIODeadline? = nil, deadline: NIODeadline? = nil
    ) {
        self.model = model
        self.needs = needs
        self.tenant = tenant
        self.excluding = excluding
        self.prefix = prefix
        self.session = session
        self.promptTokens = promptTokens ?? prefix.tokens
        self.options = options
        self.since = since
        self.deadline = deadline
    }
}

extension Ask {
    /// When its wait is over.
    func end(timeout: TimeAmount, now: NIODeadline) -> NIODeadline { min((since ?? now) + timeout, deadline ?? .distantFuture) }
}

/// Between whom the line is fair.
public struct Tenant: Hashable, Sendable {
    public let name: String

    public init(_ name: String) {
        self.name = name
    }
}

/// Names a slot that is taken; good for one `release`.
public struct LeaseID: Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// Names a request in line.
public struct TicketID: Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// Where a request goes, and how it must be said there.
public struct Placement: Sendable, Equatable {
    public var endpoint: EndpointID
    /// The model as the endpoint spells it; empty where the request names none.
    public var model: String
    /// Whether the endpoint understands the asked name as it stands, so that the body need not be touched.
    public var understandsAskedName: Bool
    /// Whether the endpoint speaks the route, or the request has to be translated.
    public var fit: RouteFit
    /// What the endpoint is.
    public var kind: EndpointKind
    /// The scheduler's own number for the model on the endpoint; -1 where the request names no model.
    public var pair: Int = -1
    /// The model as the endpoint's list has it, which may differ from the name that it is asked by: so it is counted, shown and looked up. One
    /// name stands for all that are not listed.
    public var listedModel: String

    public init(
        endpoint: EndpointID, model: String, understandsAskedName: Bool, fit: RouteFit, kind: EndpointKind, pair: Int = -1, listedModel: String? = nil
    ) {
        self.endpoint = endpoint
        self.model = model
        self.understandsAskedName = understandsAskedName
        self.fit = fit
        self.kind = kind
        self.pair = pair
        self.listedModel = listedModel ?? model
    }
}

/// Why a model is loaded.
public enum LoadCause: String, Sendable, CaseIterable {
    /// It was not in memory there.
    case first
    /// It was, with other options than a request asks for.
    case configuration
}

/// A slot on an endpoint, given to one request.
public struct Grant: Sendable, Equatable {
    public var lease: LeaseID
    public var endpoint: EndpointID
    /// The model as the endpoint spells it.
    public var model: String
    /// As in `Placement`.
    public var listedModel: String
    /// Whether the endpoint understands the asked name as it stands, so that the body need not be touched.
    public var understandsAskedName: Bool
    /// Whether the model was in memory there, with the options that the request asks for, as far as was known.
    public var wasLoaded: Bool
    /// Why the request makes the endpoint load its model; nil where it does not.
    public var loadCause: LoadCause?
    /// The context that the request has to ask for instead of its own; nil where it goes on as it came.
    public var context: ContextChange?
    /// Why this endpoint.
    public var why: Reason
    /// Whether the endpoint speaks the route, or the request has to be translated.
    public var fit: RouteFit
    /// What the endpoint is.
    public var kind: EndpointKind
    /// The scheduler's own number for the model on the endpoint.
    public var pair: Int
    /// The expected time from now to the first token, seconds; nil where nothing was weighed.
    public var expected: Double?
    /// Tokens of the prompt that are likely to be known there already.
    public var warmTokens: Int
    /// How many other endpoints could serve the request, now or later: they are in service, have the model, speak the route and have not
    /// failed it. Zero means that whatever this one answers is the answer; four stands for more, too.
    public var alternatives: Int
    /// It goes where the last answers failed: how it ends decides whether others follow.
    public var isProbe: Bool

    /// Their raw values stand in access logs and in the operator's tables: they do not change.
    public enum Reason: String, Sendable, CaseIterable {
        /// The model is in memory there and a slot was free.
        case loaded
        /// As `loaded`, and the conversation's beginning is warm there, which decided.
        case affinity
        /// The model was being loaded there for another request of ours, or ahead of need.
        case loading
        /// It has to be loaded, and fits beside what is in memory there.
        case fits
        /// It has to be loaded, and may push out something.
        case load
        /// Every slot was taken, and the configuration says not to wait.
        case overcommit

        /// The model is in memory there, or on the way there.
        var isUse: Bool {
            switch self {
            case .loaded, .affinity, .loading: true
            case .fits, .load, .overcommit: false
            }
        }
    }

    public init(
        lease: LeaseID, endpoint: EndpointID, model: String, listedModel: String? = nil, understandsAskedName: Bool, wasLoaded: Bool,
        loadCause: LoadCause? = nil, why: Reason, fit: RouteFit = .native, kind: EndpointKind = .ollama, pair: Int = 0, expected: Double? = nil,
        warmTokens: Int = 0,
        alternatives: Int = 0, isProbe: Bool = false
    ) {
        self.lease = lease
        self.endpoint = endpoint
        self.model = model
        self.listedModel = listedModel ?? model
        self.understandsAskedName = understandsAskedName
        self.wasLoaded = wasLoaded
        self.loadCause = loadCause
        self.why = why
        self.fit = fit
        self.kind = kind
        self.pair = pair
        self.expected = expected
        self.warmTokens = warmTokens
        self.alternatives = alternatives
        self.isProbe = isProbe
    }

    public var placement: Placement {
        Placement(
            endpoint: endpoint, model: model, understandsAskedName: understandsAskedName, fit: fit, kind: kind, pair: pair, listedModel: listedModel)
    }
}

/// Why a request gets no slot.
public enum Refusal: Sendable, Equatable {
    /// No endpoint has such a model. `known` is what there is, sorted, without doubles; `unreachable` the endpoints that could not be asked.
    case unknownModel(known: [String], unreachable: [String])
    /// Endpoints have the model, none speaks the route's family.
    case unsupportedRoute(endpoints: [String])
    /// Endpoints have the model, or nothing is known at all, but none takes work: each with its name and why.
    case noEndpointUp([Candidate])
    /// The line is full.
    case lineFull(limit: Int)
    /// It waited for as long as `queue_timeout` allows.
    case waitedTooLong(seconds: Double)
    /// Every endpoint that has the model has failed this request.
    case allFailed
    /// Every endpoint that has the model has asked to be left alone, the first of them for so long that the request's wait would be over.
    case allBusy(seconds: Double)

    public struct Candidate: Sendable, Equatable {
        public var endpoint: String
        public var why: String

        public init(endpoint: String, why: String) {
            self.endpoint = endpoint
            self.why = why
        }
    }
}

/// The scheduler's answer to an `Ask`.
public enum Admission: Sendable, Equatable {
    case granted(Grant)
    /// In line; `position` counts those before it that want the same model.
    case queued(TicketID, position: Int)
    case refused(Refusal)
}

/// What has to be done after an event that changed something.
public enum SchedulerAction: Sendable, Equatable {
    case grant(TicketID, Grant)
    case refuse(TicketID, Refusal)
    /// Load the model (as the endpoint spells it) ahead of need, with these options, and tell by `loadEnded` how it went. Until then, or until the load is
    /// overdue by far, the scheduler counts on it and asks for no other load there.
    case load(EndpointID, model: String, options: RunnerOptions? = nil)
}

/// How a load ended that the scheduler had asked for.
public enum LoadEnd: Sendable, Equatable {
    /// The model is in memory; the time it took, as the endpoint told or as it was waited for.
    case loaded(TimeAmount)
    /// It did not come: the scheduler lets some time pass before it asks for it again.
    case failed
}

/// A refusal as an error, for `Result`.
public struct RefusalError: Error, Equatable {
    public var refusal: Refusal
}
