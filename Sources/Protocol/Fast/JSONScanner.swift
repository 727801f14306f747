// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Reads JSON values one after the other, without a tree. Strict: what it accepts is JSON.
///
/// The bytes are borrowed: a scanner must not outlive the closure that it got them in.
struct JSONScanner {
    enum Failure: Error, Equatable {
        /// Not JSON, at this offset.
        case syntax(Int)
        /// Objects and arrays within each other beyond `maximumDepth`.
        case tooDeep
        /// JSON, and not what was expected there.
        case type(Int)
    }

    static let maximumDepth = 64

    let bytes: UnsafeBufferPointer<UInt8>
    private(set) var offset: Int

    init(_ bytes: UnsafeBufferPointer<UInt8>, at offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    /// The next byte that is no white space, not taken; 0 at the end.
    @inline(__always)
    mutating func peek() -> UInt8 {
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09 { return byte }
            offset += 1
        }
        return 0
    }

    /// Takes the byte if it is the next.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte, offset < bytes.count else { return false }
        offset += 1
        return true
    }

    mutating func expect(_ byte: UInt8) throws(Failure) {
        guard take(byte) else { throw offset < bytes.count && Self.beginsValue(bytes[offset]) ? .type(offset) : .syntax(offset) }
    }

    private static func beginsValue(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "\""), UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
            true
        default: false
        }
    }

    /// Nothing but white space is left.
    mutating func expectEnd() throws(Failure) {
        _ = peek()
        guard offset == bytes.count else { throw .syntax(offset) }
    }

    // MARK: Containers

    /// Calls `body` with each key, the scanner before its value, which the body must take.
    mutating func object(_ body: (_ key: Range<Int>, _ scanner: inout JSONScanner) throws(Failure) -> Void) throws(Failure) {
        try expect(UInt8(ascii: "{"))
        if take(UInt8(ascii: "}")) { return }
        repeat {
            guard peek() == UInt8(ascii: "\"") else { throw .syntax(offset) }
            let key = try rawString().range
            guard take(UInt8(ascii: ":")) else { throw .syntax(offset) }
            try body(key, &self)
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw .syntax(offset) }
    }

    /// Calls `body` before each element, which the body must take.
    mutating func array(_ body: (_ scanner: inout JSONScanner) throws(Failure) -> Void) throws(Failure) {
        try expect(UInt8(ascii: "["))
        if take(UInt8(ascii: "]")) { return }
        repeat { try body(&self) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw .syntax(offset) }
    }

    /// Whether the key that was found is this one. Keys of the protocol need no escapes.
    func isKey(_ range: Range<Int>, _ name: StaticString) -> Bool {
        range.count == name.utf8CodeUnitCount
            && zip(range, UnsafeBufferPointer(start: name.utf8Start, count: range.count)).allSatisfy { bytes[$0] == $1 }
    }

    // MARK: Values

    mutating func text() throws(Failure) -> String {
        guard peek() == UInt8(ascii: "\"") else { throw unexpected() }
        let (range, hasEscapes) = try rawString()
        guard hasEscapes else { return String(decoding: bytes[range], as: UTF8.self) }
        return try unescaped(range)
    }

    mutating func bool() throws(Failure) -> Bool {
        switch peek() {
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"):
            try literal("false")
            return false
        default: throw unexpected()
        }
        return true
    }

    /// Takes `null` if it is the next.
    mutating func null() throws(Failure) -> Bool {
        guard peek() == UInt8(ascii: "n") else { return false }
        try literal("null")
        return true
    }

    mutating func integer() throws(Failure) -> Int {
        let start = offset
        var rest = self
        if rest.peek() == 0 { throw .syntax(offset) }
        let range = try rest.rawNumber()
        var value = 0
        var digits = bytes[range]
        let isNegative = digits.first == UInt8(ascii: "-")
        if isNegative { digits.removeFirst() }
        for byte in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { throw .type(start) }
            let (product, high) = value.multipliedReportingOverflow(by: 10)
            let (sum, low) = product.subtractingReportingOverflow(Int(byte - UInt8(ascii: "0")))
            guard !high, !low else { throw .type(start) }
            value = sum
        }
        offset = rest.offset
        // Counted downwards, as the least number has no positive twin.
        guard !isNegative else { return value }
        guard value != .min else { throw .type(start) }
        return -value
    }

    mutating func double() throws(Failure) -> Double {
        if peek() == 0 { throw .syntax(offset) }
        let start = offset
        let range = try rawNumber()
        var mantissa: UInt64 = 0
        var scale = 0
        var isPlain = range.count <= 16
        var isFraction = false
        for byte in bytes[range] where isPlain {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                mantissa = mantissa * 10 + UInt64(byte - UInt8(ascii: "0"))
                if isFraction { scale += 1 }
            case UInt8(ascii: "."): isFraction = true
            case UInt8(ascii: "-"): continue
            default: isPlain = false
            }
        }
        // Exact: numerator below 2^53, power of ten below 10^22, one rounding.
        if isPlain {
            let value = Double(mantissa) / Self.powers[scale]
            return bytes[range.lowerBound] == UInt8(ascii: "-") ? -value : value
        }
        guard let value = Double(String(decoding: bytes[range], as: UTF8.self)), value.isFinite else { throw .type(start) }
        return value
    }

    private static let powers: [Double] = (0...16).map { power in (0..<power).reduce(1.0) { value, _ in value * 10 } }

    private mutating func literal(_ text: StaticString) throws(Failure) {
        for byte in UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount) {
            guard offset < bytes.count, bytes[offset] == byte else { throw .syntax(offset) }
            offset += 1
        }
    }

    private mutating func unexpected() -> Failure {
        let byte = peek()
        return Self.beginsValue(byte) ? .type(offset) : .syntax(offset)
    }

    // MARK: What stands there

    private mutating func digits() -> Int {
        let start = offset
        while offset < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[offset]) { offset += 1 }
        return offset - start
    }

    private mutating func rawNumber() throws(Failure) -> Range<Int> {
        let first = peek()
        let start = offset
        guard first == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { throw unexpected() }
        if first == UInt8(ascii: "-") { offset += 1 }
        let isZero = offset < bytes.count && bytes[offset] == UInt8(ascii: "0")
        let count = digits()
        guard count > 0, !isZero || count == 1 else { throw .syntax(offset) }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            guard digits() > 0 else { throw .syntax(offset) }
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") { offset += 1 }
            guard digits() > 0 else { throw .syntax(offset) }
        }
        return start..<offset
    }

    /// The text between the quotes, as it is written. The next byte must be the quote.
    private mutating func rawString() throws(Failure) -> (range: Range<Int>, hasEscapes: Bool) {
        offset += 1
        let start = offset
        var hasEscapes = false
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte == UInt8(ascii: "\"") {
                offset += 1
                return (start..<offset - 1, hasEscapes)
            }
            guard byte >= 0x20 else { throw .syntax(offset) }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                offset += 1
                guard offset < bytes.count else { break }
                switch bytes[offset] {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
                    UInt8(ascii: "r"), UInt8(ascii: "t"):
                    break
                case UInt8(ascii: "u"):
                    guard let code = hex(at: offset + 1), !UTF16.isTrailSurrogate(code) else { throw .syntax(offset) }
                    offset += 4
                    guard UTF16.isLeadSurrogate(code) else { break }
                    // Half a pair is no text.
                    guard offset + 2 < bytes.count, bytes[offset + 1] == UInt8(ascii: "\\"), bytes[offset + 2] == UInt8(ascii: "u"),
                        let second = hex(at: offset + 3), UTF16.isTrailSurrogate(second)
                    else { throw .syntax(offset) }
                    offset += 6
                default: throw .syntax(offset)
                }
            }
            offset += 1
        }
        throw .syntax(bytes.count)
    }

    private func hex(at start: Int) -> UInt16? {
        guard start + 4 <= bytes.count else { return nil }
        var value: UInt16 = 0
        for byte in bytes[start..<start + 4] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt16(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt16(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt16(byte - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return value
    }

    /// Of a text between quotes that `rawString` has checked.
    func unescaped(_ range: Range<Int>) throws(Failure) -> String {
        var units: [UInt8] = []
        var index = range.lowerBound
        while index < range.upperBound {
            guard bytes[index] == UInt8(ascii: "\\") else {
                units.append(bytes[index])
                index += 1
                continue
            }
            index += 2
            switch bytes[index - 1] {
            case UInt8(ascii: "b"): units.append(0x08)
            case UInt8(ascii: "f"): units.append(0x0c)
            case UInt8(ascii: "n"): units.append(0x0a)
            case UInt8(ascii: "r"): units.append(0x0d)
            case UInt8(ascii: "t"): units.append(0x09)
            case UInt8(ascii: "u"):
                var code = [hex(at: index) ?? 0]
                index += 4
                // The second half of a pair, if there is one.
                if UTF16.isLeadSurrogate(code[0]), index + 6 <= range.upperBound, bytes[index] == UInt8(ascii: "\\"),
                    bytes[index + 1] == UInt8(ascii: "u"), let second = hex(at: index + 2), UTF16.isTrailSurrogate(second)
                {
                    code.append(second)
                    index += 6
                }
                units.append(contentsOf: String(decoding: code, as: UTF16.self).utf8)
            case let byte: units.append(byte)
            }
        }
        return String(decoding: units, as: UTF8.self)
    }

    /// Takes the next value, whatever it is, and says where it is.
    @discardableResult
    mutating func skip(depth: Int = 0) throws(Failure) -> Range<Int> {
        guard depth < Self.maximumDepth else { throw .tooDeep }
        let first = peek()
        let start = offset
        switch first {
        case UInt8(ascii: "{"): try object { (_, scanner) throws(Failure) in try scanner.skip(depth: depth + 1) }
        case UInt8(ascii: "["): try array { scanner throws(Failure) in try scanner.skip(depth: depth + 1) }
        case UInt8(ascii: "\""): _ = try rawString()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        default: _ = try rawNumber()
        }
        return start..<offset
    }
}
