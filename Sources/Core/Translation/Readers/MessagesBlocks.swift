// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// The blocks of which Anthropic's messages are made.
struct MessagesBlocks {
    /// Blocks that are left out, each kind once.
    private(set) var dropped: [String] = []

    /// One message may become two turns: results of tools are a turn of their own.
    mutating func turns(of message: JSONValue, field: String) throws(TranslationError) -> [Turn] {
        guard let name = message["role"]?.string, let role = Turn.Role(rawValue: name), role != .tool else {
            throw .malformed("\(field).role", "a message's role must be user or assistant")
        }
        guard let content = message["content"].given else { throw .malformed("\(field).content", "a message needs content") }
        if let text = content.string { return [Turn(role, [.text(text)])] }
        guard let blocks = content.array else { throw .malformed("\(field).content", "content must be a string or an array of blocks") }
        var results: [Part] = []
        var parts: [Part] = []
        for (index, block) in blocks.enumerated() {
            guard let part = try part(block, role, field: "\(field).content[\(index)]") else { continue }
            if case .result = part { results.append(part) } else { parts.append(part) }
        }
        return (results.isEmpty ? [] : [Turn(.tool, results)]) + (parts.isEmpty ? [] : [Turn(role, parts)])
    }

    /// Nil for what is left out.
    private mutating func part(_ block: JSONValue, _ role: Turn.Role, field: String) throws(TranslationError) -> Part? {
        let type = block["type"]?.string ?? ""
        switch type {
        case "tool_use":
            return .call(
                ToolCall(
                    id: block["id"]?.string ?? "", name: block["name"]?.string ?? "", arguments: RequestReading.arguments(block["input"].given ?? [:])
                ))
        case "tool_result":
            return .result(
                ToolResult(
                    callID: block["tool_use_id"]?.string ?? "", parts: try content(block["content"].given, field: "\(field).content"),
                    isError: block["is_error"].given?.bool == true))
        case "thinking":
            let signature = block["signature"].given?.string ?? ""
            return .thinking(Thinking(block["thinking"]?.string ?? "", signature: signature.isEmpty ? nil : signature))
        default:
            if Self.isVendorOnly(type) {
                drop(type)
                return nil
            }
            return try plain(block, field: field)
        }
    }

    /// Thoughts that only the vendor can read, and what its own tools did.
    private static func isVendorOnly(_ type: String) -> Bool {
        if ["redacted_thinking", "server_tool_use", "mcp_tool_use", "mcp_tool_result", "fallback"].contains(type) { return true }
        return type.hasSuffix("_tool_result")
    }

    private mutating func drop(_ type: String) {
        if !dropped.contains(type) { dropped.append(type) }
    }

    /// Of a result: a string, or blocks.
    private mutating func content(_ value: JSONValue?, field: String) throws(TranslationError) -> [Part] {
        guard let value else { return [] }
        if let text = value.string { return [.text(text)] }
        guard let blocks = value.array else { throw .malformed(field, "\(field) must be a string or an array of blocks") }
        var parts: [Part] = []
        for (index, block) in blocks.enumerated() {
            parts.append(try plain(block, field: "\(field)[\(index)]"))
        }
        return parts
    }

    /// What a user or a tool shows.
    private func plain(_ block: JSONValue, field: String) throws(TranslationError) -> Part {
        switch block["type"]?.string {
        case "text"?: return .text(block["text"]?.string ?? "")
        case "image"?: return .image(try image(block, field: field))
        case "document"?: return try document(block, field: field)
        case "search_result"?:
            let head = [block["title"].given?.string, block["source"].given?.string].compactMap { $0 }
            return .text((head + (try texts(block["content"].given ?? "", field: "\(field).content"))).joined(separator: "\n"))
        case "tool_reference"?: return .text("The tool \(block["tool_name"]?.string ?? "") can be used.")
        case "compaction"?: return .text(block["content"].given?.string ?? "")
        case let type: throw .unsupported(field, "a block of type '\(type ?? "")' has no counterpart at the endpoint")
        }
    }

    private func image(_ block: JSONValue, field: String) throws(TranslationError) -> Image {
        let source = block["source"]
        switch source?["type"]?.string {
        case "base64"?: return Image(.base64(type: source?["media_type"]?.string ?? "image/jpeg", data: source?["data"]?.string ?? ""))
        case "url"?: return Image(url: source?["url"]?.string ?? "")
        case let type: throw .unsupported("\(field).source.type", "an image of source '\(type ?? "")' has no counterpart at the endpoint")
        }
    }

    private func document(_ block: JSONValue, field: String) throws(TranslationError) -> Part {
        let source = block["source"]
        let title = block["title"].given?.string
        switch source?["type"]?.string {
        case "text"?: return .document(Document(source: .text(source?["data"]?.string ?? ""), title: title))
        case "content"?:
            let texts = try texts(source?["content"].given ?? "", field: "\(field).source.content")
            return .document(Document(source: .text(texts.joined(separator: "\n")), title: title))
        case "base64"?:
            let type = source?["media_type"]?.string ?? "application/pdf"
            return .document(Document(source: .base64(type: type, data: source?["data"]?.string ?? ""), title: title))
        case let type: throw .unsupported("\(field).source.type", "a document of source '\(type ?? "")' has no counterpart at the endpoint")
        }
    }

    /// A string, or blocks of text.
    func texts(_ value: JSONValue, field: String) throws(TranslationError) -> [String] {
        if let text = value.string { return [text] }
        guard let blocks = value.array else { throw .malformed(field, "\(field) must be a string or an array of blocks") }
        var texts: [String] = []
        for (index, block) in blocks.enumerated() {
            guard block["type"] == "text", let text = block["text"]?.string else {
                throw .unsupported("\(field)[\(index)]", "only text can stand in \(field)")
            }
            texts.append(text)
        }
        return texts
    }
}
