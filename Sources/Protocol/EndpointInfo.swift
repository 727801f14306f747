// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// One endpoint as an operator sees it.
public struct EndpointInfo: Codable, Sendable, Equatable {
    /// A model in an endpoint's memory.
    public struct Loaded: Codable, Sendable, Equatable {
        public var name: String
        /// Memory that it takes, bytes; nil where the endpoint does not tell.
        public var sizeVramBytes: Int?
        /// When the endpoint will unload it, RFC 3339; nil where it does not tell.
        public var expiresAt: String?
        /// Tokens of context that it was loaded with; nil where the endpoint does not tell.
        public var contextLength: Int?
        public var inFlight: Int
        /// How many may be in flight for it there; 0 from a daemon that does not tell.
        public var slots: Int
        /// The options that it was loaded with (`num_ctx 8192`); nil where they are not known, or are the server's own affair.
        public var configuration: String?
        /// Nil where the router has had it loaded there never.
        public var loads: LoadsInfo?
        /// What the router counts with; nil where it knows nothing of the model there.
        public var estimates: EstimatesInfo?

        public init(
            name: String, sizeVramBytes: Int? = nil, expiresAt: String? = nil, contextLength: Int? = nil, inFlight: Int = 0, slots: Int = 0
        ) {
            self.name = name
            self.sizeVramBytes = sizeVramBytes
            self.expiresAt = expiresAt
            self.contextLength = contextLength
            self.inFlight = inFlight
            self.slots = slots
        }
    }

    /// What gets no requests for now, as its answers fail or it takes nothing.
    public struct SetAside: Codable, Sendable, Equatable {
        /// Empty for the endpoint as a whole.
        public var model: String
        /// For people, with the figures.
        public var reason: String
        /// RFC 3339 in UTC.
        public var since: String
        /// When the next request may go there to see how it is, RFC 3339 in UTC; nil while one is there.
        public var retryAt: String?

        public init(model: String, reason: String, since: String, retryAt: String? = nil) {
            self.model = model
            self.reason = reason
            self.since = since
            self.retryAt = retryAt
        }
    }

    public var name: String
    public var url: String
    /// `ollama`, `llama-server` or `openai`.
    public var kind: String
    /// `starting`, `up`, `loading`, `degraded`, `down`, `draining` or `maintenance`.
    public var state: String
    /// Why it is in that state, for people; empty when there is nothing to say.
    public var reason: String
    /// When it entered the state, RFC 3339 in UTC.
    public var since: String
    /// The server's own version; empty while unknown.
    public var version: String
    /// Leases held: requests that the endpoint is working on, or that are being connected to it.
    public var inFlight: Int
    /// Slots for each endpoint-model pair (`max_concurrent_connections`).
    public var limit: Int
    /// Slots of all models that are in memory or in use there: what `inFlight` is out of. Where there are none, those that the first one
    /// will have; 0 from a daemon that does not tell.
    public var slots = 0
    /// Requests in the router's line that this endpoint could serve.
    public var waiting: Int
    public var weight: Double
    /// What the configuration says, where an operator has set another weight; nil where none has.
    public var configuredWeight: Double?
    /// Names of the models in memory there, sorted.
    public var loaded: [String]
    /// Names of all models there, sorted.
    public var available: [String]
    /// In flight for each model that has any.
    public var inFlightByModel: [String: Int]
    /// Counters since the daemon started; rates are differences between two snapshots.
    public var requestsTotal: Int
    /// Tokens that the endpoint has sent, streamed ones counted as they pass.
    public var tokensTotal: Int
    /// Requests that failed by the endpoint's doing: connection lost, timeout, a cut stream, 5xx.
    public var failuresTotal: Int
    /// Requests whose client went away first.
    public var abortsTotal: Int
    /// Requests that were lost here and tried again elsewhere.
    public var retriesTotal = 0
    /// Answers with a status of 400 to 499, which are the client's doing.
    public var clientErrorsTotal = 0
    /// The models in memory there, by name.
    public var loadedModels: [Loaded] = []
    /// The endpoint itself, if it is, then models.
    public var setAside: [SetAside] = []
    /// Memory for models, bytes, where the configuration says; nil if not.
    public var vramBytes: Int?
    /// Whether the endpoint gets a key of its own. The key itself is never told.
    public var hasKey = false
    /// What it wants to hear beyond what its kind does, for people: configured, or learned from its answers; nil where nothing is known.
    public var words: String?
    /// Over the last ten seconds.
    public var requestsPerSecond = 0.0
    /// Over the last ten seconds, streamed tokens counted as they pass.
    public var tokensPerSecond = 0.0
    // From sending a request, over the last five minutes, milliseconds; nil without any. Half of the answers took no longer, and 95 of 100.

    /// To the head of an answer, embeddings aside.
    public var headP50Ms: Double?
    public var headP95Ms: Double?
    /// To the first token of a streamed answer.
    public var ttftP50Ms: Double?
    public var ttftP95Ms: Double?
    /// To the end of an answer that is not streamed, embeddings aside.
    public var answerP50Ms: Double?
    public var answerP95Ms: Double?
    /// To the end of an answer that has vectors or scores.
    public var embeddingsP50Ms: Double?
    public var embeddingsP95Ms: Double?
    /// Since the last poll that was answered; nil if none was.
    public var polledAgoMs: Int?

    public init(
        name: String, url: String, kind: String, state: String, reason: String, since: String, version: String,
        inFlight: Int, limit: Int, waiting: Int, weight: Double, loaded: [String], available: [String],
        inFlightByModel: [String: Int] = [:],
        requestsTotal: Int = 0, tokensTotal: Int = 0, failuresTotal: Int = 0, abortsTotal: Int = 0
    ) {
        self.name = name
        self.url = url
        self.kind = kind
        self.state = state
        self.reason = reason
        self.since = since
        self.version = version
        self.inFlight = inFlight
        self.limit = limit
        self.waiting = waiting
        self.weight = weight
        self.loaded = loaded
        self.available = available
        self.inFlightByModel = inFlightByModel
        self.requestsTotal = requestsTotal
        self.tokensTotal = tokensTotal
        self.failuresTotal = failuresTotal
        self.abortsTotal = abortsTotal
    }
}

extension EndpointInfo {
    /// What `inFlight` is out of, whatever daemon tells.
    public var capacity: Int { slots > 0 ? slots : limit }

    /// In flight for each model that has any or is in memory, of how many; by name.
    public var use: [(model: String, inFlight: Int, slots: Int)] {
        let told = Dictionary(loadedModels.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        return Set(loaded).union(inFlightByModel.keys).sorted().map { name in
            let slots = told[name]?.slots ?? 0
            return (name, inFlightByModel[name] ?? 0, slots > 0 ? slots : limit)
        }
    }
}

/// Answer to `endpoints`, and to the methods that change one (`drain`, `maintenance`, `resume`).
public struct EndpointList: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    public var endpoints: [EndpointInfo]
    /// What the change harms, for people: `gpu1 is the last endpoint that serves llama3.2:3b`. Empty where it harms nothing.
    public var warnings: [String] = []

    public init(endpoints: [EndpointInfo], warnings: [String] = []) {
        self.endpoints = endpoints
        self.warnings = warnings
    }
}

/// Which endpoint a call is about: its `name`, its URL, or an unambiguous part of either.
public struct EndpointParams: Codable, Sendable {
    public var endpoint: String
    /// Of `drain` and `maintenance`: only tell what it would harm. Nil means false.
    public var dryRun: Bool?

    public init(endpoint: String, dryRun: Bool? = nil) {
        self.endpoint = endpoint
        self.dryRun = dryRun
    }
}

/// As `EndpointParams`, for calls where nil means all.
public struct EndpointFilterParams: Codable, Sendable {
    public var endpoint: String?

    public init(endpoint: String? = nil) {
        self.endpoint = endpoint
    }
}
