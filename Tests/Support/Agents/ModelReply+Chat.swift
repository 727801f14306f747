// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// JSON of test servers: keys in order of the alphabet, so that an answer has one form.
enum WireJSON {
    /// Of an answer. Clients take two messages with one id for the same one.
    static func newID() -> String { String(UInt64.random(in: .min ... .max), radix: 36) }

    static func text(_ value: Any) -> String {
        guard let data = try? JSONSerialization.data(withJSONObject: value, options: [.sortedKeys, .withoutEscapingSlashes, .fragmentsAllowed]) else {
            return "null"
        }
        return String(decoding: data, as: UTF8.self)
    }
}

/// An answer as a server sends it: whole, or as events.
public enum WireAnswer: Sendable {
    case whole(String)
    case events([String])
}

/// Tokens of a made-up answer. Four letters are a token.
public struct WireUsage: Sendable {
    public var prompt: Int
    public var completion: Int

    public init(prompt: Int, completion: Int) {
        self.prompt = prompt
        self.completion = completion
    }
}

extension ModelReply.Arguments {
    var object: [String: Any] {
        switch self {
        case .text(let text): ["input": text]
        case .object(let values):
            values.mapValues { value -> Any in
                switch value {
                case .text(let text): text
                case .list(let items): items
                }
            }
        }
    }

    var json: String { WireJSON.text(object) }
}

extension ModelReply {
    /// As `/v1/chat/completions` answers.
    ///
    /// - Parameters:
    ///   - thinkingField: where thinking goes.
    ///   - tellsUsage: in a stream, in a chunk of its own.
    public func chat(
        model: String, streams: Bool, thinkingField: String = "reasoning_content", tellsUsage: Bool = false, usage: WireUsage
    ) -> WireAnswer {
        let reason = !calls.isEmpty ? "tool_calls" : isCut ? "length" : "stop"
        let figures: [String: Any] = [
            "prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "total_tokens": usage.prompt + usage.completion,
        ]
        let id = "chatcmpl-" + WireJSON.newID()
        func object(_ kind: String, _ choices: [[String: Any]], _ extra: [String: Any] = [:]) -> [String: Any] {
            ["id": id, "object": kind, "created": 1_767_225_600, "model": model, "choices": choices].merging(extra) { $1 }
        }
        func function(_ call: Call, _ arguments: String) -> [String: Any] { ["name": call.name, "arguments": arguments] }
        if !streams {
            var message: [String: Any] = ["role": "assistant", "content": text.isEmpty ? NSNull() : text]
            if !thinking.isEmpty { message[thinkingField] = thinking }
            if !calls.isEmpty {
                message["tool_calls"] = calls.map { ["id": $0.id, "type": "function", "function": function($0, $0.arguments.json)] }
            }
            let choice: [String: Any] = ["index": 0, "message": message, "finish_reason": reason]
            return .whole(WireJSON.text(object("chat.completion", [choice], ["usage": figures])))
        }
        func chunk(_ delta: [String: Any], _ reason: Any = NSNull(), _ extra: [String: Any] = [:]) -> String {
            "data: " + WireJSON.text(object("chat.completion.chunk", [["index": 0, "delta": delta, "finish_reason": reason]], extra)) + "\n\n"
        }
        var events = [chunk(["role": "assistant", "content": ""])]
        if !thinking.isEmpty { events.append(chunk([thinkingField: thinking])) }
        for piece in pieces { events.append(chunk(["content": piece])) }
        for (index, call) in calls.enumerated() {
            events.append(chunk(["tool_calls": [["index": index, "id": call.id, "type": "function", "function": function(call, "")]]]))
            for piece in Self.halves(call.arguments.json) {
                events.append(chunk(["tool_calls": [["index": index, "function": ["arguments": piece]]]]))
            }
        }
        events.append(chunk([:], reason))
        if tellsUsage { events.append("data: " + WireJSON.text(object("chat.completion.chunk", [], ["usage": figures])) + "\n\n") }
        return .events(events + ["data: [DONE]\n\n"])
    }
}
