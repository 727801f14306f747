// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Reads Anthropic's `/v1/messages`. Pure.
enum MessagesReader {
    static func read(_ body: JSONValue) throws(TranslationError) -> ReadRequest {
        var request = ReadRequest(model: body["model"]?.string, conversation: Conversation())
        request.dropped = try FieldTable.messages.check(body)
        guard let list = body["messages"].given?.array else { throw .malformed("messages", "messages must be an array") }
        var blocks = MessagesBlocks()
        if let system = body["system"].given {
            request.conversation.turns.append(Turn(.system, try blocks.texts(system, field: "system").map(Part.text)))
        }
        for (index, message) in list.enumerated() { request.conversation.turns += try blocks.turns(of: message, field: "messages[\(index)]") }
        request.conversation.sampling = Sampling(
            values: RequestReading.sampling(body, [.temperature, .top_p, .top_k]), stop: body["stop_sequences"].given,
            maxTokens: body["max_tokens"].given)
        request.conversation.wants.stream = body["stream"].given?.bool ?? false
        request.conversation.user = body["metadata"]?["user_id"].given?.string
        request.dropped += try tools(body, &request.conversation)
        try thinking(body, &request.conversation)
        if let format = (body["output_config"]?["format"] ?? body["output_format"]).given {
            guard format["type"] == "json_schema", let schema = format["schema"] else {
                throw .unsupported("output_config.format", "only a json_schema can be asked for")
            }
            request.conversation.format = .schema(name: nil, schema, strict: nil)
        }
        request.dropped += blocks.dropped
        return request
    }

    // MARK: Tools and thinking

    private static func tools(_ body: JSONValue, _ conversation: inout Conversation) throws(TranslationError) -> [String] {
        var dropped: [String] = []
        for (index, tool) in try RequestReading.tools(body["tools"], "tools").enumerated() {
            let type = tool["type"].given?.string ?? "custom"
            guard type == "custom" || MessagesTools.isKnown(type) else {
                dropped.append("tools[\(index)] (\(type))")
                continue
            }
            conversation.tools.append(
                Tool(
                    name: try RequestReading.name(tool, "tools[\(index)]"),
                    description: tool["description"].given?.string ?? MessagesTools.description(type),
                    parameters: tool["input_schema"].given ?? MessagesTools.schema(type) ?? ["type": "object"],
                    strict: tool["strict"].given?.bool))
        }
        guard let choice = body["tool_choice"].given else { return dropped }
        switch choice["type"]?.string {
        case "auto"?: conversation.toolChoice = .auto
        case "any"?: conversation.toolChoice = .required
        case "none"?: conversation.toolChoice = ToolChoice.none
        case "tool"?:
            let name = choice["name"]?.string ?? ""
            // The answer would have to be a call of it.
            guard dropped.isEmpty || conversation.tools.contains(where: { $0.name == name }) else {
                throw .unsupported("tool_choice.name", "the tool '\(name)' runs at the vendor only")
            }
            conversation.toolChoice = .tool(name)
        case let type: throw .malformed("tool_choice.type", "tool_choice must be auto, any, tool or none, not '\(type ?? "")'")
        }
        if choice["disable_parallel_tool_use"].given?.bool == true { conversation.allowsParallelCalls = false }
        return dropped
    }

    private static func thinking(_ body: JSONValue, _ conversation: inout Conversation) throws(TranslationError) {
        conversation.thinking.effort = body["output_config"]?["effort"].given?.string
        if let type = body["thinking"]?["type"].given?.string { conversation.thinking.isWanted = type != "disabled" }
    }
}

/// Tools that the client runs, and whose form its vendor knows without being told.
enum MessagesTools {
    static func isKnown(_ type: String) -> Bool { schema(type) != nil }

    static func description(_ type: String) -> String? {
        if type.hasPrefix("bash_") { return "Runs a command in a shell that stays open." }
        if type.hasPrefix("text_editor_") { return "Views, creates and edits text files." }
        return nil
    }

    static func schema(_ type: String) -> JSONValue? {
        let text: JSONValue = ["type": "string"]
        if type.hasPrefix("bash_") { return ["type": "object", "properties": ["command": text, "restart": ["type": "boolean"]]] }
        guard type.hasPrefix("text_editor_") else { return nil }
        return [
            "type": "object",
            "properties": [
                "command": ["type": "string", "enum": ["view", "create", "str_replace", "insert"]], "path": text, "file_text": text, "old_str": text,
                "new_str": text, "insert_line": ["type": "integer"], "insert_text": text,
                "view_range": ["type": "array", "items": ["type": "integer"]],
            ],
            "required": ["command", "path"],
        ]
    }
}
