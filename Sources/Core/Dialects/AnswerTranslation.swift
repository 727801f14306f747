// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// The way back of a translated request: what the endpoint answers, in the words that the client understands. Pure values; the
/// text that they return goes to the client as it is.
protocol AnswerTranslation: Sendable {
    /// What the client expects of a stream: `application/x-ndjson` or `text/event-stream`.
    var streamType: String { get }

    /// One item of the endpoint's stream (the object behind `data:`), as what the client gets for it; may be empty.
    mutating func item(_ item: JSONValue, _ time: AnswerTime) -> String

    /// The endpoint's stream is whole.
    mutating func end(_ time: AnswerTime) -> String

    /// The stream cannot go on: its end in the client's dialect.
    mutating func fail(_ message: String, status: Int) -> String

    /// An answer that is no stream.
    mutating func whole(_ answer: JSONValue, _ time: AnswerTime) throws(TranslationError) -> JSONValue
}

/// What was measured of an answer so far. Nanoseconds, as Ollama counts.
struct AnswerTime: Sendable, Equatable {
    /// Since the request was received.
    var total: Int
    /// From the first item of a stream to the one at hand; nil before, and for what is no stream.
    var sinceFirstItem: Int?
    /// Wall clock, RFC 3339 in UTC.
    var now: String
}

/// A request as an endpoint of another dialect gets it.
struct TranslatedRequest: Sendable {
    /// With the usual `/v1`; the endpoint's address puts its own in its place.
    var path: String
    var body: JSONValue
    var answer: any AnswerTranslation
}

/// What becomes of a request that an endpoint cannot take as it is.
enum TranslatedCall: Sendable {
    case request(TranslatedRequest)
    /// The router knows the answer itself: a load where nothing has to be loaded.
    case immediate(JSONValue)
}

/// Which words an endpoint knows besides the standard's.
struct EndpointWords: Sendable, Equatable {
    /// `chat_template_kwargs`: settings for the model's template, such as `enable_thinking`.
    var templateArguments: Bool
    /// `POST /models/load` and `/models/unload`.
    var loadsByRoute: Bool

    init(_ kind: EndpointKind) {
        templateArguments = kind == .llamaServer
        loadsByRoute = kind == .llamaServer
    }
}
