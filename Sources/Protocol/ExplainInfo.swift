// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Answer to `explain`: where a request for a model would go now, and what each alternative would cost. Nothing is sent anywhere.
public struct ExplainInfo: Codable, Sendable, Equatable {
    /// A part of an alternative's cost.
    public struct Part: Codable, Sendable, Equatable {
        /// `prefill`, `warm`, `load`, `loads_before`, `busy_models`, `harm` or `line`.
        public var name: String
        /// Negative where it saves time.
        public var seconds: Double
        /// Answers by which it was measured, loads for a load; 0 for a guess, nil for what follows from other figures.
        public var answers: Int?

        public init(name: String, seconds: Double, answers: Int? = nil) {
            self.name = name
            self.seconds = seconds
            self.answers = answers
        }
    }

    /// One thing that could be done.
    public struct Option: Codable, Sendable, Equatable {
        /// Empty for waiting in line.
        public var endpoint: String
        public var isChosen: Bool
        /// What the access log would say; empty for the line and for what cannot be done.
        public var why: String
        /// Why it cannot be done now; empty if it can.
        public var obstacle: String
        /// What the rule compares, seconds: the wait and the harm to others; nil where it cannot be done.
        public var costS: Double?
        /// Of that the expected time to the first token, seconds.
        public var expectedS: Double?
        public var parts: [Part]
        /// The same in words.
        public var words: String
        /// The options that the model is loaded with there (`num_ctx 8192`); nil where it is not, or they are not known.
        public var configuration: String?
        /// What is counted with there; nil for waiting in line.
        public var estimates: EstimatesInfo?

        public init(
            endpoint: String, isChosen: Bool = false, why: String = "", obstacle: String = "", costS: Double? = nil, expectedS: Double? = nil,
            parts: [Part] = [], words: String = ""
        ) {
            self.endpoint = endpoint
            self.isChosen = isChosen
            self.why = why
            self.obstacle = obstacle
            self.costS = costS
            self.expectedS = expectedS
            self.parts = parts
            self.words = words
        }
    }

    public var schema = ProductVersion.schema
    /// As it was asked for.
    public var model: String
    /// The best first; what cannot be done comes last.
    public var options: [Option]
    /// Why a request would be refused; empty if it would not.
    public var refusal: String
    /// Requests in line for the model.
    public var waiting: Int
    /// Requests a second for it, over the last minutes.
    public var demandPerSecond: Double

    public init(model: String, options: [Option], refusal: String = "", waiting: Int = 0, demandPerSecond: Double = 0) {
        self.model = model
        self.options = options
        self.refusal = refusal
        self.waiting = waiting
        self.demandPerSecond = demandPerSecond
    }
}

/// Parameters of `explain`.
public struct ExplainParams: Codable, Sendable {
    public var model: String
    /// A route such as `/api/chat`, as not every endpoint speaks each; nil for `/v1/chat/completions`, or for `/api/chat` where a context is
    /// asked for.
    public var route: String?
    /// Tokens of context that it asks for, on a route that can say so; nil for none.
    public var numCtx: Int?

    public init(model: String, route: String? = nil, numCtx: Int? = nil) {
        self.model = model
        self.route = route
        self.numCtx = numCtx
    }
}
