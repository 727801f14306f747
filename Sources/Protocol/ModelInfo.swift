// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// One model and where in the fleet it is.
public struct ModelInfo: Codable, Sendable, Equatable {
    /// One endpoint that has the model.
    public struct Place: Codable, Sendable, Equatable {
        public var endpoint: String
        /// The model's name as that endpoint spells it.
        public var name: String
        /// `available`, `loading` or `loaded`.
        public var state: String
        public var inFlight: Int
        public var limit: Int
        /// Memory that the loaded model takes, bytes; nil while unknown or not loaded.
        public var sizeVramBytes: Int?
        /// When the endpoint will unload it, RFC 3339; nil while unknown or not loaded.
        public var expiresAt: String?
        /// The options that it was loaded with (`num_ctx 8192`); nil where they are not known, or are the server's own affair.
        public var configuration: String?
        /// Nil where the router has had it loaded there never.
        public var loads: LoadsInfo?
        /// What the router counts with; nil where it knows nothing of the model there.
        public var estimates: EstimatesInfo?

        public init(
            endpoint: String, name: String, state: String, inFlight: Int, limit: Int, sizeVramBytes: Int? = nil, expiresAt: String? = nil
        ) {
            self.endpoint = endpoint
            self.name = name
            self.state = state
            self.inFlight = inFlight
            self.limit = limit
            self.sizeVramBytes = sizeVramBytes
            self.expiresAt = expiresAt
        }
    }

    public var name: String
    /// Size on disk, bytes; nil where the endpoint does not tell.
    public var sizeBytes: Int?
    /// For example `3.2B`; nil where the endpoint does not tell.
    public var parameterSize: String?
    /// For example `Q4_K_M`; nil where the endpoint does not tell.
    public var quantization: String?
    /// Requests in the router's line for it.
    public var waiting: Int
    public var places: [Place]
    /// Names that stand for it (`model_aliases`), sorted.
    public var aliases: [String] = []
    /// Most tokens of context that it was loaded with; nil where no endpoint tells.
    public var contextLength: Int?
    /// Requests for it since the daemon started, and tokens of their answers.
    public var requestsTotal = 0
    public var tokensTotal = 0

    public init(name: String, sizeBytes: Int?, parameterSize: String?, quantization: String?, waiting: Int, places: [Place]) {
        self.name = name
        self.sizeBytes = sizeBytes
        self.parameterSize = parameterSize
        self.quantization = quantization
        self.waiting = waiting
        self.places = places
    }
}

/// Answer to `models`.
public struct ModelList: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    public var models: [ModelInfo]

    public init(models: [ModelInfo]) {
        self.models = models
    }
}

/// Parameters of `models`: a name or part of one; nil means all.
public struct ModelFilterParams: Codable, Sendable {
    public var model: String?

    public init(model: String? = nil) {
        self.model = model
    }
}
