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
        /// It goes on under its own name.
        case kept
        /// It goes on as something else.
        case mapped(to: String)
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

    /// A row of the manual for each field: its name, what becomes of it, and as what or why.
    var manual: [(name: String, verdict: String, why: String)] {
        rows.map { name, rule in
            switch rule {
            case .kept: (name, "kept", "")
            case .mapped(let to): (name, "mapped", to)
            case .silent: (name, "ignored", "it asks for nothing that an answer depends on")
            case .dropped(let why): (name, "left out", why)
            case .refused(let why, let unless):
                (name, "refused", why + (unless.isEmpty ? "" : ", unless it is \(unless.map(\.text).joined(separator: " or "))"))
            }
        }
    }

    /// - Returns: the fields that are left out, for the note to the client.
    func check(_ body: JSONValue, prefix: String = "") throws(TranslationError) -> [String] {
        var dropped: [String] = []
        for member in body.object?.members ?? [] where member.value != .null {
            switch rules[member.key] {
            case .kept?, .mapped?, .silent?: break
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

    /// By the routes whose requests they are of, in the order of the manual.
    static let all: [(route: String, table: FieldTable)] = [
        ("/v1/messages", messages), ("/v1/responses", responses), ("/api/chat", ollamaChat), ("/api/generate", ollamaGenerate),
        ("options of /api/chat and /api/generate", ollamaOptions), ("/v1/chat/completions", chat), ("/v1/completions", completions),
    ]

    // MARK: Anthropic

    static let messages = FieldTable([
        ("model", .kept), ("messages", .mapped(to: "messages, results of tools as messages of their own")),
        ("system", .mapped(to: "the first message")), ("max_tokens", .kept), ("temperature", .kept), ("top_p", .kept),
        ("top_k", .kept), ("stop_sequences", .mapped(to: "stop")), ("stream", .kept),
        ("tools", .mapped(to: "functions; tools that only the vendor runs are left out")),
        ("tool_choice", .mapped(to: "tool_choice, parallel_tool_calls")),
        ("thinking", .mapped(to: "chat_template_kwargs, where the endpoint has them")),
        ("metadata", .mapped(to: "user, a digest of what is longer than 64 characters")),
        ("output_config", .mapped(to: "response_format, reasoning_effort")), ("output_format", .mapped(to: "response_format")),
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
        ("model", .kept), ("input", .mapped(to: "messages")), ("instructions", .mapped(to: "the first message")),
        ("max_output_tokens", .mapped(to: "max_tokens")), ("temperature", .kept),
        ("top_p", .kept), ("tools", .mapped(to: "functions; tools that only the vendor runs are left out")), ("tool_choice", .kept),
        ("parallel_tool_calls", .kept), ("text", .mapped(to: "response_format")),
        ("reasoning", .mapped(to: "reasoning_effort")), ("user", .kept), ("stream", .kept), ("top_logprobs", .mapped(to: "logprobs, top_logprobs")),
        ("prompt_cache_key", .kept),
        ("include", .mapped(to: "logprobs, where it asks for them")),
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
            ("model", .kept), ("messages", .kept), ("stream", .kept), ("stream_options", .mapped(to: "the client is told the counts, or not")),
            ("tools", .kept), ("tool_choice", .kept),
            ("parallel_tool_calls", .kept), ("functions", .mapped(to: "tools")), ("function_call", .mapped(to: "tool_choice")),
            ("response_format", .kept),
            ("max_tokens", .mapped(to: "the word that the endpoint wants")),
            ("max_completion_tokens", .mapped(to: "the word that the endpoint wants")), ("stop", .kept), ("logprobs", .kept), ("top_logprobs", .kept),
            ("reasoning_effort", .kept), ("chat_template_kwargs", .kept), ("user", .kept), ("prompt_cache_key", .kept),
        ] + Sampling.Parameter.allCases.map { ($0.rawValue, .kept) } + [
            ("store", .dropped(why: noState)), ("metadata", .dropped(why: costOnly)), ("service_tier", .dropped(why: costOnly)),
            ("prediction", .dropped(why: costOnly)), ("safety_identifier", .dropped(why: costOnly)), ("verbosity", .dropped(why: vendorOnly)),
            ("prompt_cache_retention", .dropped(why: costOnly)), ("web_search_options", .dropped(why: vendorOnly)),
            ("n", .refused(why: "there is one answer to a request", unless: [1])),
            ("modalities", .refused(why: "an answer is text", unless: [["text"]])), ("audio", .refused(why: "an answer is text")),
        ])

    static let completions = FieldTable(
        [
            ("model", .kept), ("prompt", .kept), ("suffix", .kept), ("stream", .kept),
            ("stream_options", .mapped(to: "the client is told the counts, or not")), ("max_tokens", .kept),
            ("stop", .kept), ("logprobs", .kept), ("user", .kept),
        ] + Sampling.Parameter.allCases.map { ($0.rawValue, .kept) } + [
            ("n", .refused(why: "there is one answer to a request", unless: [1])),
            ("best_of", .refused(why: "there is one answer to a request", unless: [1])),
            ("echo", .refused(why: "an answer does not repeat its prompt")),
        ])

    // MARK: Ollama

    private static let ollama: [(String, Rule)] = [
        ("model", .kept), ("stream", .kept), ("options", .mapped(to: "fields of the same names, see below")),
        ("format", .mapped(to: "response_format")), ("think", .mapped(to: "chat_template_kwargs or reasoning_effort")), ("logprobs", .kept),
        ("top_logprobs", .kept), ("keep_alive", .mapped(to: "0 with nothing to answer: the model is unloaded")),
        ("template", .refused(why: "template has no counterpart at an OpenAI-compatible endpoint")),
        ("truncate", .dropped(why: ownSettings)), ("shift", .dropped(why: ownSettings)),
    ]

    static let ollamaChat = FieldTable([("messages", .kept), ("tools", .kept)] + ollama)

    static let ollamaGenerate = FieldTable(
        [
            ("prompt", .mapped(to: "the last message, or the prompt of /v1/completions")), ("suffix", .mapped(to: "suffix of /v1/completions")),
            ("images", .mapped(to: "parts of the message")), ("system", .mapped(to: "the first message")), ("raw", .mapped(to: "/v1/completions")),
            ("context", .refused(why: "context has no counterpart at an OpenAI-compatible endpoint: send the conversation to /api/chat")),
        ] + ollama)

    /// Ollama itself ignores options that it does not know.
    static let ollamaOptions = FieldTable(
        OllamaOptions.parameters.map { ($0.rawValue, .kept) } + [("num_predict", .mapped(to: "max_tokens")), ("stop", .kept)]
            + OllamaOptions.loadOptions.map { ($0, .silent) })
}
