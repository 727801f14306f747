// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// A request, read.
struct ReadRequest: Sendable, Equatable {
    /// As the client named it; nil where it did not.
    var model: String?
    var conversation: Conversation
    /// Fields that are left out, for the note to the client.
    var dropped: [String] = []
    /// Of the Responses dialect: what the model's calls are to the client.
    var toolForms = ToolForms()
}

/// What all request readers have in common.
enum RequestReading {
    static func tools(_ value: JSONValue?, _ field: String) throws(TranslationError) -> [JSONValue] {
        guard let value = value.given else { return [] }
        guard let tools = value.array else { throw .malformed(field, "\(field) must be an array, not \(value.kind)") }
        for (index, tool) in tools.enumerated() where tool.object == nil {
            throw .malformed("\(field)[\(index)]", "a tool must be an object, not \(tool.kind)")
        }
        return tools
    }

    /// A tool without a name cannot be called; and what takes three bytes to say must not become fifty.
    static func name(_ tool: JSONValue?, _ field: String) throws(TranslationError) -> String {
        guard let name = tool?["name"].given?.string, !name.isEmpty else { throw .malformed("\(field).name", "a tool needs a name") }
        return name
    }

    /// The names of these fields of sampling, which are the same in several dialects.
    static func sampling(_ body: JSONValue, _ parameters: [Sampling.Parameter]) -> [Sampling.Parameter: JSONValue] {
        var values: [Sampling.Parameter: JSONValue] = [:]
        for parameter in parameters { values[parameter] = body[parameter.rawValue].given }
        return values
    }

    /// A schema under one of OpenAI's two forms of `json_schema`.
    static func schema(_ value: JSONValue?) -> Conversation.Format {
        .schema(name: value?["name"]?.string, value?["schema"].given ?? [:], strict: value?["strict"].given?.bool)
    }

    /// Arguments as the text that they are on the wire of most dialects. Those of a call without any may be an empty text.
    static func arguments(_ value: JSONValue?) -> String {
        guard let value = value.given else { return "{}" }
        let text = value.string ?? value.text
        return text.allSatisfy(\.isWhitespace) ? "{}" : text
    }
}
