// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Reads OpenAI's `/v1/responses`. Pure.
enum ResponsesReader {
    static func read(_ body: JSONValue) throws(TranslationError) -> ReadRequest {
        var request = ReadRequest(model: body["model"]?.string, conversation: Conversation())
        request.dropped = try FieldTable.responses.check(body)
        if let instructions = body["instructions"].given?.string { request.conversation.turns.append(Turn(.system, [.text(instructions)])) }
        var tools = ResponsesTools()
        try tools.read(body["tools"], field: "tools")
        switch body["input"].given {
        case .string(let text)?: request.conversation.turns.append(Turn(.user, [.text(text)]))
        case .array(let items)?:
            var reading = ResponsesItems(conversation: request.conversation, tools: tools)
            for (index, item) in items.enumerated() { try reading.read(item, field: "input[\(index)]") }
            (request.conversation, tools) = (reading.conversation, reading.tools)
            request.conversation.placeResults()
            request.dropped += reading.dropped
        default: throw .malformed("input", "input must be a string or an array of items")
        }
        request.conversation.tools = tools.tools
        request.toolForms = tools.forms
        request.dropped += tools.dropped
        try settings(body, &request.conversation)
        try choice(body["tool_choice"].given, tools, &request.conversation)
        return request
    }

    private static func settings(_ body: JSONValue, _ conversation: inout Conversation) throws(TranslationError) {
        conversation.sampling = Sampling(
            values: RequestReading.sampling(body, [.temperature, .top_p]), maxTokens: body["max_output_tokens"].given)
        conversation.wants.stream = body["stream"].given?.bool ?? false
        let included = body["include"].given?.array ?? []
        if let top = body["top_logprobs"].given?.integer, top > 0 {
            conversation.wants.logprobs = top
        } else if included.contains("message.output_text.logprobs") {
            conversation.wants.logprobs = 0
        }
        conversation.user = body["user"].given?.string
        conversation.cacheKey = body["prompt_cache_key"].given?.string
        conversation.allowsParallelCalls = body["parallel_tool_calls"].given?.bool
        conversation.thinking.effort = body["reasoning"]?["effort"].given?.string
        let format = body["text"]?["format"].given
        switch format?["type"]?.string {
        case nil, "text"?: break
        case "json_object"?: conversation.format = .json
        case "json_schema"?: conversation.format = RequestReading.schema(format)
        case let type?: throw .unsupported("text.format.type", "the format '\(type)' has no counterpart at the endpoint")
        }
    }

    private static func choice(_ choice: JSONValue?, _ tools: ResponsesTools, _ conversation: inout Conversation) throws(TranslationError) {
        switch choice {
        case nil: break
        case "auto"?: conversation.toolChoice = .auto
        case "none"?: conversation.toolChoice = ToolChoice.none
        case "required"?: conversation.toolChoice = .required
        case let choice?:
            switch choice["type"]?.string {
            case "function"?, "custom"?:
                let name = ToolForms.flat(choice["name"]?.string ?? "", in: choice["namespace"].given?.string)
                conversation.toolChoice = .tool(name)
            // Those that are allowed are offered, and no others.
            case "allowed_tools"?:
                let allowed = (choice["tools"]?.array ?? []).compactMap { $0["name"]?.string }
                conversation.tools = tools.tools.filter { allowed.contains(tools.forms[$0.name].name) || allowed.contains($0.name) }
                conversation.toolChoice = choice["mode"] == "required" ? .required : .auto
            case let type: throw .unsupported("tool_choice.type", "the tool '\(type ?? "")' runs at the vendor only")
            }
        }
        if conversation.tools.isEmpty, conversation.toolChoice == .required {
            throw .unsupported("tool_choice", "none of the tools runs anywhere but at the vendor")
        }
    }
}

/// Tools of the Responses dialect as functions.
struct ResponsesTools {
    private(set) var tools: [Tool] = []
    private(set) var forms = ToolForms()
    /// Those that only the vendor can run, each kind once.
    private(set) var dropped: [String] = []

    mutating func read(_ value: JSONValue?, field: String, in namespace: String? = nil) throws(TranslationError) {
        for (index, tool) in try RequestReading.tools(value, field).enumerated() {
            switch tool["type"]?.string {
            case "function"?:
                let name = try RequestReading.name(tool, "\(field)[\(index)]")
                let flat = forms.add(ToolForms.Form(name: name, namespace: namespace))
                tools.append(
                    Tool(
                        name: flat, description: tool["description"].given?.string, parameters: tool["parameters"].given,
                        strict: tool["strict"].given?.bool))
            case "custom"?:
                let name = try RequestReading.name(tool, "\(field)[\(index)]")
                let flat = forms.add(ToolForms.Form(name: name, namespace: namespace, takesText: true))
                tools.append(Tool(name: flat, description: tool["description"].given?.string, parameters: Self.textSchema(tool["format"].given)))
            // It may not hold another one.
            case "namespace"? where namespace == nil: try read(tool["tools"], field: "\(field)[\(index)].tools", in: tool["name"]?.string)
            case let type?:
                if !dropped.contains(type) { dropped.append(type) }
            case nil: throw .malformed("\(field)[\(index)].type", "a tool needs a type")
            }
        }
    }

    /// One argument: the text. A grammar can only be told.
    private static func textSchema(_ format: JSONValue?) -> JSONValue {
        var text: JSONValue = ["type": "string"]
        if let grammar = format?["definition"]?.string {
            text["description"] = .string("Text that follows this \(format?["syntax"]?.string ?? "") grammar:\n\(grammar)")
        }
        return ["type": "object", "properties": [ToolForms.textArgument: text], "required": [.string(ToolForms.textArgument)]]
    }
}
