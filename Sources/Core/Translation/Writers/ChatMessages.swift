// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// The turns of a conversation as messages of `/v1/chat/completions`.
struct ChatMessages {
    private let words: EndpointWords
    private var messages: [JSONValue] = []
    /// What tools have shown: it follows their results, as a result itself is text.
    private var shown: [Part] = []
    private(set) var saidThinking: ThinkingWord?

    init(words: EndpointWords) { self.words = words }

    mutating func write(_ turns: [Turn]) throws(TranslationError) -> [JSONValue] {
        if words.system == .first { try writeSystem(turns.filter { $0.role == .system }) }
        for turn in turns {
            switch turn.role {
            case .system: if words.system == .anywhere { try writeSystem([turn]) }
            case .user:
                // One message with what tools have shown: many templates want the roles to take turns.
                let parts = shown + turn.parts
                shown = []
                messages.append(["role": "user", "content": try Self.content(parts)])
            case .assistant:
                writeShown()
                try writeAssistant(turn)
            case .tool:
                for part in turn.parts { if case .result(let result) = part { write(result) } }
            }
        }
        writeShown()
        return messages
    }

    /// Several are one: templates of many models take no more, and only at the beginning.
    private mutating func writeSystem(_ turns: [Turn]) throws(TranslationError) {
        guard !turns.isEmpty else { return }
        guard turns.allSatisfy({ $0.parts.images.isEmpty }) else { throw .unsupported("system", "a system message is text") }
        let texts = turns.map { $0.texts.joined(separator: "\n") }
        messages.append(["role": "system", "content": .string(texts.joined(separator: "\n\n"))])
    }

    private mutating func writeAssistant(_ turn: Turn) throws(TranslationError) {
        guard turn.parts.images.isEmpty else { throw .unsupported("messages", "an assistant's message holds no images") }
        let calls = turn.calls
        let texts = turn.texts
        let content: JSONValue = texts.isEmpty && !calls.isEmpty ? .null : .string(texts.joined(separator: "\n"))
        var message: JSONValue = ["role": "assistant", "content": content]
        let thoughts = turn.thinking.map(\.text).filter { !$0.isEmpty }
        if let word = words.thinking.word, !thoughts.isEmpty || (words.thinking == .demanded(word) && !calls.isEmpty) {
            message[word.rawValue] = .string(thoughts.joined(separator: "\n"))
            saidThinking = word
        }
        if !calls.isEmpty {
            message["tool_calls"] = .array(
                calls.map { call in
                    ["id": .string(call.id), "type": "function", "function": ["name": .string(call.name), "arguments": .string(call.arguments)]]
                })
        }
        messages.append(message)
    }

    private mutating func write(_ result: ToolResult) {
        var text = result.parts.texts.joined(separator: "\n")
        let more = result.parts.filter { part in
            switch part {
            case .image: true
            case .document(let document): document.text == nil
            default: false
            }
        }
        if !more.isEmpty {
            if text.isEmpty { text = "The result follows." }
            shown.append(.text("The result of \(result.name ?? "the tool call") \(result.callID):"))
            shown += more
        }
        if result.isError { text = "Error: " + text }
        messages.append([
            "role": "tool", "tool_call_id": .string(result.callID), "content": .string(text), "name": result.name.map(JSONValue.string),
        ])
    }

    private mutating func writeShown() {
        guard !shown.isEmpty else { return }
        // What tools show was read already, so that it can be said.
        if let content = try? Self.content(shown) { messages.append(["role": "user", "content": content]) }
        shown = []
    }

    /// Text alone is a string: not every template takes parts.
    private static func content(_ parts: [Part]) throws(TranslationError) -> JSONValue {
        var written: [JSONValue] = []
        var isText = true
        for part in parts {
            switch part {
            case .text(let text): written.append(["type": "text", "text": .string(text)])
            case .image(let image):
                isText = false
                written.append(["type": "image_url", "image_url": ["url": .string(image.url), "detail": image.detail.map(JSONValue.string)]])
            case .document(let document):
                guard case .base64(let type, let data) = document.source else {
                    written.append(["type": "text", "text": .string(document.text ?? "")])
                    continue
                }
                isText = false
                let file: JSONValue = ["filename": .string(document.title ?? "document"), "file_data": .string("data:\(type);base64,\(data)")]
                written.append(["type": "file", "file": file])
            case .thinking, .call, .result: throw .malformed("content", "a user can neither think nor call tools here")
            }
        }
        return isText ? .string(parts.texts.joined(separator: "\n")) : .array(written)
    }
}
