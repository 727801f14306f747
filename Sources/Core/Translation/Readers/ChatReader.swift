// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Reads OpenAI's `/v1/chat/completions`. Pure.
enum ChatReader {
    static func read(_ body: JSONValue) throws(TranslationError) -> ReadRequest {
        var request = ReadRequest(model: body["model"]?.string, conversation: Conversation())
        request.dropped = try FieldTable.chat.check(body)
        guard let list = body["messages"].given?.array else { throw .malformed("messages", "messages must be an array") }
        for (index, message) in list.enumerated() { try read(message, field: "messages[\(index)]", into: &request.conversation) }
        request.conversation.connectResults()
        request.conversation.sampling = Sampling(
            values: RequestReading.sampling(body, Sampling.Parameter.allCases), stop: body["stop"].given,
            maxTokens: (body["max_completion_tokens"].given ?? body["max_tokens"].given))
        request.conversation.wants.stream = body["stream"].given?.bool ?? false
        request.conversation.wants.usage = body["stream_options"]?["include_usage"].given?.bool ?? false
        if body["logprobs"].given?.bool == true { request.conversation.wants.logprobs = body["top_logprobs"].given?.integer ?? 0 }
        request.conversation.user = body["user"].given?.string
        request.conversation.cacheKey = body["prompt_cache_key"].given?.string
        request.conversation.thinking.effort = body["reasoning_effort"].given?.string
        request.conversation.thinking.isWanted = body["chat_template_kwargs"]?["enable_thinking"].given?.bool
        try tools(body, &request.conversation)
        try format(body["response_format"].given, &request.conversation)
        return request
    }

    // MARK: Messages

    private static func read(_ message: JSONValue, field: String, into conversation: inout Conversation) throws(TranslationError) {
        guard message.object != nil, let name = message["role"]?.string else { throw .malformed("\(field).role", "a message needs a role") }
        let content = try parts(message["content"].given, field: "\(field).content")
        switch name {
        case "system", "developer": conversation.turns.append(Turn(.system, content))
        case "user": conversation.turns.append(Turn(.user, content))
        case "tool", "function":
            conversation.append(
                ToolResult(callID: message["tool_call_id"].given?.string ?? "", name: message["name"].given?.string, parts: content))
        case "assistant":
            var parts: [Part] = []
            let thinking = ChatAnswerWords.thinking(message)
            if let thinking { parts.append(.thinking(Thinking(thinking.text))) }
            parts += content
            for (index, call) in (message["tool_calls"].given?.array ?? []).enumerated() {
                parts.append(.call(self.call(call["function"], id: call["id"].given?.string ?? "call_\(conversation.turns.count)_\(index)")))
            }
            if let call = message["function_call"].given { parts.append(.call(self.call(call, id: "call_\(conversation.turns.count)"))) }
            conversation.turns.append(Turn(.assistant, parts))
        default: throw .malformed("\(field).role", "a message's role must be system, developer, user, assistant or tool, not '\(name)'")
        }
    }

    private static func call(_ function: JSONValue?, id: String) -> ToolCall {
        ToolCall(id: id, name: function?["name"]?.string ?? "", arguments: RequestReading.arguments(function?["arguments"]))
    }

    private static func parts(_ content: JSONValue?, field: String) throws(TranslationError) -> [Part] {
        guard let content else { return [] }
        if let text = content.string { return [.text(text)] }
        guard let list = content.array else { throw .malformed(field, "content must be a string or an array of parts") }
        var parts: [Part] = []
        for (index, part) in list.enumerated() {
            switch part["type"]?.string {
            case "text"?: parts.append(.text(part["text"]?.string ?? ""))
            case "refusal"?: parts.append(.text(part["refusal"]?.string ?? ""))
            case "image_url"?:
                let image = part["image_url"]
                parts.append(.image(Image(url: image?["url"]?.string ?? image?.string ?? "", detail: image?["detail"].given?.string)))
            case "file"? where part["file"]?["file_data"].given != nil:
                guard case .base64(let type, let data) = Image(url: part["file"]?["file_data"]?.string ?? "").source else {
                    throw .malformed("\(field)[\(index)].file.file_data", "a file must be a data URL")
                }
                parts.append(.document(Document(source: .base64(type: type, data: data), title: part["file"]?["filename"].given?.string)))
            case let type: throw .unsupported("\(field)[\(index)]", "a part of type '\(type ?? "")' has no counterpart at the endpoint")
            }
        }
        return parts
    }

    // MARK: Tools and format

    private static func tools(_ body: JSONValue, _ conversation: inout Conversation) throws(TranslationError) {
        for (index, tool) in try RequestReading.tools(body["tools"], "tools").enumerated() {
            conversation.tools.append(try function(tool["function"] ?? [:], "tools[\(index)].function"))
        }
        for (index, tool) in try RequestReading.tools(body["functions"], "functions").enumerated() {
            conversation.tools.append(try function(tool, "functions[\(index)]"))
        }
        conversation.allowsParallelCalls = body["parallel_tool_calls"].given?.bool
        switch (body["tool_choice"] ?? body["function_call"]).given {
        case nil: break
        case "auto"?: conversation.toolChoice = .auto
        case "none"?: conversation.toolChoice = ToolChoice.none
        case "required"?: conversation.toolChoice = .required
        case let choice?:
            guard let name = (choice["function"]?["name"] ?? choice["name"])?.string else {
                throw .unsupported("tool_choice", "only a function can be chosen")
            }
            conversation.toolChoice = .tool(name)
        }
    }

    private static func function(_ function: JSONValue, _ field: String) throws(TranslationError) -> Tool {
        Tool(
            name: try RequestReading.name(function, field), description: function["description"].given?.string,
            parameters: function["parameters"].given,
            strict: function["strict"].given?.bool)
    }

    private static func format(_ format: JSONValue?, _ conversation: inout Conversation) throws(TranslationError) {
        switch format?["type"]?.string {
        case nil, "text"?: break
        case "json_object"?: conversation.format = .json
        case "json_schema"?: conversation.format = RequestReading.schema(format?["json_schema"])
        case let type?: throw .unsupported("response_format.type", "the format '\(type)' has no counterpart at the endpoint")
        }
    }
}

/// Reads OpenAI's older `/v1/completions`: one prompt. Pure.
enum CompletionsReader {
    static func read(_ body: JSONValue) throws(TranslationError) -> ReadRequest {
        var request = ReadRequest(model: body["model"]?.string, conversation: Conversation())
        request.dropped = try FieldTable.completions.check(body)
        let prompt = body["prompt"].given
        guard let text = prompt?.string ?? (prompt?.array?.count == 1 ? prompt?.array?.first?.string : nil) else {
            throw .unsupported("prompt", "prompt must be one text")
        }
        request.conversation.prompt = Conversation.RawPrompt(text: text, suffix: body["suffix"].given?.string)
        request.conversation.sampling = Sampling(
            values: RequestReading.sampling(body, Sampling.Parameter.allCases), stop: body["stop"].given, maxTokens: body["max_tokens"].given)
        request.conversation.wants.stream = body["stream"].given?.bool ?? false
        request.conversation.wants.usage = body["stream_options"]?["include_usage"].given?.bool ?? false
        request.conversation.wants.logprobs = body["logprobs"].given?.integer
        request.conversation.user = body["user"].given?.string
        return request
    }
}
