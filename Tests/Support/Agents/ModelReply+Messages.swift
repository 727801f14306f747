// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

extension ModelReply {
    /// As Ollama answers on `/v1/messages`.
    public func messages(model: String, streams: Bool, usage: WireUsage) -> WireAnswer {
        let reason = !calls.isEmpty ? "tool_use" : isCut ? "max_tokens" : "end_turn"
        let head: [String: Any] = ["id": "msg_" + WireJSON.newID(), "type": "message", "role": "assistant", "model": model]
        guard streams else {
            var content: [[String: Any]] = []
            if !thinking.isEmpty { content.append(["type": "thinking", "thinking": thinking]) }
            if !text.isEmpty { content.append(["type": "text", "text": text]) }
            content += calls.map { ["type": "tool_use", "id": $0.id, "name": $0.name, "input": $0.arguments.object] }
            let figures = ["input_tokens": usage.prompt, "output_tokens": usage.completion]
            return .whole(WireJSON.text(head.merging(["content": content, "stop_reason": reason, "usage": figures]) { $1 }))
        }
        var stream = MessagesStream()
        let begun: [String: Any] = ["content": [Any](), "usage": ["input_tokens": usage.prompt, "output_tokens": 0]]
        stream.send("message_start", ["message": head.merging(begun) { $1 }])
        if !thinking.isEmpty {
            stream.block(["type": "thinking", "thinking": ""], Self.halves(thinking).map { ["type": "thinking_delta", "thinking": $0] })
        }
        if !text.isEmpty { stream.block(["type": "text", "text": ""], pieces.map { ["type": "text_delta", "text": $0] }) }
        for call in calls {
            stream.block(
                ["type": "tool_use", "id": call.id, "name": call.name, "input": [String: Any]()],
                [["type": "input_json_delta", "partial_json": call.arguments.json]])
        }
        stream.send(
            "message_delta", ["delta": ["stop_reason": reason], "usage": ["input_tokens": usage.prompt, "output_tokens": usage.completion]])
        stream.send("message_stop", [:])
        return .events(stream.events)
    }
}

/// The blocks of one message, counted.
private struct MessagesStream {
    var events: [String] = []
    private var index = 0

    mutating func send(_ type: String, _ fields: [String: Any]) {
        events.append("event: \(type)\ndata: \(WireJSON.text(fields.merging(["type": type]) { $1 }))\n\n")
    }

    mutating func block(_ start: [String: Any], _ deltas: [[String: Any]]) {
        send("content_block_start", ["index": index, "content_block": start])
        for delta in deltas { send("content_block_delta", ["index": index, "delta": delta]) }
        send("content_block_stop", ["index": index])
        index += 1
    }
}
