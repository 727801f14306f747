// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Answers of `/v1/chat/completions` as `/v1/responses` would have given them, with its sequence of events.
struct ChatToResponses: AnswerTranslation {
    let id: String
    let created: Int
    /// As the client asked for it.
    let model: String
    /// What the answer repeats of the request.
    let request: JSONValue
    let streamType = "text/event-stream"

    private enum Item {
        case reasoning, message, call(id: String, name: String)
    }

    private var sequence = 0
    private var hasStarted = false
    /// Items that are whole.
    private var output: [JSONValue] = []
    private var open: Item?
    private var text = ""
    private var calls = OrderedToolCalls()
    private var reason: String?
    private var usage: JSONValue?

    init(id: String, created: Int, model: String, request: JSONValue) {
        self.id = id
        self.created = created
        self.model = model
        self.request = request
    }

    // MARK: Streams

    mutating func item(_ item: JSONValue, _ time: AnswerTime) -> String {
        var events = start()
        if let usage = item["usage"].given { self.usage = usage }
        guard let choice = item["choices"]?.array?.first else { return events }
        let delta = choice["delta"] ?? [:]
        let thinking = ChatToOllama.thinking(delta)
        if !thinking.isEmpty { events += reasoning(thinking) }
        if let content = delta["content"].given?.string, !content.isEmpty { events += message(content) }
        for event in calls.add(delta["tool_calls"].given?.array ?? [], fallbackID: "call_\(id)") { events += call(event) }
        if let reason = choice["finish_reason"].given?.string { self.reason = reason }
        return events
    }

    mutating func end(_ time: AnswerTime) -> String {
        guard reason != nil || !calls.isEmpty else { return fail("the endpoint's stream ended without a finish reason", status: 502) }
        var events = start()
        for event in calls.finish() { events += call(event) }
        events += close()
        let status = Self.status(reason)
        return events + event("response.\(status)", ["response": response(status)])
    }

    mutating func fail(_ message: String, status: Int) -> String {
        let events = start()
        return events
            + event(
                "response.failed",
                [
                    "response": response(
                        "failed", error: ["code": status == 429 ? "rate_limit_exceeded" : "server_error", "message": .string(message)])
                ])
    }

    private mutating func event(_ name: String, _ fields: JSONValue) -> String {
        var data: JSONValue = ["type": .string(name), "sequence_number": .integer(sequence)]
        sequence += 1
        for member in fields.object?.members ?? [] { data[member.key] = member.value }
        return EventText.event(name, data)
    }

    private mutating func start() -> String {
        if hasStarted { return "" }
        hasStarted = true
        let created = event("response.created", ["response": response("in_progress")])
        return created + event("response.in_progress", ["response": response("in_progress")])
    }

    // MARK: Items

    private var index: JSONValue { .integer(output.count) }
    private var itemID: JSONValue {
        switch open {
        case .reasoning?: .string("rs_\(id)_\(output.count)")
        case .call?: .string("fc_\(id)_\(output.count)")
        default: .string("msg_\(id)_\(output.count)")
        }
    }

    private mutating func reasoning(_ part: String) -> String {
        var events = ""
        if case .reasoning? = open {
        } else {
            events += close()
            open = .reasoning
            events += event(
                "response.output_item.added",
                ["output_index": index, "item": ["id": itemID, "type": "reasoning", "summary": [], "content": [], "status": "in_progress"]])
        }
        text += part
        return events
            + event("response.reasoning_text.delta", ["item_id": itemID, "output_index": index, "content_index": 0, "delta": .string(part)])
    }

    private mutating func message(_ part: String) -> String {
        var events = ""
        if case .message? = open {
        } else {
            events += close()
            open = .message
            events += event(
                "response.output_item.added",
                ["output_index": index, "item": ["id": itemID, "type": "message", "role": "assistant", "status": "in_progress", "content": []]])
            events += event(
                "response.content_part.added",
                [
                    "item_id": itemID, "output_index": index, "content_index": 0,
                    "part": ["type": "output_text", "text": "", "annotations": [], "logprobs": []],
                ])
        }
        text += part
        return events
            + event(
                "response.output_text.delta",
                ["item_id": itemID, "output_index": index, "content_index": 0, "delta": .string(part), "logprobs": []])
    }

    private mutating func call(_ event: OrderedToolCalls.Event) -> String {
        switch event {
        case .start(let id, let name):
            let events = close()
            open = .call(id: id, name: name)
            return events
                + self.event(
                    "response.output_item.added", ["output_index": index, "item": Self.call(itemID, id, name, arguments: "", status: "in_progress")])
        case .arguments(let part):
            text += part
            return self.event("response.function_call_arguments.delta", ["item_id": itemID, "output_index": index, "delta": .string(part)])
        case .end: return close()
        }
    }

    /// The item at hand is whole.
    private mutating func close() -> String {
        guard let item = open else { return "" }
        var events = ""
        let done: JSONValue
        switch item {
        case .reasoning:
            done = Self.reasoning(itemID, text)
            events += event("response.reasoning_text.done", ["item_id": itemID, "output_index": index, "content_index": 0, "text": .string(text)])
        case .message:
            done = Self.message(itemID, text)
            events += event(
                "response.output_text.done",
                ["item_id": itemID, "output_index": index, "content_index": 0, "text": .string(text), "logprobs": []])
            events += event(
                "response.content_part.done",
                ["item_id": itemID, "output_index": index, "content_index": 0, "part": done["content"]?.array?.first])
        case .call(let id, let name):
            let arguments = text.isEmpty ? "{}" : text
            done = Self.call(itemID, id, name, arguments: arguments, status: "completed")
            events += event(
                "response.function_call_arguments.done",
                ["item_id": itemID, "output_index": index, "name": .string(name), "arguments": .string(arguments)])
        }
        events += event("response.output_item.done", ["output_index": index, "item": done])
        output.append(done)
        open = nil
        text = ""
        return events
    }

    private static func reasoning(_ id: JSONValue, _ text: String) -> JSONValue {
        ["id": id, "type": "reasoning", "summary": [], "content": [["type": "reasoning_text", "text": .string(text)]], "status": "completed"]
    }

    private static func message(_ id: JSONValue, _ text: String) -> JSONValue {
        [
            "id": id, "type": "message", "role": "assistant", "status": "completed",
            "content": [["type": "output_text", "text": .string(text), "annotations": [], "logprobs": []]],
        ]
    }

    private static func call(_ item: JSONValue, _ id: String, _ name: String, arguments: String, status: String) -> JSONValue {
        [
            "id": item, "type": "function_call", "status": .string(status), "call_id": .string(id), "name": .string(name),
            "arguments": .string(arguments),
        ]
    }

    // MARK: Whole answers

    mutating func whole(_ answer: JSONValue, _ time: AnswerTime) throws(TranslationError) -> JSONValue {
        guard let choice = answer["choices"]?.array?.first, let message = choice["message"] else {
            throw TranslationError(status: 502, field: "choices", message: "the endpoint's answer has no choices")
        }
        usage = answer["usage"].given
        let thinking = ChatToOllama.thinking(message)
        if !thinking.isEmpty { output.append(Self.reasoning(.string("rs_\(id)_0"), thinking)) }
        if let text = message["content"].given?.string, !text.isEmpty { output.append(Self.message(.string("msg_\(id)_\(output.count)"), text)) }
        for (number, call) in (message["tool_calls"].given?.array ?? []).enumerated() {
            let arguments = call["function"]?["arguments"].given
            output.append(
                Self.call(
                    .string("fc_\(id)_\(output.count)"), call["id"].given?.string ?? "call_\(id)_\(number)", call["function"]?["name"]?.string ?? "",
                    arguments: arguments?.string ?? arguments?.text ?? "{}", status: "completed"))
        }
        return response(Self.status(choice["finish_reason"].given?.string), reason: choice["finish_reason"].given?.string)
    }

    private static func status(_ reason: String?) -> String { reason == "length" || reason == "content_filter" ? "incomplete" : "completed" }

    private func response(_ status: String, reason: String? = nil, error: JSONValue? = nil) -> JSONValue {
        let isIncomplete = status == "incomplete"
        let why = (reason ?? self.reason) == "content_filter" ? "content_filter" : "max_output_tokens"
        func repeated(_ key: String, _ otherwise: JSONValue) -> JSONValue { request[key].given ?? otherwise }
        return [
            "id": .string("resp_\(id)"), "object": "response", "created_at": .integer(created), "status": .string(status),
            "error": error ?? .null, "incomplete_details": isIncomplete ? ["reason": .string(why)] : .null, "model": .string(model),
            "output": .array(output), "instructions": repeated("instructions", .null), "metadata": repeated("metadata", [:]),
            "max_output_tokens": repeated("max_output_tokens", .null), "parallel_tool_calls": repeated("parallel_tool_calls", true),
            "previous_response_id": JSONValue.null, "reasoning": repeated("reasoning", .null), "store": false,
            "temperature": repeated("temperature", .null), "text": repeated("text", ["format": ["type": "text"]]),
            "tool_choice": repeated("tool_choice", "auto"), "tools": repeated("tools", []), "top_p": repeated("top_p", .null),
            "truncation": "disabled",
            "usage": usageObject ?? .null,
        ]
    }

    private var usageObject: JSONValue? {
        guard let usage else { return nil }
        let input = usage["prompt_tokens"]?.integer ?? 0
        let output = usage["completion_tokens"]?.integer ?? 0
        return [
            "input_tokens": .integer(input),
            "input_tokens_details": ["cached_tokens": usage["prompt_tokens_details"]?["cached_tokens"].given ?? 0],
            "output_tokens": .integer(output),
            "output_tokens_details": ["reasoning_tokens": usage["completion_tokens_details"]?["reasoning_tokens"].given ?? 0],
            "total_tokens": .integer(usage["total_tokens"]?.integer ?? input + output),
        ]
    }
}
