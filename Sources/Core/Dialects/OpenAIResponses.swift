// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// OpenAI's `/v1/responses` as a request for `/v1/chat/completions`. Pure.
enum OpenAIResponses {
    /// Fields that have a counterpart, or need none.
    private static let known: Set<String> = [
        "model", "input", "instructions", "max_output_tokens", "temperature", "top_p", "tools", "tool_choice", "parallel_tool_calls", "text",
        "reasoning",
        "metadata", "user", "store", "stream", "include", "truncation", "service_tier", "top_logprobs", "safety_identifier", "prompt_cache_key",
        "prompt_cache_retention", "stream_options", "background", "max_tool_calls",
    ]

    static func request(
        _ body: JSONValue, model: String, id: String, unixSeconds: Int
    ) throws(TranslationError) -> TranslatedCall {
        for member in body.object?.members ?? [] where !known.contains(member.key) && member.value != .null {
            throw .unsupported(member.key, "\(member.key) has no counterpart in chat completions: the router keeps no state between requests")
        }
        if body["background"].given?.bool == true { throw .unsupported("background", "the router runs nothing in the background") }
        if body["truncation"].given.map({ $0 != "disabled" }) ?? false {
            throw .unsupported("truncation", "truncation has no counterpart in chat completions")
        }
        var messages: [JSONValue] = []
        if let instructions = body["instructions"].given?.string { messages.append(["role": "system", "content": .string(instructions)]) }
        switch body["input"].given {
        case .string(let text)?: messages.append(["role": "user", "content": .string(text)])
        case .array(let items)?: for (index, item) in items.enumerated() { try translate(item, field: "input[\(index)]", into: &messages) }
        default: throw .malformed("input", "input must be a string or an array of items")
        }
        let streams = body["stream"].given?.bool ?? false
        var request: JSONValue = ["model": .string(model), "messages": .array(messages), "stream": .bool(streams)]
        if streams { request["stream_options"] = ["include_usage": true] }
        for (from, to) in [
            ("max_output_tokens", "max_tokens"), ("temperature", "temperature"), ("top_p", "top_p"), ("user", "user"),
            ("parallel_tool_calls", "parallel_tool_calls"), ("prompt_cache_key", "prompt_cache_key"),
        ] { request[to] = body[from].given }
        if let effort = body["reasoning"]?["effort"].given { request["reasoning_effort"] = effort }
        try tools(body, into: &request)
        try format(body["text"]?["format"].given, into: &request)
        let answer = ChatToResponses(id: id, created: unixSeconds, model: body["model"]?.string ?? model, request: body)
        return .request(TranslatedRequest(path: "/v1/chat/completions", body: request, answer: answer))
    }

    // MARK: Items

    private static func translate(_ item: JSONValue, field: String, into messages: inout [JSONValue]) throws(TranslationError) {
        switch item["type"].given?.string ?? "message" {
        case "message":
            guard let role = item["role"]?.string else { throw .malformed("\(field).role", "a message needs a role") }
            // OpenAI's newer name for instructions.
            let shown = role == "developer" ? "system" : role
            messages.append(["role": .string(shown), "content": try content(item["content"] ?? "", field: "\(field).content")])
        case "function_call":
            let call: JSONValue = [
                "id": item["call_id"] ?? "", "type": "function",
                "function": ["name": item["name"] ?? "", "arguments": item["arguments"] ?? "{}"],
            ]
            // Calls of one turn belong to one message.
            if let last = messages.indices.last, messages[last]["role"] == "assistant" {
                let before = messages[last]["tool_calls"]?.array ?? []
                messages[last]["tool_calls"] = .array(before + [call])
            } else {
                messages.append(["role": "assistant", "content": JSONValue.null, "tool_calls": [call]])
            }
        case "function_call_output":
            let output = item["output"].given ?? ""
            var text = output.string ?? ""
            if output.array != nil, case .string(let joined) = try content(output, field: "\(field).output") { text = joined }
            messages.append(["role": "tool", "tool_call_id": item["call_id"] ?? "", "content": .string(text)])
        // Whoever thinks again thinks for itself.
        case "reasoning": break
        case let type: throw .unsupported(field, "an item of type '\(type)' has no counterpart in chat completions")
        }
    }

    private static func content(_ content: JSONValue, field: String) throws(TranslationError) -> JSONValue {
        if content.string != nil { return content }
        guard let list = content.array else { throw .malformed(field, "content must be a string or an array of parts") }
        var parts: [JSONValue] = []
        var texts: [String] = []
        for (index, part) in list.enumerated() {
            switch part["type"]?.string {
            case "input_text"?, "output_text"?, "text"?, "refusal"?:
                let text = part["text"]?.string ?? part["refusal"]?.string ?? ""
                texts.append(text)
                parts.append(["type": "text", "text": .string(text)])
            case "input_image"?:
                guard let url = part["image_url"].given else {
                    throw .unsupported("\(field)[\(index)].file_id", "the router keeps no files: send the image itself")
                }
                parts.append(["type": "image_url", "image_url": ["url": url, "detail": part["detail"].given]])
            case let type: throw .unsupported("\(field)[\(index)]", "a part of type '\(type ?? "")' has no counterpart in chat completions")
            }
        }
        return texts.count == parts.count ? .string(texts.joined(separator: "\n")) : .array(parts)
    }

    // MARK: Tools and format

    private static func tools(_ body: JSONValue, into request: inout JSONValue) throws(TranslationError) {
        if let tools = body["tools"].given {
            guard let tools = tools.array else { throw .malformed("tools", "tools must be an array") }
            var functions: [JSONValue] = []
            for (index, tool) in tools.enumerated() {
                guard tool["type"] == "function" else {
                    throw .unsupported("tools[\(index)].type", "the tool '\(tool["type"]?.string ?? "")' runs at OpenAI only")
                }
                functions.append([
                    "type": "function",
                    "function": [
                        "name": tool["name"] ?? "", "description": tool["description"].given, "parameters": tool["parameters"].given,
                        "strict": tool["strict"].given,
                    ],
                ])
            }
            if !functions.isEmpty { request["tools"] = .array(functions) }
        }
        switch body["tool_choice"].given {
        case nil: break
        case .string(let choice)?: request["tool_choice"] = .string(choice)
        case let choice?:
            guard choice["type"] == "function" else { throw .unsupported("tool_choice.type", "only a function can be chosen in chat completions") }
            request["tool_choice"] = ["type": "function", "function": ["name": choice["name"] ?? ""]]
        }
    }

    private static func format(_ format: JSONValue?, into request: inout JSONValue) throws(TranslationError) {
        switch format?["type"]?.string {
        case nil, "text"?: break
        case "json_object"?: request["response_format"] = ["type": "json_object"]
        case "json_schema"?:
            request["response_format"] = [
                "type": "json_schema",
                "json_schema": ["name": format?["name"] ?? "answer", "schema": format?["schema"] ?? [:], "strict": format?["strict"].given],
            ]
        case let type?: throw .unsupported("text.format.type", "the format '\(type)' has no counterpart in chat completions")
        }
    }
}
