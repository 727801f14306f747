// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// A request as an endpoint gets it.
struct WrittenRequest: Sendable, Equatable {
    /// With the usual `/v1`; the endpoint's address puts its own in its place.
    var path: String
    var body: JSONValue
    /// What the endpoint may not want to hear of it.
    var said = SaidFields()
    /// What is left out because the endpoint has no word for it.
    var dropped: [String] = []
    /// What is left unsaid although the answer may be another one without it: the endpoint does not want to hear it.
    var unsaid: Set<OptionalField> = []
}

/// Says a conversation in OpenAI's `/v1/chat/completions`, or a raw prompt in `/v1/completions`. Pure.
struct ChatWriter {
    private let conversation: Conversation
    private let words: EndpointWords
    private var body: JSONValue
    private var said = SaidFields()
    private var unsaid: Set<OptionalField> = []

    /// - Parameter model: as the endpoint spells it.
    static func write(_ conversation: Conversation, model: String, words: EndpointWords) throws(TranslationError) -> WrittenRequest {
        var writer = ChatWriter(conversation: conversation, words: words, body: ["model": .string(model)])
        return try writer.write()
    }

    private mutating func write() throws(TranslationError) -> WrittenRequest {
        if let prompt = conversation.prompt { return try write(prompt) }
        var messages = ChatMessages(words: words)
        body["messages"] = .array(try messages.write(conversation.turns))
        said.thinking = messages.saidThinking
        writeStream()
        writeSampling()
        writeTools()
        writeFormat()
        writeThinking()
        if let top = conversation.wants.logprobs {
            body["logprobs"] = true
            if top > 0 { body["top_logprobs"] = .integer(top) }
        }
        return WrittenRequest(path: "/v1/chat/completions", body: body, said: said, unsaid: unsaid)
    }

    private mutating func write(_ prompt: Conversation.RawPrompt) throws(TranslationError) -> WrittenRequest {
        body["prompt"] = .string(prompt.text)
        if let suffix = prompt.suffix {
            // llama-server would ignore it.
            if words.kind == .llamaServer { throw .unsupported("suffix", "llama-server fills in the middle by /infill only") }
            body["suffix"] = .string(suffix)
        }
        writeStream()
        writeSampling()
        if let top = conversation.wants.logprobs { body["logprobs"] = .integer(max(1, top)) }
        return WrittenRequest(path: "/v1/completions", body: body, said: said)
    }

    /// What may be left unsaid, unless the endpoint has refused it before.
    private mutating func say(_ field: OptionalField, _ value: JSONValue?) {
        guard let value else { return }
        guard !words.refused.contains(field) else {
            if Self.mayChangeAnswer(field, value) { unsaid.insert(field) }
            return
        }
        body[field.rawValue] = value
        said.optional.insert(field)
    }

    private static func mayChangeAnswer(_ field: OptionalField, _ value: JSONValue) -> Bool {
        switch field {
        case .reasoningEffort, .templateArguments, .think: true
        case .parallelCalls: value == false
        case .strict: value == true
        case .streamOptions, .user, .cacheKey: false
        }
    }

    private mutating func writeStream() {
        body["stream"] = .bool(conversation.wants.stream)
        if conversation.wants.stream { say(.streamOptions, ["include_usage": true]) }
    }

    private mutating func writeSampling() {
        if let limit = conversation.sampling.maxTokens {
            // The older route knows one word only.
            body[conversation.prompt == nil ? words.limit.rawValue : LimitWord.maxTokens.rawValue] = limit
            said.limit = conversation.prompt == nil
        }
        for parameter in Sampling.Parameter.allCases { body[parameter.rawValue] = conversation.sampling.values[parameter] }
        body["stop"] = conversation.sampling.stop
        // Services allow 64 characters, and refuse more.
        say(.user, conversation.user.map { .string($0.utf8.count <= 64 ? $0 : Digest(of: $0).hex) })
        say(.cacheKey, conversation.cacheKey.map(JSONValue.string))
    }

    private mutating func writeTools() {
        if !conversation.tools.isEmpty {
            let saysStrict = !words.refused.contains(.strict)
            body["tools"] = .array(
                conversation.tools.map { tool in
                    if tool.strict != nil, saysStrict { said.optional.insert(.strict) }
                    if tool.strict == true, !saysStrict { unsaid.insert(.strict) }
                    return [
                        "type": "function",
                        "function": [
                            "name": .string(tool.name), "description": tool.description.map(JSONValue.string), "parameters": tool.parameters,
                            "strict": saysStrict ? tool.strict.map(JSONValue.bool) : nil,
                        ],
                    ]
                })
        }
        // Without tools there is nothing to choose among, and services refuse to be told so.
        guard !conversation.tools.isEmpty else { return }
        switch conversation.toolChoice {
        case nil: break
        case .auto?: body["tool_choice"] = "auto"
        case ToolChoice.none?: body["tool_choice"] = "none"
        case .required?: body["tool_choice"] = "required"
        case .tool(let name)?: body["tool_choice"] = ["type": "function", "function": ["name": .string(name)]]
        }
        say(.parallelCalls, conversation.allowsParallelCalls.map(JSONValue.bool))
    }

    private mutating func writeFormat() {
        switch conversation.format {
        case nil: break
        case .json?: body["response_format"] = ["type": "json_object"]
        case .schema(let name, let schema, let strict)?:
            body["response_format"] = [
                "type": "json_schema",
                "json_schema": ["name": .string(name ?? "answer"), "schema": schema, "strict": strict.map(JSONValue.bool)],
            ]
        }
    }

    /// How long to think cannot be said there; whether, can be said to some, and how much to others.
    private mutating func writeThinking() {
        // The strongest that every service knows.
        let effort = conversation.thinking.effort.map { ["max", "xhigh"].contains($0) ? "high" : $0 }
        say(.reasoningEffort, effort.map(JSONValue.string))
        if let isWanted = conversation.thinking.isWanted, words.kind == .llamaServer {
            say(.templateArguments, ["enable_thinking": .bool(isWanted)])
        }
    }
}
