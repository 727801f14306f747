// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Says a conversation in Ollama's `/api/chat`, or a raw prompt in `/api/generate`. Pure.
///
/// Used for Ollama servers that do not speak the client's dialect. Unlike their `/v1` routes, these tell why a stream ended early.
enum OllamaWriter {
    /// - Parameter model: as the endpoint spells it.
    static func write(_ conversation: Conversation, model: String, words: EndpointWords) throws(TranslationError) -> WrittenRequest {
        var body: JSONValue = ["model": .string(model)]
        var dropped: [String] = []
        var said = SaidFields()
        var unsaid: Set<OptionalField> = []
        if let prompt = conversation.prompt {
            body["prompt"] = .string(prompt.text)
            body["suffix"] = prompt.suffix.map(JSONValue.string)
            if prompt.suffix == nil { body["raw"] = true }
        } else {
            body["messages"] = .array(try messages(conversation.turns))
            dropped = writeTools(conversation, into: &body)
            // It has no words for these.
            if body["tools"] != nil, conversation.allowsParallelCalls == false { unsaid.insert(.parallelCalls) }
            if conversation.tools.contains(where: { $0.strict == true }) { unsaid.insert(.strict) }
        }
        body["stream"] = .bool(conversation.wants.stream)
        body["options"] = OllamaOptions.write(conversation.sampling)
        switch conversation.format {
        case nil: break
        case .json?: body["format"] = "json"
        case .schema(_, let schema, _)?: body["format"] = schema
        }
        if let think = think(conversation.thinking) {
            if think == false {
                body["think"] = think
            } else if !words.refused.contains(.think) {
                body["think"] = think
                said.optional.insert(.think)
            } else {
                unsaid.insert(.think)
            }
        }
        if let top = conversation.wants.logprobs {
            body["logprobs"] = true
            if top > 0 { body["top_logprobs"] = .integer(top) }
        }
        return WrittenRequest(
            path: conversation.prompt == nil ? "/api/chat" : "/api/generate", body: body, said: said, dropped: dropped, unsaid: unsaid)
    }

    private static func think(_ wish: Conversation.ThinkingWish) -> JSONValue? {
        let isWanted = wish.isWanted.map(JSONValue.bool)
        guard let effort = wish.effort, wish.isWanted != false else { return isWanted }
        // What it does not know, it refuses.
        return ["low", "medium", "high"].contains(effort) ? .string(effort) : effort == "none" ? false : isWanted
    }

    /// There is no word for a choice: the model chooses among what it is offered. Ollama's own `/v1` routes ignore it, too.
    ///
    /// - Returns: what is left out.
    private static func writeTools(_ conversation: Conversation, into body: inout JSONValue) -> [String] {
        var offered = conversation.tools
        var dropped: [String] = []
        switch conversation.toolChoice {
        case nil, .auto?: break
        case ToolChoice.none?: offered = []
        case .required?: dropped = ["tool_choice"]
        case .tool(let name)?:
            dropped = ["tool_choice"]
            offered = offered.filter { $0.name == name }
        }
        guard !offered.isEmpty else { return dropped }
        body["tools"] = .array(
            offered.map { tool in
                [
                    "type": "function",
                    "function": [
                        "name": .string(tool.name), "description": tool.description.map(JSONValue.string), "parameters": tool.parameters,
                    ],
                ]
            })
        return dropped
    }

    // MARK: Messages

    private static func messages(_ turns: [Turn]) throws(TranslationError) -> [JSONValue] {
        var messages: [JSONValue] = []
        var names: [String: String] = [:]
        for turn in turns {
            switch turn.role {
            case .system, .user: messages.append(try message(turn.role.rawValue, turn.parts))
            case .assistant:
                var message = try message("assistant", turn.parts.filter { if case .text = $0 { true } else { false } })
                let thoughts = turn.thinking.map(\.text).filter { !$0.isEmpty }
                if !thoughts.isEmpty { message["thinking"] = .string(thoughts.joined(separator: "\n")) }
                for call in turn.calls { names[call.id] = call.name }
                if !turn.calls.isEmpty { message["tool_calls"] = .array(turn.calls.map(written)) }
                messages.append(message)
            case .tool:
                for case .result(let result) in turn.parts {
                    var message = try message("tool", result.parts)
                    if result.isError { message["content"] = .string("Error: " + (message["content"]?.string ?? "")) }
                    message["tool_name"] = (result.name ?? names[result.callID]).map(JSONValue.string)
                    message["tool_call_id"] = result.callID.isEmpty ? nil : .string(result.callID)
                    messages.append(message)
                }
            }
        }
        return messages
    }

    private static func message(_ role: String, _ parts: [Part]) throws(TranslationError) -> JSONValue {
        var images: [JSONValue] = []
        for part in parts {
            switch part {
            case .image(let image):
                guard case .base64(_, let data) = image.source else {
                    throw .unsupported("image_url", "Ollama fetches no images: send the image itself")
                }
                images.append(.string(data))
            case .document(let document):
                if document.text == nil { throw .unsupported("document", "Ollama reads no documents but plain text") }
            case .text, .thinking, .call, .result: break
            }
        }
        return [
            "role": .string(role), "content": .string(parts.texts.joined(separator: "\n")), "images": images.isEmpty ? nil : .array(images),
        ]
    }

    private static func written(_ call: ToolCall) -> JSONValue {
        // A map is all that it decodes: what a model has written instead, or what was cut, is an argument of its own.
        var arguments: JSONValue = [ToolForms.textArgument: .string(call.arguments)]
        if let read = try? JSONValue(parsing: call.arguments.utf8), read.object != nil { arguments = read }
        return [
            "id": call.id.isEmpty ? nil : .string(call.id),
            "function": ["name": .string(call.name), "arguments": arguments],
        ]
    }
}
