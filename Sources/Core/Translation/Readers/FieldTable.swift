// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What becomes of each field of a request that is translated, dialect by dialect. routerd-translation(7) prints these tables.
///
/// A field that the answer depends on is mapped or refused. One that only the cost or the speed of the answer depends on is dropped, and
/// the client is told. A field that no table knows is dropped as well: servers that speak these dialects ignore what they do not know, and
/// every new version of an agent brings some.
struct FieldTable: Sendable {
    enum Rule: Sendable, Equatable {
        /// The reader says it in the conversation.
        case mapped
        /// It means nothing at an endpoint, or means the same whether it is said or not.
        case silent
        case dropped(why: String)
        /// It cannot be said, unless it has one of these values, which ask for nothing.
        case refused(why: String, unless: [JSONValue] = [])
    }

    let rows: [(name: String, rule: Rule)]
    private let rules: [String: Rule]

    init(_ rows: [(String, Rule)]) {
        self.rows = rows.map { (name: $0.0, rule: $0.1) }
        rules = Dictionary(rows, uniquingKeysWith: { first, _ in first })
    }

    /// - Returns: the fields that are left out, for the note to the client.
    func check(_ body: JSONValue, prefix: String = "") throws(TranslationError) -> [String] {
        var dropped: [String] = []
        for member in body.object?.members ?? [] where member.value != .null {
            switch rules[member.key] {
            case .mapped?, .silent?: break
            case .dropped?, nil: if !Self.asksForNothing(member.value) { dropped.append(prefix + member.key) }
            case .refused(let why, let unless)?:
                if unless.contains(member.value) || Self.asksForNothing(member.value) { continue }
                throw .unsupported(prefix + member.key, why, details: Self.details(member.key))
            }
        }
        return dropped
    }

    private static func asksForNothing(_ value: JSONValue) -> Bool {
        switch value {
        case .null, .bool(false), .string(""), .array([]): true
        case .object(let object): object.isEmpty
        default: false
        }
    }

    /// Anthropic's clients go on with the whole conversation themselves if they are told so.
    private static func details(_ key: String) -> JSONValue? {
        key == "thread" ? ["error_code": "thread_unsupported_request", "unsupported": [.string(key)]] : nil
    }
}

extension FieldTable {
    private static let ownSettings = "the endpoint has loaded the model as its operator wished"
    private static let noState = "the router keeps no state between requests"
    private static let costOnly = "it changes what an answer costs, not what it says"
    private static let vendorOnly = "only the dialect's own vendor can do that"

    // MARK: Anthropic

    static let messages = FieldTable([
        ("model", .mapped), ("messages", .mapped), ("system", .mapped), ("max_tokens", .mapped), ("temperature", .mapped), ("top_p", .mapped),
        ("top_k", .mapped), ("stop_sequences", .mapped), ("stream", .mapped), ("tools", .mapped), ("tool_choice", .mapped), ("thinking", .mapped),
        ("metadata", .mapped), ("output_config", .mapped), ("output_format", .mapped),
        ("cache_control", .silent), ("betas", .silent),
        ("service_tier", .dropped(why: costOnly)), ("speed", .dropped(why: costOnly)), ("inference_geo", .dropped(why: costOnly)),
        ("context_management", .dropped(why: "the client sends the whole conversation, and an endpoint reads all of it")),
        ("context_hint", .dropped(why: costOnly)), ("diagnostics", .dropped(why: costOnly)),
        ("mcp_servers", .dropped(why: vendorOnly)), ("fallbacks", .dropped(why: vendorOnly)),
        ("thread", .refused(why: "the router keeps no threads: send the whole conversation")),
        ("container", .refused(why: "the container is the vendor's, and its files are not here")),
    ])

    // MARK: OpenAI

    static let responses = FieldTable([
        ("model", .mapped), ("input", .mapped), ("instructions", .mapped), ("max_output_tokens", .mapped), ("temperature", .mapped),
        ("top_p", .mapped), ("tools", .mapped), ("tool_choice", .mapped), ("parallel_tool_calls", .mapped), ("text", .mapped),
        ("reasoning", .mapped), ("user", .mapped), ("stream", .mapped), ("top_logprobs", .mapped), ("prompt_cache_key", .mapped),
        ("include", .mapped),
        ("metadata", .silent), ("stream_options", .silent),
        ("store", .dropped(why: noState)), ("service_tier", .dropped(why: costOnly)), ("safety_identifier", .dropped(why: costOnly)),
        ("prompt_cache_retention", .dropped(why: costOnly)), ("client_metadata", .dropped(why: costOnly)),
        ("max_tool_calls", .dropped(why: "it bounds the vendor's own tools")), ("moderation", .dropped(why: vendorOnly)),
        ("context_management", .dropped(why: "the client sends the whole conversation, and an endpoint reads all of it")),
        ("previous_response_id", .refused(why: noState)), ("conversation", .refused(why: noState)),
        ("prompt", .refused(why: "the prompt is kept by the vendor: send its text")),
        ("background", .refused(why: "the router runs nothing in the background")),
        ("truncation", .refused(why: "truncation has no counterpart at an endpoint", unless: ["disabled", "auto"])),
    ])

    static let chat = FieldTable(
        [
            ("model", .mapped), ("messages", .mapped), ("stream", .mapped), ("stream_options", .mapped), ("tools", .mapped), ("tool_choice", .mapped),
            ("parallel_tool_calls", .mapped), ("functions", .mapped), ("function_call", .mapped), ("response_format", .mapped),
            ("max_tokens", .mapped), ("max_completion_tokens", .mapped), ("stop", .mapped), ("logprobs", .mapped), ("top_logprobs", .mapped),
            ("reasoning_effort", .mapped), ("chat_template_kwargs", .mapped), ("user", .mapped), ("prompt_cache_key", .mapped),
        ] + Sampling.Parameter.allCases.map { ($0.rawValue, .mapped) } + [
            ("store", .dropped(why: noState)), ("metadata", .dropped(why: costOnly)), ("service_tier", .dropped(why: costOnly)),
            ("prediction", .dropped(why: costOnly)), ("safety_identifier", .dropped(why: costOnly)), ("verbosity", .dropped(why: vendorOnly)),
            ("prompt_cache_retention", .dropped(why: costOnly)), ("web_search_options", .dropped(why: vendorOnly)),
            ("n", .refused(why: "there is one answer to a request", unless: [1])),
            ("modalities", .refused(why: "an answer is text", unless: [["text"]])), ("audio", .refused(why: "an answer is text")),
        ])

    static let completions = FieldTable(
        [
            ("model", .mapped), ("prompt", .mapped), ("suffix", .mapped), ("stream", .mapped), ("stream_options", .mapped), ("max_tokens", .mapped),
            ("stop", .mapped), ("logprobs", .mapped), ("user", .mapped),
        ] + Sampling.Parameter.allCases.map { ($0.rawValue, .mapped) } + [
            ("n", .refused(why: "there is one answer to a request", unless: [1])),
            ("best_of", .refused(why: "there is one answer to a request", unless: [1])),
            ("echo", .refused(why: "an answer does not repeat its prompt")),
        ])

    // MARK: Ollama

    private static let ollama: [(String, Rule)] = [
        ("model", .mapped), ("stream", .mapped), ("options", .mapped), ("format", .mapped), ("think", .mapped), ("logprobs", .mapped),
        ("top_logprobs", .mapped), ("keep_alive", .mapped),
        ("template", .refused(why: "template has no counterpart at an OpenAI-compatible endpoint")),
        ("truncate", .dropped(why: ownSettings)), ("shift", .dropped(why: ownSettings)),
    ]

    static let ollamaChat = FieldTable([("messages", .mapped), ("tools", .mapped)] + ollama)

    static let ollamaGenerate = FieldTable(
        [
            ("prompt", .mapped), ("suffix", .mapped), ("images", .mapped), ("system", .mapped), ("raw", .mapped),
            ("context", .refused(why: "context has no counterpart at an OpenAI-compatible endpoint: send the conversation to /api/chat")),
        ] + ollama)

    /// Ollama itself ignores options that it does not know.
    static let ollamaOptions = FieldTable(
        OllamaOptions.parameters.map { ($0.rawValue, .mapped) } + [("num_predict", .mapped), ("stop", .mapped)]
            + OllamaOptions.loadOptions.map { ($0, .silent) })
}
