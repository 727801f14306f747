// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// One spelling for all spellings of a JSON document: keys sorted, no white space, numbers in one form. Two documents that mean
/// the same have the same bytes.
enum CanonicalJSON {
    /// An object has a key twice, or two keys that readers which ignore case take for one. Which of the values counts is for the
    /// reader to say (Ollama's even merges some), so that such a document has no single meaning.
    struct Ambiguous: Error, Equatable {
        var key: String
    }

    static func bytes(of value: JSONValue) throws(Ambiguous) -> [UInt8] {
        var bytes: [UInt8] = []
        try write(value, into: &bytes)
        return bytes
    }

    static func write(_ value: JSONValue, into bytes: inout [UInt8]) throws(Ambiguous) {
        switch value {
        case .null: bytes += "null".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .number(let text): bytes += number(text).utf8
        case .string(let text): bytes += JSONText.quoted(text).utf8
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                try write(element, into: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let object):
            bytes.append(UInt8(ascii: "{"))
            var seen: Set<String> = []
            for (index, member) in object.members.sorted(by: { $0.key < $1.key }).enumerated() {
                guard seen.insert(folded(member.key)).inserted else { throw Ambiguous(key: member.key) }
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes += JSONText.quoted(member.key).utf8
                bytes.append(UInt8(ascii: ":"))
                try write(member.value, into: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// As Go's encoding/json compares keys: without case, by Unicode's simple folding.
    private static func folded(_ key: String) -> String {
        let lower = key.lowercased()
        return lower.utf8.allSatisfy { $0 < 0x80 } ? lower : String(lower.map { $0 == "\u{17F}" ? "s" : $0 })
    }

    /// `1`, `1.0`, `10e-1` as `1`; `0.50` as `5e-1`: the digits without zeros at either end, and the power of ten. Exact, whatever
    /// the number's length.
    static func number(_ text: String) -> String {
        var rest = Substring(text)
        let sign = rest.first == "-" ? "-" : ""
        if !sign.isEmpty { rest = rest.dropFirst() }
        var exponent = 0
        if let mark = rest.firstIndex(where: { $0 == "e" || $0 == "E" }) {
            let power = rest[rest.index(after: mark)...]
            // Nobody means such a number; it keeps its spelling.
            guard power.utf8.count <= 9, let value = Int(power.first == "+" ? power.dropFirst() : power) else { return text }
            exponent = value
            rest = rest[..<mark]
        }
        if let point = rest.firstIndex(of: ".") {
            exponent -= rest[rest.index(after: point)...].utf8.count
            rest.remove(at: point)
        }
        var digits = rest.drop { $0 == "0" }
        while digits.last == "0" {
            digits.removeLast()
            exponent += 1
        }
        if digits.isEmpty { return "0" }
        return sign + digits + (exponent == 0 ? "" : "e\(exponent)")
    }
}
