// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

extension ModelReply {
    /// As Ollama answers on `/api/chat`: calls come whole, and without ids.
    public func ollama(model: String, streams: Bool, now: String, usage: WireUsage) -> WireAnswer {
        let head: [String: Any] = ["model": model, "created_at": now]
        let end: [String: Any] = [
            "done": true, "done_reason": isCut ? "length" : "stop", "total_duration": 2_000_000, "load_duration": 1_000_000,
            "prompt_eval_count": usage.prompt, "prompt_eval_duration": 500_000, "eval_count": usage.completion, "eval_duration": 500_000,
        ]
        func object(_ message: [String: Any], _ rest: [String: Any]) -> String {
            let message = ["role": "assistant", "content": ""].merging(message) { $1 }
            return WireJSON.text(head.merging(["message": message]) { $1 }.merging(rest) { $1 })
        }
        let calls = calls.map { ["function": ["name": $0.name, "arguments": $0.arguments.object]] }
        guard streams else {
            var message: [String: Any] = ["content": text]
            if !thinking.isEmpty { message["thinking"] = thinking }
            if !calls.isEmpty { message["tool_calls"] = calls }
            return .whole(object(message, end))
        }
        var messages = thinking.isEmpty ? [] : [["thinking": thinking]]
        messages += pieces.map { ["content": $0] }
        let lines = (messages as [[String: Any]] + calls.map { ["tool_calls": [$0]] }).map { object($0, ["done": false]) } + [object([:], end)]
        return .events(lines.map { $0 + "\n" })
    }
}
