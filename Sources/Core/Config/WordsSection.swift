// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Yams

/// `words:` of an endpoint: what it wants to hear, where that is known better than the router can find out.
enum WordsSection {
    private static let keys = ["max_tokens", "thinking", "system", "refuses", "messages", "responses"]
    private static let noThinking = "none"

    static func read(_ node: Node, with reader: inout ValueReader) -> WordSettings? {
        guard let members = reader.members(node, known: keys, of: "words") else { return nil }
        var words = WordSettings()
        if let node = members["max_tokens"] { words.limit = reader.choice(node) }
        if let node = members["thinking"], let text = reader.choice(node, ThinkingWord.allCases.map(\.rawValue) + [noThinking]) {
            words.thinking = ThinkingWord(rawValue: text).map(ThinkingBack.handed) ?? .leftOut
        }
        if let node = members["system"] { words.system = reader.choice(node) }
        if let node = members["refuses"] { words.refused = refused(node, with: &reader) }
        if let node = members["messages"] { words.speaksMessages = speaks(node, with: &reader) }
        if let node = members["responses"] { words.speaksResponses = speaks(node, with: &reader) }
        return words.isEmpty ? nil : words
    }

    private static func refused(_ node: Node, with reader: inout ValueReader) -> Set<OptionalField> {
        guard let entries = node.sequence else {
            let names = OptionalField.allCases.map(\.rawValue).joined(separator: ", ")
            reader.fault(node, "expected a list with any of \(names), not \(ValueReader.kind(node))")
            return []
        }
        var fields: Set<OptionalField> = []
        for entry in entries { if let field: OptionalField = reader.choice(entry) { fields.insert(field) } }
        return fields
    }

    private static func speaks(_ node: Node, with reader: inout ValueReader) -> Bool? {
        reader.choice(node, ["native", "translated"]).map { $0 == "native" }
    }
}
