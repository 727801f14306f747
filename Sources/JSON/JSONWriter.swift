// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Writes JSON straight into bytes: all of it that the router writes by hand. Texts are spelled as `JSONEncoder` spells them, with no
/// escape that need not be.
///
/// Values are appended as they are given, so that it is for the caller to open and close what they are in.
public struct JSONWriter: Sendable {
    public internal(set) var bytes: [UInt8] = []

    public init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    public mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    public mutating func raw(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    public mutating func raw(_ text: [UInt8]) { bytes.append(contentsOf: text) }

    public mutating func raw(_ text: UnsafeRawBufferPointer) { bytes.append(contentsOf: text) }

    /// Forgets what was written, and keeps the room for it.
    public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// JSON that is there already.
    public mutating func verbatim(_ text: some StringProtocol) { bytes.append(contentsOf: text.utf8) }

    /// A comma unless an object or array has just begun.
    public mutating func separate() {
        if let last = bytes.last, last != UInt8(ascii: "{"), last != UInt8(ascii: "[") { bytes.append(UInt8(ascii: ",")) }
    }

    /// A string, with its quotes.
    public mutating func text(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { utf8 in
            var start = 0
            for index in utf8.indices {
                let byte = utf8[index]
                guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
                bytes.append(contentsOf: utf8[start..<index])
                escape(byte)
                start = index + 1
            }
            bytes.append(contentsOf: utf8[start...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0a: bytes.append(UInt8(ascii: "n"))
        case 0x0c: bytes.append(UInt8(ascii: "f"))
        case 0x0d: bytes.append(UInt8(ascii: "r"))
        case 0..<0x20:
            raw("u00")
            bytes.append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
            let low = byte & 0xf
            bytes.append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
        default: bytes.append(byte)
        }
    }

    public mutating func number(_ value: Int) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        digits(value.magnitude)
    }

    private mutating func digits(_ value: UInt) {
        let end = bytes.count
        var rest = value
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        bytes[end...].reverse()
    }

    /// The shortest text that is read back the same; 0 for what JSON has no number for.
    public mutating func number(_ value: Double) {
        guard value.isFinite else { return byte(UInt8(ascii: "0")) }
        // Rates and seconds have few decimals. With at most 15 digits in all, the decimal text is the shortest one.
        let scaled = value.magnitude * 1000
        guard scaled < 1e15, scaled == scaled.rounded(), scaled / 1000 == value.magnitude, value.sign == .plus || value != 0 else {
            let text = value.description
            return bytes.append(contentsOf: (text.hasSuffix(".0") ? text.dropLast(2) : text[...]).utf8)
        }
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        let thousandths = UInt(scaled)
        digits(thousandths / 1000)
        var decimals = thousandths % 1000
        if decimals == 0 { return }
        bytes.append(UInt8(ascii: "."))
        var unit: UInt = 100
        while decimals > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: decimals / unit))
            decimals %= unit
            unit /= 10
        }
    }
}
