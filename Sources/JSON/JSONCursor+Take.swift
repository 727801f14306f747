// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Decoding one value after the other, where all of them are wanted. What is JSON and something else than was asked for throws an
/// error whose cause is `mismatch`.
extension JSONCursor {
    // MARK: Values

    public mutating func takeText() throws(JSONError) -> String {
        skipSpace()
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { throw error(.string) }
        let start = offset + 1
        let hasEscapes = try skipString()
        return text(between: start..<offset - 1, hasEscapes: hasEscapes)
    }

    public mutating func takeBool() throws(JSONError) -> Bool {
        skipSpace()
        guard offset < bytes.count else { throw error(.bool) }
        switch bytes[offset] {
        case UInt8(ascii: "t"):
            try skipLiteral("true")
            return true
        case UInt8(ascii: "f"):
            try skipLiteral("false")
            return false
        default: throw error(.bool)
        }
    }

    /// Takes `null` if it is the next.
    public mutating func takeNull() throws(JSONError) -> Bool {
        skipSpace()
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: "n") else { return false }
        try skipLiteral("null")
        return true
    }

    /// A whole number that fits.
    public mutating func takeInteger() throws(JSONError) -> Int {
        let value = try takeNumber(.integer)
        guard let integer = integer(value) else { throw error(.integer, at: value.range.lowerBound) }
        return integer
    }

    /// A number that is finite.
    public mutating func takeDouble() throws(JSONError) -> Double {
        let value = try takeNumber(.number)
        guard let double = double(value), double.isFinite else { throw error(.number, at: value.range.lowerBound) }
        return double
    }

    private mutating func takeNumber(_ expected: JSONError.Expected) throws(JSONError) -> Value {
        skipSpace()
        guard offset < bytes.count, Kind(firstByte: bytes[offset]) == .number else { throw error(expected) }
        let start = offset
        try skipNumber()
        return Value(kind: .number, range: start..<offset)
    }

    /// Nothing but white space is left.
    public mutating func takeEnd() throws(JSONError) {
        skipSpace()
        guard offset == bytes.count else { throw error(.end) }
    }

    // MARK: Containers

    /// Calls `body` with each key, the cursor before its value, which the body must take.
    @inlinable
    public mutating func takeObject(
        _ body: (_ key: Range<Int>, _ cursor: inout JSONCursor) throws(JSONError) -> Void
    ) throws(JSONError) {
        try enter(UInt8(ascii: "{"), .object)
        var begun = false
        while let key = try nextKey(begun: begun) {
            begun = true
            try body(key, &self)
        }
    }

    /// Calls `body` before each element, which the body must take.
    @inlinable
    public mutating func takeArray(_ body: (_ cursor: inout JSONCursor) throws(JSONError) -> Void) throws(JSONError) {
        try enter(UInt8(ascii: "["), .array)
        var begun = false
        while try nextElement(begun: begun) {
            // A comma promises another element: `[1,]` is no JSON, and the body reads nothing that is not a value.
            begun = true
            try body(&self)
        }
    }

    /// Takes a key with its colon, or the end of the object; nil then.
    @usableFromInline
    mutating func nextKey(begun: Bool) throws(JSONError) -> Range<Int>? {
        if try closes(UInt8(ascii: "}"), begun: begun, .commaOrBrace) {
            depth -= 1
            return nil
        }
        return try skipKey(begun ? .key : .keyOrBrace).0
    }

    /// False once the end of the array has been taken.
    @usableFromInline
    mutating func nextElement(begun: Bool) throws(JSONError) -> Bool {
        guard try closes(UInt8(ascii: "]"), begun: begun, .commaOrBracket) else { return true }
        depth -= 1
        return false
    }

    /// Whether the key between these quotes is spelled so, byte for byte.
    @inlinable
    public func isKey(_ range: Range<Int>, _ name: StaticString) -> Bool {
        guard range.count == name.utf8CodeUnitCount else { return false }
        for index in 0..<range.count where bytes[range.lowerBound + index] != name.utf8Start[index] { return false }
        return true
    }

    /// An error of whoever reads the values: this one is JSON, and not what was expected.
    public func error(_ expected: JSONError.Expected, at offset: Int) -> JSONError {
        JSONError(offset: offset, expected: expected, found: offset < bytes.count ? bytes[offset] : nil)
    }
}
