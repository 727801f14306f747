// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Reads JSON in place, without a tree: it finds values and says where they are.
///
/// A request's body is mostly one long string (a prompt, an image) around a few facts. So values are skipped at the speed of
/// memory, checked on the way, and only what is asked for is decoded. Nothing here allocates until text is decoded, except for
/// documents nested deeper than 64 levels.
///
/// There are two ways to read. `members`, `elements` and `next` find values, of which some are decoded later; `take...` decodes one
/// value after the other where all of them are wanted.
///
/// The bytes are borrowed: a cursor, and what comes from it, must not outlive the `withUnsafeReadableBytes` that it is used in.
/// Ranges are plain offsets and may.
public struct JSONCursor {
    /// What is refused beyond the grammar.
    public struct Rules: Sendable {
        public enum LoneSurrogates: Sendable { case replaced, refused }

        /// Objects and arrays within each other.
        public var maxDepth: Int
        /// Half a surrogate pair, written as an escape.
        public var loneSurrogates: LoneSurrogates

        public init(maxDepth: Int, loneSurrogates: LoneSurrogates = .replaced) {
            self.maxDepth = maxDepth
            self.loneSurrogates = loneSurrogates
        }

        /// What Go's encoding/json accepts, as the servers behind the router read with it: strict grammar, at most 10,000 levels, invalid
        /// UTF-8 within strings tolerated.
        public static let go = Rules(maxDepth: 10_000)
    }

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

        init(key: Range<Int>, keyHasEscapes: Bool, value: Value) {
            self.key = key
            self.keyHasEscapes = keyHasEscapes
            self.value = value
        }
    }

    public let bytes: UnsafeRawBufferPointer
    /// The next byte to read.
    public internal(set) var offset: Int
    /// Containers around `offset`.
    var depth: Int
    let rules: Rules

    /// - Parameter offset: where reading begins; at most the number of bytes.
    public init(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0, rules: Rules = .go) {
        self.bytes = bytes
        self.offset = offset
        self.depth = 0
        self.rules = rules
    }

    /// Reads over the next value, checks it and says where it is. Throws at the first byte that is not JSON.
    @discardableResult
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
        try JSONCursor(bytes, at: value.range.lowerBound, rules: rules).members()
    }

    /// Enters an array that has been found before.
    public func elements(of value: Value) throws(JSONError) -> Elements {
        try JSONCursor(bytes, at: value.range.lowerBound, rules: rules).elements()
    }

    @usableFromInline
    mutating func enter(_ bracket: UInt8, _ expected: JSONError.Expected) throws(JSONError) {
        skipSpace()
        guard offset < bytes.count, bytes[offset] == bracket else { throw error(expected) }
        guard depth < rules.maxDepth else { throw error(.lessDepth) }
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
    @inline(__always)
    mutating func closes(_ bracket: UInt8, begun: Bool, _ expected: JSONError.Expected) throws(JSONError) -> Bool {
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
