// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// What a scripted model is shown, whatever the dialect it came in.
public struct ModelConversation: Sendable {
    public struct Tool: Sendable, Equatable {
        public var name: String
        /// Takes free text instead of an object.
        public var isFreeText = false
        /// Names of its arguments, in order of the alphabet.
        public var arguments: [String] = []
        /// Those of them that are lists.
        public var lists: Set<String> = []
    }

    public enum Role: Sendable {
        case system, user, assistant, tool

        init(_ name: Any?) {
            switch name as? String {
            case "user": self = .user
            case "assistant": self = .assistant
            case "tool": self = .tool
            // Developers are a kind of system.
            default: self = .system
            }
        }
    }

    public struct Turn: Sendable {
        public var role: Role
        public var text: String
        public var images = 0
    }

    public var tools: [Tool] = []
    public var turns: [Turn] = []

    public var hasTask: Bool { work != nil }

    /// The task, and what came after it.
    var work: (task: AgentTask, before: ArraySlice<Turn>, after: ArraySlice<Turn>)? {
        for index in turns.indices.reversed() where turns[index].role == .user {
            if let task = AgentTask.find(in: turns[index].text) { return (task, turns[...index], turns[(index + 1)...]) }
        }
        return nil
    }

    // MARK: Readers

    private typealias Object = [String: Any]

    private static func objects(_ value: Any?) -> [Object] { value as? [Object] ?? [] }

    private mutating func add(_ role: Role, _ content: Any?, images: Int = 0) {
        var turn = Turn(role: role, text: "", images: images)
        if let text = content as? String { turn.text = text }
        for part in Self.objects(content) {
            let type = part["type"] as? String ?? ""
            if let text = part["text"] as? String { turn.text += text }
            if let name = part["tool_name"] as? String { turn.text += name }
            if type.contains("image") { turn.images += 1 }
            // A tool's result has content of its own.
            if type == "tool_result" { add(.tool, part["content"]) }
        }
        if !(turn.text.isEmpty && turn.images == 0) || role == .assistant || role == .tool { turns.append(turn) }
    }

    private mutating func offer(_ name: Any?, _ schema: Any?, isFreeText: Bool = false) {
        guard let name = name as? String else { return }
        let properties = (schema as? Object)?["properties"] as? [String: Object] ?? [:]
        tools.append(
            Tool(
                name: name, isFreeText: isFreeText, arguments: properties.keys.sorted(),
                lists: Set(properties.filter { $1["type"] as? String == "array" }.keys)))
    }

    /// A body of `/v1/chat/completions`, or of Ollama's `/api/chat`, which has the pictures apart.
    public init(chat body: [String: Any]) {
        for tool in Self.objects(body["tools"]) {
            let function = tool["function"] as? Object
            offer(function?["name"], function?["parameters"])
        }
        for message in Self.objects(body["messages"]) {
            add(Role(message["role"]), message["content"], images: (message["images"] as? [Any])?.count ?? 0)
        }
    }

    /// A body of `/v1/messages`.
    public init(messages body: [String: Any]) {
        for tool in Self.objects(body["tools"]) { offer(tool["name"], tool["input_schema"]) }
        add(.system, body["system"])
        for message in Self.objects(body["messages"]) {
            add(Role(message["role"]), message["content"])
        }
    }

    /// A body of `/v1/responses`.
    public init(responses body: [String: Any]) {
        for tool in Self.objects(body["tools"]) {
            switch tool["type"] as? String {
            case "function": offer(tool["name"], tool["parameters"])
            case "custom": offer(tool["name"], nil, isFreeText: true)
            default: break
            }
        }
        add(.system, body["instructions"])
        if let text = body["input"] as? String { add(.user, text) }
        for item in Self.objects(body["input"]) {
            switch item["type"] as? String ?? "message" {
            case "message": add(Role(item["role"]), item["content"])
            case "function_call", "custom_tool_call": add(.assistant, nil)
            case "function_call_output", "custom_tool_call_output": add(.tool, item["output"])
            default: break
            }
        }
    }
}
