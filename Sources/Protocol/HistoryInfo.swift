// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// How it went lately: answer to `history`. Every list has the same length, the oldest first.
public struct HistoryInfo: Codable, Sendable, Equatable {
    public struct Series: Codable, Sendable, Equatable {
        /// Requests a second.
        public var requests: [Double] = []
        /// Tokens a second.
        public var tokens: [Double] = []
        /// Failed requests a second.
        public var failures: [Double] = []
        public var inFlight: [Int] = []
        public var waiting: [Int] = []
        /// Median time from sending a request to the first token of a streamed answer, milliseconds; nil in steps without one.
        public var ttftMs: [Double?] = []
        /// The same to the end of an answer that is not streamed, embeddings aside.
        public var answerMs: [Double?] = []

        public init() {}
    }

    public var schema = ProductVersion.schema
    /// Seconds between two values.
    public var stepS: Double
    public var fleet = Series()
    /// Share of the cached routes' requests that the cache answered in each step, 0 to 1; nil in steps without any.
    public var hitRate: [Double?] = []
    /// By the endpoint's name.
    public var endpoints: [String: Series] = [:]

    public init(stepS: Double) {
        self.stepS = stepS
    }
}

/// Parameters of `history`.
public struct HistoryParams: Codable, Sendable {
    /// Names of the endpoints that are told of one by one; nil means all.
    public var endpoints: [String]?

    public init(endpoints: [String]? = nil) {
        self.endpoints = endpoints
    }
}
