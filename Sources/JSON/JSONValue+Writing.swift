// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A tree as text.
extension JSONValue {
    /// Compact: no white space.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Compact, as UTF-8.
    public var bytes: [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.bytes
    }
}

extension JSONWriter {
    /// A tree, compact.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: raw("null")
        case .bool(let value): value ? raw("true") : raw("false")
        case .number(let number): verbatim(number)
        case .string(let string): text(string)
        case .array(let array):
            byte(UInt8(ascii: "["))
            for element in array {
                separate()
                self.value(element)
            }
            byte(UInt8(ascii: "]"))
        case .object(let object):
            byte(UInt8(ascii: "{"))
            for member in object.members {
                separate()
                text(member.key)
                byte(UInt8(ascii: ":"))
                self.value(member.value)
            }
            byte(UInt8(ascii: "}"))
        }
    }
}
