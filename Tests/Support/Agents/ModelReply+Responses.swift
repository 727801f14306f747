// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

extension ModelReply {
    /// As Ollama answers on `/v1/responses`: text beside calls is dropped, and thinking comes back as a summary.
    public func responses(model: String, streams: Bool, usage: WireUsage) -> WireAnswer {
        let id = WireJSON.newID()
        var items: [[String: Any]] = []
        if !thinking.isEmpty {
            items.append([
                "id": "rs_" + id, "type": "reasoning", "summary": [["type": "summary_text", "text": thinking]], "encrypted_content": thinking,
            ])
        }
        for (index, call) in calls.enumerated() {
            items.append([
                "id": "fc_\(id)_\(index)", "type": "function_call", "status": "completed", "call_id": call.id, "name": call.name,
                "arguments": call.arguments.json,
            ])
        }
        if calls.isEmpty {
            items.append(["id": "msg_" + id, "type": "message", "status": "completed", "role": "assistant", "content": [Self.part(text)]])
        }
        let response: [String: Any] = [
            "id": "resp_" + id, "object": "response", "created_at": 1_767_225_600, "model": model, "error": NSNull(), "incomplete_details": NSNull(),
            "instructions": NSNull(), "previous_response_id": NSNull(), "tools": [Any](), "tool_choice": "auto", "parallel_tool_calls": true,
            "temperature": 1, "top_p": 1, "truncation": "disabled", "store": false, "background": false, "metadata": [String: Any](),
        ]
        let figures: [String: Any] = [
            "input_tokens": usage.prompt, "output_tokens": usage.completion, "total_tokens": usage.prompt + usage.completion,
            "input_tokens_details": ["cached_tokens": 0], "output_tokens_details": ["reasoning_tokens": 0],
        ]
        let done = response.merging(["status": "completed", "output": items, "usage": figures]) { $1 }
        guard streams else { return .whole(WireJSON.text(done)) }

        let begun = response.merging(["status": "in_progress", "output": [Any](), "usage": NSNull()]) { $1 }
        var stream = ResponsesStream()
        stream.send("response.created", ["response": begun])
        stream.send("response.in_progress", ["response": begun])
        for (index, item) in items.enumerated() { stream.item(item, at: index, pieces) }
        stream.send("response.completed", ["response": done])
        return .events(stream.events)
    }

    fileprivate static func part(_ text: String) -> [String: Any] {
        ["type": "output_text", "text": text, "annotations": [Any](), "logprobs": [Any]()]
    }
}

/// The events of one response, numbered.
private struct ResponsesStream {
    var events: [String] = []
    private var sequence = 0

    mutating func send(_ type: String, _ fields: [String: Any]) {
        let all = fields.merging(["type": type, "sequence_number": sequence]) { $1 }
        sequence += 1
        events.append("event: \(type)\ndata: \(WireJSON.text(all))\n\n")
    }

    mutating func item(_ item: [String: Any], at index: Int, _ pieces: [String]) {
        let id = item["id"] ?? ""
        func place(_ more: [String: Any]) -> [String: Any] { ["output_index": index, "item_id": id].merging(more) { $1 } }
        switch item["type"] as? String {
        case "reasoning":
            let text = (item["summary"] as? [[String: Any]])?.first?["text"] as? String ?? ""
            send("response.output_item.added", ["output_index": index, "item": item.merging(["summary": [Any]()]) { $1 }])
            for piece in ModelReply.halves(text) { send("response.reasoning_summary_text.delta", place(["summary_index": 0, "delta": piece])) }
            send("response.reasoning_summary_text.done", place(["summary_index": 0, "text": text]))
        case "function_call":
            let arguments = item["arguments"] as? String ?? ""
            send("response.output_item.added", ["output_index": index, "item": item.merging(["status": "in_progress", "arguments": ""]) { $1 }])
            send("response.function_call_arguments.delta", place(["delta": arguments]))
            send("response.function_call_arguments.done", place(["arguments": arguments]))
        default:
            let text = (item["content"] as? [[String: Any]])?.first?["text"] as? String ?? ""
            send("response.output_item.added", ["output_index": index, "item": item.merging(["status": "in_progress", "content": [Any]()]) { $1 }])
            send("response.content_part.added", place(["content_index": 0, "part": ModelReply.part("")]))
            for piece in pieces {
                send("response.output_text.delta", place(["content_index": 0, "delta": piece, "logprobs": [Any]()]))
            }
            send("response.output_text.done", place(["content_index": 0, "text": text, "logprobs": [Any]()]))
            send("response.content_part.done", place(["content_index": 0, "part": ModelReply.part(text)]))
        }
        send("response.output_item.done", ["output_index": index, "item": item])
    }
}
