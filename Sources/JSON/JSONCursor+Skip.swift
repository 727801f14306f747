// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The grammar: reading over values and checking them. Nothing recurses, so that depth costs no stack.
extension JSONCursor {
    @inline(__always)
    mutating func skipSpace() {
        // Mostly there is none.
        if offset < bytes.count, bytes[offset] <= 0x20 { skipSpaces() }
    }

    private mutating func skipSpaces() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x0a, 0x0d, 0x09: offset += 1
            default: return
            }
        }
    }

    /// The kind of the value that begins at `offset`.
    func kind(_ expected: JSONError.Expected = .value) throws(JSONError) -> Kind {
        guard offset < bytes.count, let kind = Kind(firstByte: bytes[offset]) else { throw error(expected) }
        return kind
    }

    mutating func skipValue() throws(JSONError) -> Value {
        skipSpace()
        let start = offset
        let kind = try kind()
        switch kind {
        case .object, .array: try skipContainer()
        default: try skipScalar(kind)
        }
        return Value(kind: kind, range: start..<offset)
    }

    /// A key, its colon included. Its range is without the quotes.
    mutating func skipKey(_ expected: JSONError.Expected) throws(JSONError) -> (Range<Int>, hasEscapes: Bool) {
        skipSpace()
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { throw error(expected) }
        let start = offset + 1
        let hasEscapes = try skipString()
        let end = offset - 1
        skipSpace()
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: ":") else { throw error(.colon) }
        offset += 1
        return (start..<end, hasEscapes)
    }

    private mutating func skipScalar(_ kind: Kind) throws(JSONError) {
        switch kind {
        case .string: _ = try skipString()
        case .number: try skipNumber()
        case .null: try skipLiteral("null")
        default: try skipLiteral(bytes[offset] == UInt8(ascii: "t") ? "true" : "false")
        }
    }

    /// Reads over the object or array at `offset` and all within it.
    private mutating func skipContainer() throws(JSONError) {
        var open = ContainerStack()
        // One turn: at a value. It ends after a comma (and key), before the next value, or when the outermost container is closed.
        while true {
            let kind = try kind()
            if kind == .object || kind == .array {
                guard depth + open.count < rules.maxDepth else { throw error(.lessDepth) }
                offset += 1
                let isObject = kind == .object
                open.push(isObject)
                skipSpace()
                guard offset < bytes.count else { throw error(isObject ? .keyOrBrace : .valueOrBracket) }
                if bytes[offset] == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    offset += 1
                    open.pop()
                } else {
                    if isObject { _ = try skipKey(.keyOrBrace) }
                    skipSpace()
                    continue
                }
            } else {
                try skipScalar(kind)
            }
            // After a value: close as many containers as end here.
            while true {
                if open.count == 0 { return }
                let isObject = open.isObject
                skipSpace()
                guard offset < bytes.count else { throw error(isObject ? .commaOrBrace : .commaOrBracket) }
                let byte = bytes[offset]
                if byte == UInt8(ascii: ",") {
                    offset += 1
                    if isObject { _ = try skipKey(.key) }
                    skipSpace()
                    break
                }
                guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw error(isObject ? .commaOrBrace : .commaOrBracket)
                }
                offset += 1
                open.pop()
            }
        }
    }

    /// Reads over the string at `offset`, its quotes included; whether there is a backslash in it.
    ///
    /// Eight bytes at a time: a byte that is a quote, a backslash or below 0x20 gets its high bit set in `hits`. The subtractions
    /// may carry into bytes above a true hit, never below it, so the lowest set bit is always right.
    mutating func skipString() throws(JSONError) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        var hasEscapes = false
        offset += 1
        while true {
            while offset + 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                let quote = word ^ (ones &* 0x22)
                let backslash = word ^ (ones &* 0x5c)
                let hits =
                    (((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash) | ((word &- (ones &* 0x20)) & ~word)) & highs
                if hits != 0 {
                    offset += hits.trailingZeroBitCount >> 3
                    break
                }
                offset += 8
            }
            guard offset < bytes.count else { throw error(.quote) }
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                offset += 1
                return hasEscapes
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try skipEscape()
            case 0..<0x20:
                throw error(.escapedControl)
            default:
                offset += 1
            }
        }
    }

    private mutating func skipEscape() throws(JSONError) {
        offset += 1
        guard offset < bytes.count else { throw error(.escape) }
        switch bytes[offset] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset += 1
        case UInt8(ascii: "u"):
            let unit = try skipHexDigits()
            if rules.loneSurrogates == .refused, 0xd800..<0xe000 ~= unit { try skipLowSurrogate(after: unit) }
        default:
            throw error(.escape)
        }
    }

    /// The four digits after `\u`.
    private mutating func skipHexDigits() throws(JSONError) -> UInt32 {
        offset += 1
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard offset < bytes.count, let digit = hexDigitValue(bytes[offset]) else { throw error(.hexDigit) }
            unit = unit << 4 | digit
            offset += 1
        }
        return unit
    }

    private mutating func skipLowSurrogate(after unit: UInt32) throws(JSONError) {
        guard unit < 0xdc00, offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"), bytes[offset + 1] == UInt8(ascii: "u") else {
            throw error(.otherHalf)
        }
        offset += 1
        guard 0xdc00..<0xe000 ~= (try skipHexDigits()) else { throw error(.otherHalf) }
    }

    mutating func skipNumber() throws(JSONError) {
        if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: "0") {
            offset += 1
        } else {
            try skipDigits()
        }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            try skipDigits()
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") { offset += 1 }
            try skipDigits()
        }
    }

    private mutating func skipDigits() throws(JSONError) {
        let start = offset
        while offset < bytes.count, bytes[offset] &- UInt8(ascii: "0") < 10 { offset += 1 }
        if offset == start { throw error(.digit) }
    }

    mutating func skipLiteral(_ text: StaticString) throws(JSONError) {
        for index in 0..<text.utf8CodeUnitCount {
            guard offset < bytes.count, bytes[offset] == text.utf8Start[index] else { throw error(.literal) }
            offset += 1
        }
    }

    /// Which containers are open: one bit each, set for an object. The first 64 levels are in a register.
    private struct ContainerStack {
        private(set) var count = 0
        private var top: UInt64 = 0
        private var below: [UInt64] = []

        var isObject: Bool { top & 1 == 1 }

        mutating func push(_ isObject: Bool) {
            if count > 0, count & 63 == 0 {
                below.append(top)
                top = 0
            }
            top = top << 1 | (isObject ? 1 : 0)
            count += 1
        }

        mutating func pop() {
            count -= 1
            if count > 0, count & 63 == 0 {
                top = below.removeLast()
            } else {
                top >>= 1
            }
        }
    }
}

extension JSONCursor.Kind {
    /// The kind of a value that begins with this byte; nil if none does.
    init?(firstByte: UInt8) {
        switch firstByte {
        case UInt8(ascii: "\""): self = .string
        case UInt8(ascii: "{"): self = .object
        case UInt8(ascii: "["): self = .array
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): self = .number
        case UInt8(ascii: "t"), UInt8(ascii: "f"): self = .bool
        case UInt8(ascii: "n"): self = .null
        default: return nil
        }
    }
}

/// The value of a hexadecimal digit; nil for any other byte.
@inline(__always)
func hexDigitValue(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte &- UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte &- UInt8(ascii: "a") &+ 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte &- UInt8(ascii: "A") &+ 10)
    default: nil
    }
}
