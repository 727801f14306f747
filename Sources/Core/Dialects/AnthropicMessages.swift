// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Anthropic's `/v1/messages` as a request for `/v1/chat/completions`. Pure.
enum AnthropicMessages {
    /// Fields that have a counterpart, or need none: caching and tiers change what an answer costs, not what it says.
    private static let known: Set<String> = [
        "model", "messages", "system", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "stream", "tools", "tool_choice", "thinking",
        "metadata", "cache_control", "service_tier", "inference_geo", "betas", "output_config", "output_format",
    ]

    static func request(_ body: JSONValue, model: String, words: EndpointWords, id: String) throws(TranslationError) -> TranslatedCall {
        for member in body.object?.members ?? [] where !known.contains(member.key) && member.value != .null {
            throw .unsupported(member.key, "\(member.key) has no counterpart in chat completions")
        }
        guard let list = body["messages"].given?.array else { throw .malformed("messages", "messages must be an array") }
        var messages: [JSONValue] = []
        if let system = body["system"].given { messages.append(["role": "system", "content": .string(try text(system, field: "system"))]) }
        for (index, message) in list.enumerated() { messages += try translate(message, field: "messages[\(index)]") }
        let streams = body["stream"].given?.bool ?? false
        var request: JSONValue = ["model": .string(model), "messages": .array(messages), "stream": .bool(streams)]
        if streams { request["stream_options"] = ["include_usage": true] }
        for (from, to) in [
            ("max_tokens", "max_tokens"), ("temperature", "temperature"), ("top_p", "top_p"), ("top_k", "top_k"), ("stop_sequences", "stop"),
        ] { request[to] = body[from].given }
        if let user = body["metadata"]?["user_id"].given { request["user"] = user }
        try tools(body, into: &request)
        try thinking(body, into: &request, words: words)
        let format = (body["output_config"]?["format"] ?? body["output_format"]).given
        if let format {
            guard format["type"] == "json_schema", let schema = format["schema"] else {
                throw .unsupported("output_config.format", "only a json_schema can be asked for")
            }
            request["response_format"] = ["type": "json_schema", "json_schema": ["name": "answer", "schema": schema]]
        }
        return .request(
            TranslatedRequest(
                path: "/v1/chat/completions", body: request, answer: ChatToAnthropic(id: "msg_\(id)", model: body["model"]?.string ?? model)))
    }

    // MARK: Messages

    /// One message may become several: results of tools are messages of their own.
    private static func translate(_ message: JSONValue, field: String) throws(TranslationError) -> [JSONValue] {
        guard let role = message["role"]?.string, role == "user" || role == "assistant" || role == "system" else {
            throw .malformed("\(field).role", "a message's role must be user or assistant")
        }
        guard let content = message["content"].given else { throw .malformed("\(field).content", "a message needs content") }
        if let text = content.string { return [["role": .string(role), "content": .string(text)]] }
        guard let blocks = content.array else { throw .malformed("\(field).content", "content must be a string or an array of blocks") }
        var results: [JSONValue] = []
        var parts: [JSONValue] = []
        var calls: [JSONValue] = []
        for (index, block) in blocks.enumerated() {
            let field = "\(field).content[\(index)]"
            switch block["type"]?.string {
            case "text"?: parts.append(["type": "text", "text": .string(block["text"]?.string ?? "")])
            case "image"?: parts.append(try image(block, field: field))
            case "tool_use"?:
                calls.append([
                    "id": block["id"] ?? "", "type": "function",
                    "function": ["name": block["name"] ?? "", "arguments": .string((block["input"].given ?? [:]).text)],
                ])
            case "tool_result"?: results.append(try toolResult(block, field: field))
            // Whoever thinks again thinks for itself; the signature is worth something to Anthropic alone.
            case "thinking"?, "redacted_thinking"?: continue
            case let type: throw .unsupported(field, "a block of type '\(type ?? "")' has no counterpart in chat completions")
            }
        }
        guard !parts.isEmpty || !calls.isEmpty else { return results }
        var result: JSONValue = ["role": .string(role), "content": joined(parts)]
        if !calls.isEmpty { result["tool_calls"] = .array(calls) }
        return results + [result]
    }

    /// Text alone is a string: not every template takes parts.
    private static func joined(_ parts: [JSONValue]) -> JSONValue {
        if parts.isEmpty { return .null }
        let texts = parts.compactMap { $0["text"]?.string }
        return texts.count == parts.count ? .string(texts.joined(separator: "\n")) : .array(parts)
    }

    private static func image(_ block: JSONValue, field: String) throws(TranslationError) -> JSONValue {
        let source = block["source"]
        switch source?["type"]?.string {
        case "base64"?:
            let url = "data:\(source?["media_type"]?.string ?? "image/jpeg");base64,\(source?["data"]?.string ?? "")"
            return ["type": "image_url", "image_url": ["url": .string(url)]]
        case "url"?: return ["type": "image_url", "image_url": ["url": source?["url"] ?? ""]]
        case let type: throw .unsupported("\(field).source.type", "an image of source '\(type ?? "")' has no counterpart in chat completions")
        }
    }

    private static func toolResult(_ block: JSONValue, field: String) throws(TranslationError) -> JSONValue {
        var text = ""
        if let content = block["content"].given { text = try Self.text(content, field: "\(field).content") }
        if block["is_error"].given?.bool == true { text = "Error: " + text }
        return ["role": "tool", "tool_call_id": block["tool_use_id"] ?? "", "content": .string(text)]
    }

    /// A string, or blocks of text.
    private static func text(_ value: JSONValue, field: String) throws(TranslationError) -> String {
        if let text = value.string { return text }
        guard let blocks = value.array else { throw .malformed(field, "\(field) must be a string or an array of blocks") }
        var texts: [String] = []
        for (index, block) in blocks.enumerated() {
            guard block["type"] == "text", let text = block["text"]?.string else {
                throw .unsupported("\(field)[\(index)]", "only text can stand in \(field) of a chat completion")
            }
            texts.append(text)
        }
        return texts.joined(separator: "\n")
    }

    // MARK: Tools and thinking

    private static func tools(_ body: JSONValue, into request: inout JSONValue) throws(TranslationError) {
        if let tools = body["tools"].given {
            guard let tools = tools.array else { throw .malformed("tools", "tools must be an array") }
            var functions: [JSONValue] = []
            for (index, tool) in tools.enumerated() {
                if let type = tool["type"].given?.string, type != "custom" {
                    throw .unsupported("tools[\(index)].type", "the tool '\(type)' runs at Anthropic only")
                }
                functions.append([
                    "type": "function",
                    "function": [
                        "name": tool["name"] ?? "", "description": tool["description"].given,
                        "parameters": tool["input_schema"].given ?? ["type": "object"],
                    ],
                ])
            }
            if !functions.isEmpty { request["tools"] = .array(functions) }
        }
        guard let choice = body["tool_choice"].given else { return }
        switch choice["type"]?.string {
        case "auto"?: request["tool_choice"] = "auto"
        case "any"?: request["tool_choice"] = "required"
        case "none"?: request["tool_choice"] = "none"
        case "tool"?: request["tool_choice"] = ["type": "function", "function": ["name": choice["name"] ?? ""]]
        case let type: throw .malformed("tool_choice.type", "tool_choice must be auto, any, tool or none, not '\(type ?? "")'")
        }
        if choice["disable_parallel_tool_use"].given?.bool == true { request["parallel_tool_calls"] = false }
    }

    /// How long to think cannot be said there; whether, can be said to some, and how much to others.
    private static func thinking(_ body: JSONValue, into request: inout JSONValue, words: EndpointWords) throws(TranslationError) {
        if let effort = body["output_config"]?["effort"].given { request["reasoning_effort"] = effort }
        guard let type = body["thinking"]?["type"].given?.string, words.templateArguments else { return }
        request["chat_template_kwargs"] = ["enable_thinking": .bool(type != "disabled")]
    }
}
