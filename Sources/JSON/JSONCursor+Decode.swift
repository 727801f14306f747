// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// From bytes to Swift values, for the few that are asked for.
extension JSONCursor {
    /// The text of a string; nil where the value is something else. What is no Unicode becomes U+FFFD, as Go does it: one for
    /// each byte that begins no valid UTF-8 sequence, one for each surrogate without its other half.
    public func string(_ value: Value) -> String? {
        guard value.kind == .string else { return nil }
        return text(between: value.range.lowerBound + 1..<value.range.upperBound - 1)
    }

    /// A member's key, decoded.
    public func key(_ member: Member) -> String {
        text(between: member.key, hasEscapes: member.keyHasEscapes)
    }

    /// A whole number; nil where the value is no number, has a fraction or an exponent, or does not fit.
    public func integer(_ value: Value) -> Int? {
        guard value.kind == .number else { return nil }
        let isNegative = bytes[value.range.lowerBound] == UInt8(ascii: "-")
        var result = 0
        var index = value.range.lowerBound + (isNegative ? 1 : 0)
        while index < value.range.upperBound {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            index += 1
            let (tens, overflowed) = result.multipliedReportingOverflow(by: 10)
            // Counted downwards for negative numbers, as there is one more of them.
            let (sum, carried) = isNegative ? tens.subtractingReportingOverflow(Int(digit)) : tens.addingReportingOverflow(Int(digit))
            guard !overflowed, !carried else { return nil }
            result = sum
        }
        return result
    }

    /// A number; nil where the value is something else. What is too large becomes infinite.
    public func double(_ value: Value) -> Double? {
        guard value.kind == .number else { return nil }
        var mantissa: UInt64 = 0
        var scale = 0
        var isPlain = value.range.count <= 16
        var isFraction = false
        for byte in bytes[value.range] where isPlain {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                mantissa = mantissa * 10 + UInt64(byte - UInt8(ascii: "0"))
                if isFraction { scale += 1 }
            case UInt8(ascii: "."): isFraction = true
            case UInt8(ascii: "-"): continue
            default: isPlain = false
            }
        }
        guard isPlain, mantissa < 1 << 53 else { return Double(String(decoding: bytes[value.range], as: UTF8.self)) }
        // Exact: the numerator is below 2^53 and the power of ten below 10^22, so that there is one rounding.
        let magnitude = Double(mantissa) / Self.powersOfTen[scale]
        return bytes[value.range.lowerBound] == UInt8(ascii: "-") ? -magnitude : magnitude
    }

    private static let powersOfTen: [Double] = (0...16).map { power in (0..<power).reduce(1.0) { value, _ in value * 10 } }

    /// True or false; nil where the value is something else.
    public func bool(_ value: Value) -> Bool? {
        value.kind == .bool ? bytes[value.range.lowerBound] == UInt8(ascii: "t") : nil
    }

    /// Whether Go would put this member into a field of that name: letters match in either case, and so do the two characters
    /// beyond ASCII whose other case is an ASCII letter, U+017F (s) and U+212A (k). The key may be written with escapes.
    ///
    /// - Parameter name: lower-case ASCII.
    @inlinable
    public func keyMatches(_ member: Member, _ name: StaticString) -> Bool {
        // No spelling of a character is shorter than one byte.
        guard member.key.count >= name.utf8CodeUnitCount, name.utf8CodeUnitCount > 0 else { return false }
        // Most keys differ in their first byte already, unless that is an escape or a letter beyond ASCII, which may fold to one.
        let first = bytes[member.key.lowerBound]
        if first | 0x20 != name.utf8Start[0], first < 0x80, first != UInt8(ascii: "\\") { return false }
        return isKey(member.key, name) || spells(member, name)
    }

    @usableFromInline
    func spells(_ member: Member, _ name: StaticString) -> Bool {
        let count = name.utf8CodeUnitCount
        var offset = member.key.lowerBound
        var matched = 0
        while offset < member.key.upperBound {
            guard matched < count, let (letter, width) = foldedLetter(at: offset, in: member.key) else { return false }
            guard letter == name.utf8Start[matched] else { return false }
            matched += 1
            offset += width
        }
        return matched == count
    }

    /// One character of a key in lower case, and the bytes it takes; nil if it can match nothing in ASCII.
    @inline(__always)
    private func foldedLetter(at offset: Int, in key: Range<Int>) -> (UInt8, Int)? {
        let byte = bytes[offset]
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"):
            return (byte | 0x20, 1)
        case UInt8(ascii: "\\"):
            let (scalar, width) = escaped(at: offset)
            return folded(scalar).map { ($0, width) }
        case 0..<0x80:
            return (byte, 1)
        default:
            let (scalar, width) = scalar(at: offset, before: key.upperBound)
            return folded(scalar).map { ($0, width) }
        }
    }

    private func folded(_ scalar: UInt32) -> UInt8? {
        switch scalar {
        case 0x41...0x5a: UInt8(scalar) | 0x20
        case 0..<0x80: UInt8(scalar)
        case 0x17f: UInt8(ascii: "s")
        case 0x212a: UInt8(ascii: "k")
        default: nil
        }
    }

    /// The text between the quotes of a string that has been found.
    public func text(between range: Range<Int>) -> String {
        text(between: range, hasEscapes: bytes[range].contains(UInt8(ascii: "\\")))
    }

    @inline(__always)
    func text(between range: Range<Int>, hasEscapes: Bool) -> String {
        let raw = UnsafeRawBufferPointer(rebasing: bytes[range])
        // The library's decoder is the faster one, but makes one U+FFFD of several bytes.
        return !hasEscapes && raw.isASCII ? String(decoding: raw, as: UTF8.self) : repaired(range, hasEscapes: hasEscapes)
    }

    private func repaired(_ range: Range<Int>, hasEscapes: Bool) -> String {
        if !hasEscapes, let text = String(validating: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self) { return text }
        var scalars = String.UnicodeScalarView()
        var offset = range.lowerBound
        while offset < range.upperBound {
            let (code, width) =
                bytes[offset] == UInt8(ascii: "\\") ? escaped(at: offset) : scalar(at: offset, before: range.upperBound)
            scalars.append(Unicode.Scalar(code) ?? "\u{FFFD}")
            offset += width
        }
        return String(scalars)
    }

    /// What the escape at `offset` stands for, and the bytes it takes. The string has been checked: every escape is whole.
    private func escaped(at offset: Int) -> (UInt32, Int) {
        switch bytes[offset + 1] {
        case UInt8(ascii: "b"): return (0x08, 2)
        case UInt8(ascii: "f"): return (0x0c, 2)
        case UInt8(ascii: "n"): return (0x0a, 2)
        case UInt8(ascii: "r"): return (0x0d, 2)
        case UInt8(ascii: "t"): return (0x09, 2)
        case UInt8(ascii: "u"): break
        case let byte: return (UInt32(byte), 2)
        }
        let unit = hex(at: offset + 2)
        guard (0xd800..<0xe000).contains(unit) else { return (unit, 6) }
        // Only a high half right before a low half means something. There is at least the closing quote after this escape, and
        // nothing but a whole escape begins with a backslash, so this reads no byte beyond the string.
        if unit < 0xdc00, bytes[offset + 6] == UInt8(ascii: "\\"), bytes[offset + 7] == UInt8(ascii: "u") {
            let low = hex(at: offset + 8)
            if (0xdc00..<0xe000).contains(low) { return (0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), 12) }
        }
        return (0xfffd, 6)
    }

    private func hex(at offset: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in offset..<offset + 4 { value = value << 4 | (hexDigitValue(bytes[index]) ?? 0) }
        return value
    }

    /// The UTF-8 sequence at `offset`, and the bytes it takes: U+FFFD and one byte if it is not valid.
    private func scalar(at offset: Int, before end: Int) -> (UInt32, Int) {
        let first = UInt32(bytes[offset])
        let invalid: (UInt32, Int) = (0xfffd, 1)
        let width: Int
        let least: UInt32
        var code: UInt32
        switch first {
        case 0..<0x80: return (first, 1)
        case 0xc2..<0xe0: (width, least, code) = (2, 0x80, first & 0x1f)
        case 0xe0..<0xf0: (width, least, code) = (3, 0x800, first & 0x0f)
        case 0xf0..<0xf5: (width, least, code) = (4, 0x10000, first & 0x07)
        default: return invalid
        }
        guard offset + width <= end else { return invalid }
        for index in offset + 1..<offset + width {
            guard bytes[index] & 0xc0 == 0x80 else { return invalid }
            code = code << 6 | UInt32(bytes[index] & 0x3f)
        }
        guard code >= least, code < 0x110000, !(0xd800..<0xe000).contains(code) else { return invalid }
        return (code, width)
    }
}

extension UnsafeRawBufferPointer {
    @inline(__always)
    fileprivate var isASCII: Bool {
        guard count >= 8 else {
            var all: UInt8 = 0
            for byte in self { all |= byte }
            return all < 0x80
        }
        var all = loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        for offset in stride(from: 0, to: count - 8, by: 8) { all |= loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        return all & 0x8080_8080_8080_8080 == 0
    }
}
