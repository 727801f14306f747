// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// What a strict service takes on `/v1/chat/completions`: the fields that are documented, in the forms and the order that are documented.
/// Real services differ in what they forgive; this one forgives nothing.
public struct StrictChat: Sendable {
    /// What it makes of `reasoning_content` in the turns that it is handed back.
    public enum Thinking: Sendable {
        /// An unknown field, as for most services.
        case refused
        /// Demanded with each call of a tool, as DeepSeek does.
        case demanded
    }

    public let thinking: Thinking

    public init(thinking: Thinking = .refused) { self.thinking = thinking }

    private static let fields: Set = [
        "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "stream", "stream_options", "temperature", "top_p", "max_tokens",
        "max_completion_tokens", "stop", "seed", "n", "presence_penalty", "frequency_penalty", "response_format", "user", "logprobs",
        "top_logprobs", "logit_bias", "reasoning_effort", "prompt_cache_key",
    ]

    private typealias Object = [String: Any]

    private struct Refusal: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    /// Why it refuses the request, or nil.
    public func refusal(of body: [String: Any]) -> String? {
        do {
            try check(body)
            return nil
        } catch let refusal as Refusal {
            return refusal.text
        } catch {
            return "\(error)"
        }
    }

    private func only(_ allowed: Set<String>, in object: Object, at place: String) throws {
        for key in object.keys.sorted() where !allowed.contains(key) { throw Refusal("\(place): unknown field '\(key)'") }
    }

    private func check(_ body: Object) throws {
        try only(Self.fields, in: body, at: "body")
        guard body["model"] is String else { throw Refusal("model is no text") }
        guard let messages = body["messages"] as? [Object], !messages.isEmpty else { throw Refusal("messages: a list of objects is needed") }
        if let user = body["user"], (user as? String)?.count ?? 65 > 64 { throw Refusal("user: at most 64 characters") }
        if let options = body["stream_options"] {
            guard let options = options as? Object, body["stream"] as? Bool == true else { throw Refusal("stream_options: only with stream") }
            try only(["include_usage"], in: options, at: "stream_options")
        }
        if let stop = body["stop"] as? [Any], stop.count > 4 { throw Refusal("stop: at most 4") }
        if let effort = body["reasoning_effort"], !["minimal", "low", "medium", "high"].contains(effort as? String) {
            throw Refusal("reasoning_effort: \(effort)")
        }
        try checkTools(body)
        try checkMessages(messages)
    }

    // MARK: Tools

    private static let letters = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-".utf8)

    private static func isName(_ name: String) -> Bool { (1...64).contains(name.utf8.count) && name.utf8.allSatisfy(letters.contains) }

    private func checkTools(_ body: Object) throws {
        guard let list = body["tools"] else {
            for name in ["tool_choice", "parallel_tool_calls"] where body[name] != nil { throw Refusal("\(name): only with tools") }
            return
        }
        guard let tools = list as? [Object], !tools.isEmpty else { throw Refusal("tools: a list with at least one tool is needed") }
        var names: Set<String> = []
        for (index, tool) in tools.enumerated() {
            let place = "tools[\(index)]"
            try only(["type", "function"], in: tool, at: place)
            guard tool["type"] as? String == "function", let function = tool["function"] as? Object else { throw Refusal("\(place): no function") }
            try only(["name", "description", "parameters", "strict"], in: function, at: place)
            guard let name = function["name"] as? String, Self.isName(name) else { throw Refusal("\(place): name \(function["name"] ?? "")") }
            if !names.insert(name).inserted { throw Refusal("\(place): the name \(name) is taken") }
            if let schema = function["parameters"], (schema as? Object)?["type"] as? String != "object" {
                throw Refusal("\(place): parameters are no schema of an object")
            }
        }
        switch body["tool_choice"] {
        case nil: break
        case let word as String where ["none", "auto", "required"].contains(word): break
        case let choice as Object where names.contains((choice["function"] as? Object)?["name"] as? String ?? ""): break
        default: throw Refusal("tool_choice: \(body["tool_choice"] ?? "")")
        }
    }

    // MARK: Messages

    private func checkMessages(_ messages: [Object]) throws {
        /// Calls of the last turn that have no result yet.
        var open: Set<String> = []
        var ids: Set<String> = []
        for (index, message) in messages.enumerated() {
            let place = "messages[\(index)]"
            let role = message["role"] as? String ?? ""
            if role != "tool", !open.isEmpty { throw Refusal("\(place): the calls \(open.sorted()) have no result") }
            switch role {
            case "system":
                if index > 0 { throw Refusal("\(place): System message must be at the beginning") }
                try only(["role", "content", "name"], in: message, at: place)
                try checkContent(message["content"], at: place, images: false)
            case "user":
                try only(["role", "content", "name"], in: message, at: place)
                try checkContent(message["content"], at: place, images: true)
            case "assistant":
                open = try checkAnswer(message, at: place)
                if !ids.isDisjoint(with: open) { throw Refusal("\(place): an id is used twice") }
                ids.formUnion(open)
            case "tool":
                try only(["role", "content", "name", "tool_call_id"], in: message, at: place)
                guard let id = message["tool_call_id"] as? String, open.remove(id) != nil else {
                    throw Refusal("\(place): a result of no call: \(message["tool_call_id"] ?? "")")
                }
                try checkContent(message["content"], at: place, images: false)
            default: throw Refusal("\(place): role '\(role)'")
            }
        }
        if !open.isEmpty { throw Refusal("the calls \(open.sorted()) have no result") }
        if messages.last?["role"] as? String == "assistant" { throw Refusal("the last message is the assistant's") }
    }

    /// - Returns: ids of its calls.
    private func checkAnswer(_ message: Object, at place: String) throws -> Set<String> {
        try only(
            Set(["role", "content", "name", "tool_calls"]).union(thinking == .demanded ? ["reasoning_content"] : []), in: message, at: place)
        let calls = message["tool_calls"] as? [Object] ?? []
        if message["tool_calls"] != nil, calls.isEmpty { throw Refusal("\(place): tool_calls is empty") }
        if !calls.isEmpty, thinking == .demanded, (message["reasoning_content"] as? String ?? "").isEmpty {
            throw Refusal("\(place): The `reasoning_content` in the thinking mode must be passed back to the API.")
        }
        // Who calls tools need not say anything.
        let isSilent = message["content"] == nil || message["content"] is NSNull
        if calls.isEmpty || !isSilent { try checkContent(message["content"], at: place, images: false) }
        var ids: Set<String> = []
        for call in calls {
            // The index is of no use here, but clients hand back what a stream gave them.
            try only(["id", "type", "function", "index"], in: call, at: place)
            guard call["type"] as? String == "function", let function = call["function"] as? Object else { throw Refusal("\(place): no function") }
            try only(["name", "arguments"], in: function, at: place)
            guard let name = function["name"] as? String, Self.isName(name) else { throw Refusal("\(place): name \(function["name"] ?? "")") }
            guard let arguments = function["arguments"] as? String,
                (try? JSONSerialization.jsonObject(with: Data(arguments.utf8))) is [String: Any]
            else { throw Refusal("\(place): the arguments of \(name) are no object: \(function["arguments"] ?? "")") }
            guard let id = call["id"] as? String, !id.isEmpty, ids.insert(id).inserted else { throw Refusal("\(place): the id of \(name)") }
        }
        return ids
    }

    private func checkContent(_ content: Any?, at place: String, images: Bool) throws {
        if content is String { return }
        guard let parts = content as? [Object], !parts.isEmpty else { throw Refusal("\(place): content is no text and no list of parts") }
        for part in parts {
            switch part["type"] as? String {
            case "text":
                try only(["type", "text"], in: part, at: place)
                guard part["text"] is String else { throw Refusal("\(place): a part without its text") }
            case "image_url" where images:
                try only(["type", "image_url"], in: part, at: place)
                guard let image = part["image_url"] as? Object, let url = image["url"] as? String, url.hasPrefix("data:image/") else {
                    throw Refusal("\(place): an image without its URL")
                }
                try only(["url", "detail"], in: image, at: place)
            default: throw Refusal("\(place): a part of type \(part["type"] ?? "none")")
            }
        }
    }
}
