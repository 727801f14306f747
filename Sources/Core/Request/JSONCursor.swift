// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Reads JSON in place, without a tree: it finds values and says where they are.
///
/// A request's body is mostly one long string (a prompt, an image) around a few facts. So values are skipped at the speed of
/// memory, checked on the way, and only what is asked for is decoded. Nothing here allocates until text is decoded, except for
/// documents nested deeper than 64 levels.
///
/// It accepts and refuses what Go's encoding/json does, as the servers behind us read with it: strict grammar, at most
/// `maxDepth` levels, invalid UTF-8 within strings tolerated, whatever follows the first value ignored.
///
/// The bytes are borrowed: a cursor, and what comes from it, must not outlive the `withUnsafeReadableBytes` that it is used in.
/// Ranges are plain offsets and may.
public struct JSONCursor {
    /// Objects and arrays within each other. Go's limit.
    public static let maxDepth = 10_000

    public enum Kind: UInt8, Sendable {
        case object, array, string, number, bool, null
    }

    /// Where a value is, with its quotes or brackets, without the white space around it.
    public struct Value: Sendable, Equatable {
        public var kind: Kind
        public var range: Range<Int>

        @inlinable
        public init(kind: Kind, range: Range<Int>) {
            self.kind = kind
            self.range = range
        }
    }

    /// One member of an object.
    public struct Member: Sendable, Equatable {
        /// The key as it is written, without its quotes.
        public var key: Range<Int>
        /// Whether the key must be decoded before it means something.
        public var keyHasEscapes: Bool
        public var value: Value
    }

    public let bytes: UnsafeRawBufferPointer
    /// The next byte to read.
    public internal(set) var offset: Int
    /// Containers around `offset`.
    var depth: Int

    public init(_ bytes: UnsafeRawBufferPointer) {
        self.init(bytes, offset: 0, depth: 0)
    }

    init(_ bytes: UnsafeRawBufferPointer, offset: Int, depth: Int) {
        self.bytes = bytes
        self.offset = offset
        self.depth = depth
    }

    /// Reads over the next value, checks it and says where it is. Throws at the first byte that is not JSON.
    public mutating func next() throws(JSONError) -> Value {
        try skipValue()
    }

    /// What the next value is by its first byte, without reading it. Throws where no value begins.
    public func peek() throws(JSONError) -> Kind {
        var ahead = self
        ahead.skipSpace()
        return try ahead.kind()
    }

    /// Enters the object that comes next. Throws `expected(.object)` where it is something else.
    ///
    /// The whole document is checked in the one pass that takes the members; so they must be taken to the end by who wants that.
    public func members() throws(JSONError) -> Members {
        var inside = self
        try inside.enter(UInt8(ascii: "{"), .object)
        return Members(cursor: inside)
    }

    /// Enters the array that comes next. Throws `expected(.array)` where it is something else.
    public func elements() throws(JSONError) -> Elements {
        var inside = self
        try inside.enter(UInt8(ascii: "["), .array)
        return Elements(cursor: inside)
    }

    /// Enters an object that has been found before.
    public func members(of value: Value) throws(JSONError) -> Members {
        try JSONCursor(bytes, offset: value.range.lowerBound, depth: 0).members()
    }

    /// Enters an array that has been found before.
    public func elements(of value: Value) throws(JSONError) -> Elements {
        try JSONCursor(bytes, offset: value.range.lowerBound, depth: 0).elements()
    }

    private mutating func enter(_ bracket: UInt8, _ expected: JSONError.Expected) throws(JSONError) {
        skipSpace()
        guard offset < bytes.count, bytes[offset] == bracket else { throw error(expected) }
        guard depth < Self.maxDepth else { throw error(.lessDepth) }
        depth += 1
        offset += 1
    }

    /// The members of one object, in their order, duplicates included.
    public struct Members {
        var cursor: JSONCursor
        private var begun = false
        /// Set once the closing brace has been read: the offset after it.
        public private(set) var end: Int?

        init(cursor: JSONCursor) {
            self.cursor = cursor
        }

        public mutating func next() throws(JSONError) -> Member? {
            guard end == nil else { return nil }
            if try cursor.closes(UInt8(ascii: "}"), begun: begun, .commaOrBrace) {
                end = cursor.offset
                return nil
            }
            let isFirst = !begun
            begun = true
            let (key, keyHasEscapes) = try cursor.skipKey(isFirst ? .keyOrBrace : .key)
            return Member(key: key, keyHasEscapes: keyHasEscapes, value: try cursor.skipValue())
        }
    }

    /// The elements of one array, in their order.
    public struct Elements {
        var cursor: JSONCursor
        private var begun = false
        /// Set once the closing bracket has been read: the offset after it.
        public private(set) var end: Int?

        init(cursor: JSONCursor) {
            self.cursor = cursor
        }

        public mutating func next() throws(JSONError) -> Value? {
            guard end == nil else { return nil }
            if try cursor.closes(UInt8(ascii: "]"), begun: begun, .commaOrBracket) {
                end = cursor.offset
                return nil
            }
            begun = true
            return try cursor.skipValue()
        }
    }

    /// At the start of a container or after one of its values: reads the closing bracket, if it is there, or the comma that must be.
    private mutating func closes(_ bracket: UInt8, begun: Bool, _ expected: JSONError.Expected) throws(JSONError) -> Bool {
        skipSpace()
        guard offset < bytes.count else { throw error(begun ? expected : bracket == UInt8(ascii: "}") ? .keyOrBrace : .valueOrBracket) }
        if bytes[offset] == bracket {
            offset += 1
            return true
        }
        guard begun else { return false }
        guard bytes[offset] == UInt8(ascii: ",") else { throw error(expected) }
        offset += 1
        return false
    }

    func error(_ expected: JSONError.Expected) -> JSONError {
        JSONError(offset: offset, expected: expected, found: offset < bytes.count ? bytes[offset] : nil)
    }
}

/// Why bytes are not the JSON that was asked for.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Expected: String, Sendable {
        case value = "a value"
        case valueOrBracket = "a value or ']'"
        case object = "an object"
        case array = "an array"
        case key = "a key in quotes"
        case keyOrBrace = "a key in quotes or '}'"
        case colon = "':'"
        case commaOrBrace = "',' or '}'"
        case commaOrBracket = "',' or ']'"
        case quote = "the end of the string"
        case escapedControl = "an escape instead of a control character"
        case escape = "one of \"\\/bfnrtu after the backslash"
        case hexDigit = "a hexadecimal digit"
        case digit = "a digit"
        case literal = "true, false or null"
        case lessDepth = "at most 10000 levels"
    }

    /// Where, counted in bytes from the start.
    public var offset: Int
    public var expected: Expected
    /// The byte there; nil at the end of the bytes, so that what is there may be the start of a good document.
    public var found: UInt8?

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
