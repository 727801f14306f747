// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What was left out of a request, for `X-Routerd-Note`.
enum FieldNote {
    /// Fields that are named; there may be more.
    private static let namedFields = 20
    private static let nameLength = 64

    /// "left out: context_management, speed". Names come from the client: what may not stand in a header is replaced.
    static func text(_ fields: [String]) -> String {
        let named = fields.prefix(namedFields).map { field in
            String(field.unicodeScalars.prefix(nameLength).map { isPlain($0) ? Character($0) : "?" })
        }
        let more = fields.count - named.count
        return "left out: " + named.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    }

    /// What an endpoint does not want to hear, as the client called it.
    static func names(_ fields: Set<OptionalField>, in operation: Operation) -> [String] {
        var names: [String] = []
        for field in OptionalField.allCases where fields.contains(field) {
            let name = name(field, in: operation)
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    private static func name(_ field: OptionalField, in operation: Operation) -> String {
        switch (field, operation) {
        case (.reasoningEffort, .messages): "output_config.effort"
        case (.parallelCalls, .messages): "tool_choice.disable_parallel_tool_use"
        case (.think, .messages), (.templateArguments, .messages): "thinking"
        case (.reasoningEffort, .responses), (.think, .responses): "reasoning.effort"
        case (.reasoningEffort, .ollamaChat), (.reasoningEffort, .ollamaGenerate): "think"
        case (.templateArguments, .ollamaChat), (.templateArguments, .ollamaGenerate): "think"
        case (.think, .chat): "reasoning_effort"
        default: field.rawValue
        }
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && scalar.value > 0x20 && scalar != "," && scalar.value < 0x7f || scalar == " "
    }
}
