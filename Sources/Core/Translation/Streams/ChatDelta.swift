// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// A look at one item of a stream of chat completions, in one pass and without a tree.
enum ChatDelta {
    enum Glance: Equatable {
        /// Text and nothing else that matters: where it stands, without its quotes.
        case text(Range<Int>)
        case thinking(Range<Int>, ThinkingWord)
        /// Nothing that matters, such as a role.
        case nothing
        /// Something else: it must be read as a whole.
        case more
    }

    /// Anything that is not as expected, text that is no JSON included, is `more`.
    static func glance(_ item: UnsafeRawBufferPointer) -> Glance {
        guard item.first == UInt8(ascii: "{") else { return .more }
        var looking = Looking()
        do throws(JSONError) {
            var cursor = JSONCursor(item, rules: JSONCursor.Rules(maxDepth: JSONValue.maxDepth))
            try cursor.takeObject { key, cursor throws(JSONError) in try looking.member(key, &cursor) }
        } catch {
            return .more
        }
        if looking.isMore { return .more }
        // Without choices it is no item of such a stream, but perhaps an error.
        return looking.hasChoice ? looking.found ?? .nothing : .more
    }

    private struct Looking {
        var found: Glance?
        var hasChoice = false
        var isMore = false

        mutating func member(_ key: Range<Int>, _ cursor: inout JSONCursor) throws(JSONError) {
            if cursor.isKey(key, "choices") {
                var looking = self
                try cursor.takeArray { cursor throws(JSONError) in
                    if looking.hasChoice { looking.isMore = true }
                    looking.hasChoice = true
                    try cursor.takeObject { key, cursor throws(JSONError) in try looking.choiceMember(key, &cursor) }
                }
                self = looking
                return
            }
            let value = try cursor.next()
            guard !isNothing(value) else { return }
            for name in ["usage", "timings", "error", "code"] as [StaticString] where cursor.isKey(key, name) { isMore = true }
        }

        private mutating func choiceMember(_ key: Range<Int>, _ cursor: inout JSONCursor) throws(JSONError) {
            if cursor.isKey(key, "delta") {
                var looking = self
                try cursor.takeObject { key, cursor throws(JSONError) in try looking.deltaMember(key, &cursor) }
                self = looking
                return
            }
            let value = try cursor.next()
            if cursor.isKey(key, "index") || isNothing(value) { return }
            if cursor.isKey(key, "text"), value.kind == .string { return find(.text(Self.inside(value))) }
            isMore = true
        }

        private mutating func deltaMember(_ key: Range<Int>, _ cursor: inout JSONCursor) throws(JSONError) {
            let value = try cursor.next()
            if cursor.isKey(key, "role") || isNothing(value) { return }
            guard value.kind == .string else {
                isMore = true
                return
            }
            if cursor.isKey(key, "content") {
                find(.text(Self.inside(value)))
            } else if cursor.isKey(key, "reasoning_content") {
                find(.thinking(Self.inside(value), .reasoningContent))
            } else if cursor.isKey(key, "reasoning") {
                find(.thinking(Self.inside(value), .reasoning))
            } else {
                isMore = true
            }
        }

        private mutating func find(_ what: Glance) {
            if found == nil { found = what } else { isMore = true }
        }

        /// `null`, `""`, `[]`, `{}`.
        private func isNothing(_ value: JSONCursor.Value) -> Bool {
            value.kind == .null || (value.range.count == 2 && value.kind != .number)
        }

        private static func inside(_ value: JSONCursor.Value) -> Range<Int> { value.range.lowerBound + 1..<value.range.upperBound - 1 }
    }
}
