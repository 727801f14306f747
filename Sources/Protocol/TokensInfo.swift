// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Parameters of `tokens`.
public struct TokensParams: Codable, Sendable {
    /// How far back, seconds; nil means an hour.
    public var sinceS: Double?
    /// Length of one step of the series, seconds, at least 60; nil lets the daemon choose about sixty steps.
    public var stepS: Double?
    /// `endpoint`, `model` or `both`; nil means both.
    public var by: String?

    public init(sinceS: Double? = nil, stepS: Double? = nil, by: String? = nil) {
        self.sinceS = sinceS
        self.stepS = stepS
        self.by = by
    }
}

/// Answer to `tokens`: what was used, in all and over time.
public struct TokensInfo: Codable, Sendable, Equatable {
    public struct Row: Codable, Sendable, Equatable {
        /// Empty where the rows are by model.
        public var endpoint: String
        /// Empty where the rows are by endpoint.
        public var model: String
        public var inputTokens: Int
        public var outputTokens: Int

        public init(endpoint: String, model: String, inputTokens: Int, outputTokens: Int) {
            self.endpoint = endpoint
            self.model = model
            self.inputTokens = inputTokens
            self.outputTokens = outputTokens
        }
    }

    public var schema = ProductVersion.schema
    /// Seconds that the rows and the series look back.
    public var sinceS: Double
    /// Seconds of one step.
    public var stepS: Double
    /// Unix seconds of the first step's beginning.
    public var from: Int
    /// In the time looked at, the largest first.
    public var rows: [Row] = []
    /// Tokens of prompts in each step, oldest first.
    public var input: [Int] = []
    /// Tokens of answers in each step.
    public var output: [Int] = []
    /// Of all time.
    public var totalInput = 0
    public var totalOutput = 0

    public init(sinceS: Double, stepS: Double, from: Int) {
        self.sinceS = sinceS
        self.stepS = stepS
        self.from = from
    }
}
