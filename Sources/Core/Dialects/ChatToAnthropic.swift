// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Answers of `/v1/chat/completions` as `/v1/messages` would have given them.
struct ChatToAnthropic: AnswerTranslation {
    let id: String
    /// As the client asked for it.
    let model: String
    let streamType = "text/event-stream"

    private enum Block: Equatable {
        case text, thinking, tool
    }

    private var hasStarted = false
    private var open: Block?
    private var blocks = 0
    private var calls = OrderedToolCalls()
    private var reason: String?
    private var usage: JSONValue?

    init(id: String, model: String) {
        self.id = id
        self.model = model
    }

    // MARK: Streams

    mutating func item(_ item: JSONValue, _ time: AnswerTime) -> String {
        var text = start()
        if let usage = item["usage"].given { self.usage = usage }
        guard let choice = item["choices"]?.array?.first else { return text }
        let delta = choice["delta"] ?? [:]
        let thinking = ChatToOllama.thinking(delta)
        if !thinking.isEmpty { text += piece(.thinking, ["type": "thinking_delta", "thinking": .string(thinking)]) }
        if let content = delta["content"].given?.string, !content.isEmpty { text += piece(.text, ["type": "text_delta", "text": .string(content)]) }
        for event in calls.add(delta["tool_calls"].given?.array ?? [], fallbackID: "toolu_\(id)") { text += tool(event) }
        if let reason = choice["finish_reason"].given?.string { self.reason = reason }
        return text
    }

    mutating func end(_ time: AnswerTime) -> String {
        guard reason != nil || !calls.isEmpty else { return fail("the endpoint's stream ended without a finish reason", status: 502) }
        var text = start()
        for event in calls.finish() { text += tool(event) }
        text += close()
        text += EventText.event(
            "message_delta",
            [
                "type": "message_delta", "delta": ["stop_reason": .string(Self.stopReason(reason)), "stop_sequence": JSONValue.null],
                "usage": Self.usage(usage),
            ])
        return text + EventText.event("message_stop", ["type": "message_stop"])
    }

    mutating func fail(_ message: String, status: Int) -> String {
        let type = status == 503 || status == 529 ? "overloaded_error" : (400..<500).contains(status) ? "invalid_request_error" : "api_error"
        return EventText.event("error", ["type": "error", "error": ["type": .string(type), "message": .string(message)]])
    }

    /// The frame of the message. What the prompt cost is known only at the end.
    private mutating func start() -> String {
        if hasStarted { return "" }
        hasStarted = true
        return EventText.event(
            "message_start",
            [
                "type": "message_start",
                "message": [
                    "id": .string(id), "type": "message", "role": "assistant", "model": .string(model), "content": [],
                    "stop_reason": JSONValue.null, "stop_sequence": JSONValue.null, "usage": ["input_tokens": 0, "output_tokens": 0],
                ],
            ])
    }

    private mutating func piece(_ block: Block, _ delta: JSONValue) -> String {
        var text = ""
        if open != block {
            text += close()
            text += begin(block, block == .text ? ["type": "text", "text": ""] : ["type": "thinking", "thinking": "", "signature": ""])
        }
        return text + self.delta(delta)
    }

    private mutating func tool(_ event: OrderedToolCalls.Event) -> String {
        switch event {
        case .start(let id, let name):
            return close() + begin(.tool, ["type": "tool_use", "id": .string(id), "name": .string(name), "input": [:]])
        case .arguments(let part): return delta(["type": "input_json_delta", "partial_json": .string(part)])
        case .end: return close()
        }
    }

    private mutating func begin(_ block: Block, _ content: JSONValue) -> String {
        open = block
        return EventText.event("content_block_start", ["type": "content_block_start", "index": .integer(blocks), "content_block": content])
    }

    private func delta(_ delta: JSONValue) -> String {
        EventText.event("content_block_delta", ["type": "content_block_delta", "index": .integer(blocks), "delta": delta])
    }

    private mutating func close() -> String {
        guard open != nil else { return "" }
        open = nil
        defer { blocks += 1 }
        return EventText.event("content_block_stop", ["type": "content_block_stop", "index": .integer(blocks)])
    }

    // MARK: Whole answers

    mutating func whole(_ answer: JSONValue, _ time: AnswerTime) throws(TranslationError) -> JSONValue {
        guard let choice = answer["choices"]?.array?.first, let message = choice["message"] else {
            throw TranslationError(status: 502, field: "choices", message: "the endpoint's answer has no choices")
        }
        var content: [JSONValue] = []
        let thinking = ChatToOllama.thinking(message)
        if !thinking.isEmpty { content.append(["type": "thinking", "thinking": .string(thinking), "signature": ""]) }
        if let text = message["content"].given?.string, !text.isEmpty { content.append(["type": "text", "text": .string(text)]) }
        for (index, call) in (message["tool_calls"].given?.array ?? []).enumerated() {
            let arguments = call["function"]?["arguments"].given
            let input = arguments?.object != nil ? arguments : arguments?.string.flatMap { try? JSONValue(parsing: $0.utf8) }
            content.append([
                "type": "tool_use", "id": call["id"].given ?? .string("toolu_\(id)_\(index)"), "name": call["function"]?["name"] ?? "",
                "input": input?.object == nil ? [:] : input,
            ])
        }
        return [
            "id": .string(id), "type": "message", "role": "assistant", "model": .string(model), "content": .array(content),
            "stop_reason": .string(Self.stopReason(choice["finish_reason"].given?.string)), "stop_sequence": JSONValue.null,
            "usage": Self.usage(answer["usage"].given),
        ]
    }

    private static func stopReason(_ reason: String?) -> String {
        switch reason {
        case "length": "max_tokens"
        case "tool_calls", "function_call": "tool_use"
        case "content_filter": "refusal"
        default: "end_turn"
        }
    }

    /// Anthropic's clients demand both numbers; an endpoint that counts nothing has used nothing that is known.
    private static func usage(_ usage: JSONValue?) -> JSONValue {
        let cached = usage?["prompt_tokens_details"]?["cached_tokens"]?.integer ?? 0
        let prompt = usage?["prompt_tokens"]?.integer ?? 0
        return [
            "input_tokens": .integer(max(0, prompt - cached)), "output_tokens": .integer(usage?["completion_tokens"]?.integer ?? 0),
            "cache_read_input_tokens": cached > 0 ? .integer(cached) : nil,
        ]
    }
}
