// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Whether a request of Ollama's asks that its model leave memory: it has nothing to say, and its `keep_alive` is zero.
///
/// Ollama answers it without a load, whatever its `options` are. The same without `keep_alive`, or with any other, asks for a load.
struct UnloadReading {
    private enum Said {
        case prompt, messages
    }

    /// What would have to be answered.
    private let said: Said
    private var saysSomething = false
    private var keepsNothing = false

    /// Nil for routes on which nothing is unloaded.
    init?(_ operation: Operation) {
        switch operation {
        case .ollamaGenerate: said = .prompt
        case .ollamaChat: said = .messages
        default: return nil
        }
    }

    var isUnload: Bool { keepsNothing && !saysSomething }

    /// Of several members with one name the last counts. `null` empties a list and a duration, and leaves a text as it was.
    mutating func read(_ cursor: JSONCursor, _ member: JSONCursor.Member) {
        let value = member.value
        if cursor.keyMatches(member, "keep_alive") {
            keepsNothing = Self.isZero(cursor, value)
            return
        }
        switch said {
        case .prompt where cursor.keyMatches(member, "prompt"):
            if value.kind != .null { saysSomething = value.kind != .string || value.range.count > 2 }
        case .messages where cursor.keyMatches(member, "messages"):
            saysSomething = value.kind != .null && !Self.isEmptyList(cursor, value)
        case .prompt, .messages: break
        }
    }

    private static func isEmptyList(_ cursor: JSONCursor, _ value: JSONCursor.Value) -> Bool {
        guard value.kind == .array else { return false }
        return cursor.bytes[value.range.lowerBound + 1..<value.range.upperBound - 1].allSatisfy { $0 <= 0x20 }
    }

    /// `0`, `"0"`, `"0s"`, `"0h0m"`.
    private static func isZero(_ cursor: JSONCursor, _ value: JSONCursor.Value) -> Bool {
        if let number = cursor.double(value) { return number == 0 }
        guard let text = cursor.string(value), text.contains("0") else { return false }
        return text.allSatisfy { "0.+-hmsun\u{b5}\u{3bc}".contains($0) }
    }
}
