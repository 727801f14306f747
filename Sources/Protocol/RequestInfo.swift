// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// One request that is in the router now.
public struct RequestInfo: Codable, Sendable, Equatable {
    /// `receiving` (its body), `waiting` (in line), `connecting`, `loading` (sent, and the endpoint has to load the model first),
    /// `processing` (sent, no byte back yet), `streaming`.
    public enum Phase: String, Codable, Sendable, CaseIterable {
        case receiving, waiting, connecting, loading, processing, streaming

        /// In the words of an operator: after `processing` comes the first token.
        public var words: String { self == .processing ? "first token" : rawValue }
    }

    /// Unique while the daemon runs.
    public var id: String
    /// Address and port of the client.
    public var client: String
    public var method: String
    /// The request's path without its query.
    public var route: String
    /// The model as the client named it; empty while the body is not read.
    public var model: String
    /// Name of the endpoint that works on it; empty while none does.
    public var endpoint: String
    public var phase: Phase
    public var ageMs: Int
    /// How long the phase has lasted.
    public var phaseMs: Int
    /// Tokens (or stream events, where the endpoint has not yet told) sent to the client.
    public var tokens: Int
    /// Bytes of answer sent to the client.
    public var bytesSent: Int
    /// Name of the client's key; empty where keys have no names. Never the key.
    public var key = ""
    /// Why it went to that endpoint, as in the access log; empty before.
    public var why = ""
    /// `why` without what `cache` says already: why it went to an endpoint.
    public var placed: String { why.hasPrefix("cache_") ? "" : why }
    /// Tokens a second since the first; nil before there are two.
    public var tokensPerSecond: Double?
    /// `hit`, `semantic`, `miss`, `bypass`, `shared` (reads another's generation); empty on routes without a cache.
    public var cache = ""

    public init(
        id: String, client: String, method: String, route: String, model: String, endpoint: String, phase: Phase,
        ageMs: Int, phaseMs: Int, tokens: Int, bytesSent: Int
    ) {
        self.id = id
        self.client = client
        self.method = method
        self.route = route
        self.model = model
        self.endpoint = endpoint
        self.phase = phase
        self.ageMs = ageMs
        self.phaseMs = phaseMs
        self.tokens = tokens
        self.bytesSent = bytesSent
    }
}

/// Answer to `requests`: oldest first.
public struct RequestList: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    public var requests: [RequestInfo]

    public init(requests: [RequestInfo]) {
        self.requests = requests
    }
}
