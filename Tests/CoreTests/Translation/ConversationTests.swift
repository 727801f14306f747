// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import Testing

@testable import Core

/// What breaks without these: something of a conversation is lost or changed between two dialects that could both say it.
@Suite struct ConversationTests {
    /// Written in one dialect, read, written in another and read again, it is the same.
    @Test func staysTheSameFromDialectToDialect() throws {
        var random = SplitMix64(seed: 5)
        for _ in 0..<400 {
            let said = Conversation.random(using: &random)
            for first in ConversationDialect.allCases {
                let once = try first.read(try first.write(said))
                try #require(once == said, "\(first) changes it")
                for second in [ConversationDialect.chat, .ollama] {
                    let twice = try second.read(try second.write(once))
                    try #require(twice == said, "\(first) and then \(second) change it")
                }
            }
        }
    }
}

enum ConversationDialect: CaseIterable {
    case chat, ollama, messages, responses

    func read(_ body: JSONValue) throws -> Conversation {
        var conversation: Conversation
        switch self {
        case .chat: conversation = try ChatReader.read(body).conversation
        case .ollama:
            guard case .request(let read) = try OllamaReader.chat(body) else { throw TranslationError.malformed("", "a load") }
            conversation = read.conversation
        case .messages: conversation = try MessagesReader.read(body).conversation
        case .responses: conversation = try ResponsesReader.read(body).conversation
        }
        // Not every dialect has a name for a schema, and the counts are asked for where they have to be.
        if case .schema(_, let schema, _)? = conversation.format { conversation.format = .schema(name: nil, schema, strict: nil) }
        conversation.wants.usage = true
        for turn in conversation.turns.indices { conversation.turns[turn].parts = conversation.turns[turn].parts.map(\.unnamed) }
        return conversation
    }

    func write(_ conversation: Conversation) throws -> JSONValue {
        switch self {
        case .chat: return try ChatWriter.write(conversation, model: "m", words: EndpointWords(.llamaServer)).body
        case .ollama: return try OllamaWriter.write(conversation, model: "m", words: EndpointWords(.ollama)).body
        case .messages: return Self.messages(conversation)
        case .responses: return Self.responses(conversation)
        }
    }

    // MARK: As clients write

    private static func messages(_ conversation: Conversation) -> JSONValue {
        var body: JSONValue = ["stream": .bool(conversation.wants.stream), "max_tokens": conversation.sampling.maxTokens]
        var messages: [JSONValue] = []
        for turn in conversation.turns {
            if turn.role == .system {
                body["system"] = .array(turn.texts.map { ["type": "text", "text": .string($0)] })
                continue
            }
            let blocks = turn.parts.map { part -> JSONValue in
                switch part {
                case .text(let text): ["type": "text", "text": .string(text)]
                case .image(let image): Self.image(image)
                case .thinking(let thinking): ["type": "thinking", "thinking": .string(thinking.text), "signature": ""]
                case .call(let call):
                    [
                        "type": "tool_use", "id": .string(call.id), "name": .string(call.name),
                        "input": (try? JSONValue(parsing: call.arguments.utf8)) ?? [:],
                    ]
                case .result(let result):
                    ["type": "tool_result", "tool_use_id": .string(result.callID), "content": .string(result.parts.texts.joined())]
                case .document: [:]
                }
            }
            messages.append(["role": turn.role == .assistant ? "assistant" : "user", "content": .array(blocks)])
        }
        body["messages"] = .array(messages)
        body["tools"] = .array(conversation.tools.map { ["name": .string($0.name), "input_schema": $0.parameters] })
        body["temperature"] = conversation.sampling.values[.temperature]
        if case .schema(_, let schema, _)? = conversation.format {
            body["output_config"] = ["format": ["type": "json_schema", "schema": schema]]
        }
        return body
    }

    private static func image(_ image: Image) -> JSONValue {
        guard case .base64(let type, let data) = image.source else { return [:] }
        return ["type": "image", "source": ["type": "base64", "media_type": .string(type), "data": .string(data)]]
    }

    private static func responses(_ conversation: Conversation) -> JSONValue {
        var items: [JSONValue] = []
        for turn in conversation.turns {
            let role = turn.role == .system ? "developer" : turn.role.rawValue
            var content: [JSONValue] = []
            for part in turn.parts {
                switch part {
                case .text(let text):
                    if turn.role == .assistant {
                        items.append(["type": "message", "role": "assistant", "content": [["type": "output_text", "text": .string(text)]]])
                    } else {
                        content.append(["type": "input_text", "text": .string(text)])
                    }
                case .image(let image): content.append(["type": "input_image", "image_url": .string(image.url)])
                case .thinking(let thinking):
                    items.append(["type": "reasoning", "summary": [], "content": [["type": "reasoning_text", "text": .string(thinking.text)]]])
                case .call(let call):
                    items.append([
                        "type": "function_call", "call_id": .string(call.id), "name": .string(call.name), "arguments": .string(call.arguments),
                    ])
                case .result(let result):
                    items.append([
                        "type": "function_call_output", "call_id": .string(result.callID), "output": .string(result.parts.texts.joined()),
                    ])
                case .document: break
                }
            }
            if !content.isEmpty { items.append(["type": "message", "role": .string(role), "content": .array(content)]) }
        }
        var body: JSONValue = [
            "input": .array(items), "stream": .bool(conversation.wants.stream), "max_output_tokens": conversation.sampling.maxTokens,
            "temperature": conversation.sampling.values[.temperature],
        ]
        body["tools"] = .array(conversation.tools.map { ["type": "function", "name": .string($0.name), "parameters": $0.parameters] })
        if case .schema(_, let schema, _)? = conversation.format {
            body["text"] = ["format": ["type": "json_schema", "name": "x", "schema": schema]]
        }
        return body
    }
}

extension Part {
    /// A result without its tool's name, which not every dialect tells.
    fileprivate var unnamed: Part {
        guard case .result(var result) = self else { return self }
        result.name = nil
        return .result(result)
    }
}

extension Conversation {
    /// What every dialect can say.
    fileprivate static func random(using random: inout SplitMix64) -> Conversation {
        func text() -> String { ["hi", "ä\u{1F600}", "\"q\\\n", "{}", "a b"].randomElement(using: &random) ?? "" }
        var conversation = Conversation()
        if Bool.random(using: &random) { conversation.turns.append(Turn(.system, [.text(text())])) }
        for round in 0..<Int.random(in: 1...4, using: &random) {
            var shown: [Part] = [.text(text())]
            if Bool.random(using: &random) { shown.append(.image(Image(.base64(type: "image/png", data: "iVBORw0\(round)")))) }
            conversation.turns.append(Turn(.user, shown))
            var said: [Part] = []
            if Bool.random(using: &random) { said.append(.thinking(Thinking(text()))) }
            let count = Int.random(in: 0...2, using: &random)
            if count == 0 || Bool.random(using: &random) { said.append(.text(text())) }
            let calls = (0..<count).map { ToolCall(id: "c\(round)_\($0)", name: $0 == 0 ? "f" : "g", arguments: #"{"x":\#(round)}"#) }
            conversation.turns.append(Turn(.assistant, said + calls.map(Part.call)))
            guard count > 0 else { continue }
            // In any order.
            conversation.turns.append(
                Turn(.tool, calls.reversed().map { .result(ToolResult(callID: $0.id, parts: [.text(text())])) }))
        }
        conversation.tools = (0..<Int.random(in: 0...2, using: &random)).map { Tool(name: "f\($0)", parameters: ["type": "object"]) }
        conversation.sampling.maxTokens = .integer(Int.random(in: 1...99, using: &random))
        if Bool.random(using: &random) { conversation.sampling.values[.temperature] = .number("0.5") }
        if Bool.random(using: &random) { conversation.format = .schema(name: nil, ["type": "object"], strict: nil) }
        conversation.wants.stream = .random(using: &random)
        return conversation
    }
}
