// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Reads Ollama's `/api/chat` and `/api/generate`. Pure.
enum OllamaReader {
    enum Reading: Sendable, Equatable {
        case request(ReadRequest)
        /// Nothing to answer to: the model is to be loaded, or dropped.
        case load(model: String?, isUnload: Bool)
    }

    static func chat(_ body: JSONValue) throws(TranslationError) -> Reading {
        var request = ReadRequest(model: body["model"]?.string, conversation: Conversation())
        request.dropped = try FieldTable.ollamaChat.check(body)
        let messages = body["messages"].given ?? []
        guard let list = messages.array else { throw .malformed("messages", "messages must be an array, not \(messages.kind)") }
        if list.isEmpty { return load(body) }
        for (index, message) in list.enumerated() { try OllamaMessage.read(message, index: index, into: &request.conversation) }
        request.conversation.connectResults()
        for (index, tool) in try RequestReading.tools(body["tools"], "tools").enumerated() {
            let function = tool["function"] ?? [:]
            request.conversation.tools.append(
                Tool(
                    name: try RequestReading.name(function, "tools[\(index)].function"), description: function["description"].given?.string,
                    parameters: function["parameters"].given
                ))
        }
        try finish(&request, body)
        return .request(request)
    }

    /// One prompt. Without `raw` the endpoint's template is put around it, as Ollama does.
    static func generate(_ body: JSONValue) throws(TranslationError) -> Reading {
        var request = ReadRequest(model: body["model"]?.string, conversation: Conversation())
        request.dropped = try FieldTable.ollamaGenerate.check(body)
        let prompt = body["prompt"].given ?? ""
        guard let text = prompt.string else { throw .malformed("prompt", "prompt must be a string, not \(prompt.kind)") }
        let images = try OllamaMessage.images(body["images"], field: "images")
        let suffix = body["suffix"].given?.string ?? ""
        if text.isEmpty, images.isEmpty, suffix.isEmpty { return load(body) }
        let system = body["system"].given?.string ?? ""
        if body["raw"].given?.bool == true || !suffix.isEmpty {
            guard images.isEmpty else { throw .unsupported("images", "images cannot go with a raw prompt or a suffix") }
            guard system.isEmpty else { throw .unsupported("system", "a raw prompt has no system message") }
            if let format = body["format"].given, format != "" { throw .unsupported("format", "a raw prompt has no format") }
            request.conversation.prompt = Conversation.RawPrompt(text: text, suffix: suffix.isEmpty ? nil : suffix)
        } else {
            if !system.isEmpty { request.conversation.turns.append(Turn(.system, [.text(system)])) }
            request.conversation.turns.append(Turn(.user, (text.isEmpty && !images.isEmpty ? [] : [.text(text)]) + images.map(Part.image)))
        }
        try finish(&request, body)
        return .request(request)
    }

    // MARK: What both have in common

    private static func finish(_ request: inout ReadRequest, _ body: JSONValue) throws(TranslationError) {
        request.conversation.wants.stream = body["stream"].given?.bool ?? true
        request.dropped += try OllamaOptions.read(body["options"], into: &request.conversation.sampling)
        if let format = body["format"].given, format != "" {
            switch format {
            case "json": request.conversation.format = .json
            case .object: request.conversation.format = .schema(name: nil, format, strict: nil)
            default: throw .malformed("format", "format must be \"json\" or a JSON schema, not \(format.text.prefix(60))")
            }
        }
        switch body["think"].given {
        case nil: break
        case .bool(let thinks)?: request.conversation.thinking.isWanted = thinks
        case .string(let effort)? where ["low", "medium", "high", "max"].contains(effort): request.conversation.thinking.effort = effort
        case let think?:
            throw .malformed("think", "think must be true, false, \"low\", \"medium\", \"high\" or \"max\", not \(think.text.prefix(60))")
        }
        if body["logprobs"].given?.bool == true { request.conversation.wants.logprobs = body["top_logprobs"].given?.integer ?? 0 }
    }

    private static func load(_ body: JSONValue) -> Reading {
        .load(model: body["model"]?.string, isUnload: isZero(body["keep_alive"].given))
    }

    /// `0`, `"0"`, `"0s"` and the like.
    static func isZero(_ keepAlive: JSONValue?) -> Bool {
        switch keepAlive {
        case .number(let text)?: Double(text) == 0
        case .string(let text)?: !text.isEmpty && text.allSatisfy { !("1"..."9").contains($0) }
        default: false
        }
    }
}

/// One message of `/api/chat`.
enum OllamaMessage {
    static func read(_ message: JSONValue, index: Int, into conversation: inout Conversation) throws(TranslationError) {
        let field = "messages[\(index)]"
        guard message.object != nil else { throw .malformed(field, "a message must be an object, not \(message.kind)") }
        guard let name = message["role"].given?.string else { throw .malformed("\(field).role", "a message needs a role") }
        guard let role = Turn.Role(rawValue: name) else {
            throw .malformed("\(field).role", "a message's role must be system, user, assistant or tool, not '\(name)'")
        }
        let content = message["content"].given ?? ""
        guard let text = content.string else { throw .malformed("\(field).content", "content must be a string, not \(content.kind)") }
        let shown = (text.isEmpty ? [] : [Part.text(text)]) + (try images(message["images"], field: "\(field).images")).map(Part.image)
        switch role {
        case .system, .user: conversation.turns.append(Turn(role, shown))
        case .tool:
            let name = (message["tool_name"] ?? message["name"]).given?.string
            conversation.append(ToolResult(callID: message["tool_call_id"].given?.string ?? "", name: name, parts: shown))
        case .assistant:
            var parts: [Part] = []
            if let thinking = message["thinking"].given?.string, !thinking.isEmpty { parts.append(.thinking(Thinking(thinking))) }
            parts += shown
            for (number, call) in (message["tool_calls"].given?.array ?? []).enumerated() {
                guard let name = call["function"]?["name"]?.string else {
                    throw .malformed("\(field).tool_calls[\(number)].function.name", "a tool call needs a function with a name")
                }
                let id = call["id"].given?.string ?? "call_\(index)_\(number)"
                parts.append(.call(ToolCall(id: id, name: name, arguments: RequestReading.arguments(call["function"]?["arguments"]))))
            }
            conversation.turns.append(Turn(.assistant, parts))
        }
    }

    static func images(_ value: JSONValue?, field: String) throws(TranslationError) -> [Image] {
        guard let value = value.given else { return [] }
        guard let list = value.array else { throw .malformed(field, "\(field) must be an array, not \(value.kind)") }
        var images: [Image] = []
        for (index, image) in list.enumerated() {
            guard let data = image.string else { throw .malformed("\(field)[\(index)]", "an image must be base64 text, not \(image.kind)") }
            images.append(Image(base64: data))
        }
        return images
    }
}
