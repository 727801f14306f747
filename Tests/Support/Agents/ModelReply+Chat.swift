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
                case .number(let number): number
                }
            }
        }
    }

    var json: String { WireJSON.text(object) }
}

extension ModelReply {
    /// How a server of chat completions keeps to what is documented.
    public enum ChatManners: Sendable {
        case exact
        /// As real servers do: the name of a tool in each piece, all calls at the index 0, a reason for the end that does not tell of calls, and
        /// an empty one before.
        case careless
    }

    /// As `/v1/chat/completions` answers.
    ///
    /// - Parameters:
    ///   - thinkingField: where thinking goes.
    ///   - tellsUsage: in a stream, in a chunk of its own.
    public func chat(
        model: String, streams: Bool, manners: ChatManners = .exact, thinkingField: String = "reasoning_content", tellsUsage: Bool = false,
        usage: WireUsage
    ) -> WireAnswer {
        let isExact = manners == .exact
        let reason = !calls.isEmpty && isExact ? "tool_calls" : isCut ? "length" : "stop"
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
        func chunk(_ delta: [String: Any], _ reason: String? = nil) -> String {
            let notYet: Any = isExact ? NSNull() : ""
            let choice: [String: Any] = ["index": 0, "delta": delta, "finish_reason": reason ?? notYet]
            return "data: " + WireJSON.text(object("chat.completion.chunk", [choice])) + "\n\n"
        }
        var events = [chunk(["role": "assistant", "content": ""])]
        if !thinking.isEmpty { events.append(chunk([thinkingField: thinking])) }
        for piece in pieces { events.append(chunk(["content": piece])) }
        for (index, call) in calls.enumerated() {
            func add(_ piece: [String: Any]) { events.append(chunk(["tool_calls": [piece]])) }
            if isExact { add(["index": index, "id": call.id, "type": "function", "function": function(call, "")]) }
            for part in Self.halves(call.arguments.json) {
                add(
                    isExact
                        ? ["index": index, "function": ["arguments": part]]
                        : ["index": 0, "id": call.id, "type": "function", "function": function(call, part)])
            }
        }
        events.append(chunk([:], reason))
        if tellsUsage { events.append("data: " + WireJSON.text(object("chat.completion.chunk", [], ["usage": figures])) + "\n\n") }
        return .events(events + ["data: [DONE]\n\n"])
    }
}
