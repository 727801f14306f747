// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// The items of which the input of the Responses dialect is made.
struct ResponsesItems {
    private(set) var conversation: Conversation
    /// Items may bring tools, too.
    private(set) var tools: ResponsesTools
    /// Items that are left out, each kind once.
    private(set) var dropped: [String] = []

    init(conversation: Conversation, tools: ResponsesTools) {
        self.conversation = conversation
        self.tools = tools
    }

    mutating func read(_ item: JSONValue, field: String) throws(TranslationError) {
        let type = item["type"].given?.string ?? "message"
        switch type {
        case "message": try message(item, field: field)
        case "reasoning": reasoning(item)
        case "function_call", "custom_tool_call":
            let name = ToolForms.flat(item["name"]?.string ?? "", in: item["namespace"].given?.string)
            let arguments =
                type == "function_call"
                ? RequestReading.arguments(item["arguments"]) : ToolForms.arguments(of: item["input"].given?.string ?? "")
            conversation.appendToAssistant(.call(ToolCall(id: item["call_id"]?.string ?? "", name: name, arguments: arguments)))
        case "function_call_output", "custom_tool_call_output":
            conversation.append(
                ToolResult(callID: item["call_id"]?.string ?? "", parts: try parts(item["output"].given ?? "", field: "\(field).output")))
        case "additional_tools": try tools.read(item["tools"], field: "\(field).tools")
        case "item_reference": throw .unsupported(field, "the router keeps no items: send the item itself")
        case "local_shell_call", "shell_call", "apply_patch_call":
            let action = (item["action"] ?? item["operation"]).given ?? [:]
            let name = String(type.dropLast("_call".count))
            conversation.appendToAssistant(.call(ToolCall(id: item["call_id"]?.string ?? "", name: name, arguments: action.text)))
        case "local_shell_call_output", "shell_call_output", "apply_patch_call_output":
            let output = item["output"].given
            conversation.append(ToolResult(callID: item["call_id"]?.string ?? "", parts: [.text(output?.string ?? output?.text ?? "")]))
        default:
            guard Self.isVendorOnly(type) else { throw .unsupported(field, "an item of type '\(type)' has no counterpart at the endpoint") }
            if !dropped.contains(type) { dropped.append(type) }
        }
    }

    /// What the vendor's own tools did, and what only the vendor can read.
    private static func isVendorOnly(_ type: String) -> Bool {
        [
            "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call", "mcp_list_tools",
            "mcp_approval_request", "mcp_approval_response", "tool_search_call", "tool_search_output",
        ].contains(type)
    }

    private mutating func message(_ item: JSONValue, field: String) throws(TranslationError) {
        guard let role = item["role"]?.string else { throw .malformed("\(field).role", "a message needs a role") }
        let parts = try parts(item["content"].given ?? "", field: "\(field).content")
        switch role {
        // The newer name for instructions.
        case "developer", "system": conversation.turns.append(Turn(.system, parts))
        case "user": conversation.turns.append(Turn(.user, parts))
        case "assistant": for part in parts { conversation.appendToAssistant(part) }
        default: throw .malformed("\(field).role", "a message's role must be user, assistant, system or developer, not '\(role)'")
        }
    }

    /// The thoughts themselves where they are there, else their summary.
    private mutating func reasoning(_ item: JSONValue) {
        func text(_ key: String) -> String { (item[key].given?.array ?? []).compactMap { $0["text"]?.string }.joined(separator: "\n") }
        let content = text("content")
        let thought = content.isEmpty ? text("summary") : content
        guard !thought.isEmpty else { return }
        conversation.appendToAssistant(.thinking(Thinking(thought, signature: item["encrypted_content"].given?.string)))
    }

    private func parts(_ content: JSONValue, field: String) throws(TranslationError) -> [Part] {
        if let text = content.string { return [.text(text)] }
        guard let list = content.array else { throw .malformed(field, "content must be a string or an array of parts") }
        var parts: [Part] = []
        for (index, part) in list.enumerated() {
            switch part["type"]?.string {
            case "input_text"?, "output_text"?, "text"?, "refusal"?: parts.append(.text((part["text"] ?? part["refusal"])?.string ?? ""))
            case "input_image"?:
                guard let url = part["image_url"].given?.string else {
                    throw .unsupported("\(field)[\(index)].file_id", "the router keeps no files: send the image itself")
                }
                parts.append(.image(Image(url: url, detail: part["detail"].given?.string)))
            case "input_file"?:
                guard case .base64(let type, let data) = Image(url: part["file_data"].given?.string ?? "").source else {
                    throw .unsupported("\(field)[\(index)]", "the router keeps no files: send the file itself, as a data URL")
                }
                parts.append(.document(Document(source: .base64(type: type, data: data), title: part["filename"].given?.string)))
            case let type: throw .unsupported("\(field)[\(index)]", "a part of type '\(type ?? "")' has no counterpart at the endpoint")
            }
        }
        return parts
    }
}
