// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What the probes have in common when they read an answer: everything that is not as it should be becomes `badAnswer` with what
/// was wrong, and unknown members mean nothing.
enum ProbeReading {
    /// Runs `body` on the members of the object that is the answer.
    static func members(
        of answer: [UInt8], _ body: (JSONCursor, JSONCursor.Member) throws -> Void
    ) throws(ProbeError) {
        do {
            try answer.withUnsafeBytes { bytes in
                let cursor = JSONCursor(bytes)
                var members = try cursor.members()
                while let member = try members.next() { try body(cursor, member) }
            }
        } catch let error as ProbeError {
            throw error
        } catch {
            throw .badAnswer("\(error)\(excerpt(answer))")
        }
    }

    /// The entries of the list that the answer has under `name`; null means none, as Go writes an empty list.
    ///
    /// - Parameter read: one entry, an object; nil from it leaves the entry out.
    static func list<Entry>(
        _ name: StaticString, of answer: [UInt8], _ read: (JSONCursor, JSONCursor.Value, [UInt8]) throws -> Entry
    ) throws(ProbeError) -> [Entry] {
        var entries: [Entry]?
        try members(of: answer) { cursor, member in
            guard cursor.keyMatches(member, name) else { return }
            var found: [Entry] = []
            if member.value.kind != .null {
                var elements = try cursor.elements(of: member.value)
                while let value = try elements.next() {
                    guard value.kind == .object else { throw ProbeError.badAnswer("\(name)[\(found.count)] is no object") }
                    do {
                        found.append(try read(cursor, value, Array(cursor.bytes[value.range])))
                    } catch MissingMember.named(let missing) {
                        throw ProbeError.badAnswer("\(name)[\(found.count)] has no \(missing)")
                    }
                }
            }
            entries = found
        }
        guard let entries else { throw .badAnswer("no \"\(name)\" in it\(excerpt(answer))") }
        return entries
    }

    /// So many other names of one model are read.
    private static let aliasLimit = 256

    /// The other names of a model, as one member of its entry in `data[]` tells them: `aliases` (llama-server), or `aliases` within
    /// `meta.llamaswap` (llama-swap). Empty for any other member.
    static func aliases(_ cursor: JSONCursor, _ member: JSONCursor.Member) throws -> [String] {
        if cursor.keyMatches(member, "aliases"), member.value.kind == .array {
            var names: [String] = []
            var elements = try cursor.elements(of: member.value)
            while let value = try elements.next(), names.count < aliasLimit {
                if let name = cursor.string(value), !name.isEmpty { names.append(name) }
            }
            return names
        }
        guard cursor.keyMatches(member, "meta") || cursor.keyMatches(member, "llamaswap"), member.value.kind == .object else { return [] }
        var names: [String] = []
        var inner = try cursor.members(of: member.value)
        while let part = try inner.next() {
            // Of its many members only these two lead on.
            if cursor.keyMatches(part, cursor.keyMatches(member, "meta") ? "llamaswap" : "aliases") { names += try aliases(cursor, part) }
        }
        return names
    }

    /// Thrown by the reader of one entry where it lacks what gives it a meaning.
    enum MissingMember: Error {
        case named(String)
    }

    /// What an error answer says: `{"error": "..."}` or `{"error": {"message": "..."}}`; empty otherwise. At most 200 characters.
    static func errorMessage(_ answer: [UInt8]) -> String {
        var message = ""
        // What is no JSON carries no message.
        try? members(of: answer) { cursor, member in
            guard cursor.keyMatches(member, "error") else { return }
            if let text = cursor.string(member.value) {
                message = text
            } else if member.value.kind == .object {
                var inner = try cursor.members(of: member.value)
                while let member = try inner.next() {
                    if cursor.keyMatches(member, "message") { message = cursor.string(member.value) ?? message }
                }
            }
        }
        return printable(message, limit: 200)
    }

    /// The beginning of an answer, for the operator who wonders what it is.
    private static func excerpt(_ answer: [UInt8]) -> String {
        answer.isEmpty ? "" : ", it begins \"\(printable(String(decoding: answer.prefix(40), as: UTF8.self), limit: 40))\""
    }

    /// An endpoint's own text, fit for a terminal and a log.
    private static func printable(_ text: String, limit: Int) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit).map { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) ? " " : $0 }))
    }
}
