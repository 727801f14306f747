// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Why bytes are not the JSON that was asked for.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Expected: String, Sendable {
        case value = "a value"
        case valueOrBracket = "a value or ']'"
        case object = "an object"
        case array = "an array"
        case string = "a string"
        case number = "a number"
        case integer = "a whole number"
        case bool = "true or false"
        /// What the reader of a value expects of it beyond its kind.
        case known = "a known value"
        case key = "a key in quotes"
        case keyOrBrace = "a key in quotes or '}'"
        case colon = "':'"
        case commaOrBrace = "',' or '}'"
        case commaOrBracket = "',' or ']'"
        case quote = "the end of the string"
        case escapedControl = "an escape instead of a control character"
        case escape = "one of \"\\/bfnrtu after the backslash"
        case hexDigit = "a hexadecimal digit"
        case otherHalf = "the other half of a surrogate pair"
        case digit = "a digit"
        case literal = "true, false or null"
        case lessDepth = "fewer levels"
        case end = "the end"
    }

    /// Where, counted in bytes from the start.
    public var offset: Int
    public var expected: Expected
    /// The byte there; nil at the end of the bytes, so that what is there may be the start of a good document.
    public var found: UInt8?

    public enum Cause: Sendable {
        /// It is not JSON.
        case syntax
        /// Objects and arrays within each other beyond the limit.
        case depth
        /// It is JSON, and not what was asked for.
        case mismatch
    }

    public var cause: Cause {
        switch expected {
        case .lessDepth: .depth
        case .object, .array, .string, .number, .integer, .bool, .known: found.flatMap(JSONCursor.Kind.init(firstByte:)) == nil ? .syntax : .mismatch
        default: .syntax
        }
    }

    public init(offset: Int, expected: Expected, found: UInt8?) {
        self.offset = offset
        self.expected = expected
        self.found = found
    }

    public var description: String {
        let what: String
        switch found {
        case nil: what = "the end"
        case .some(let byte) where (0x20..<0x7f).contains(byte): what = "'\(Character(Unicode.Scalar(byte)))'"
        case .some(let byte): what = "byte 0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16))"
        }
        return "expected \(expected.rawValue) at byte \(offset), found \(what)"
    }
}
