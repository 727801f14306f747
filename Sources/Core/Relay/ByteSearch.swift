// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#endif

/// Looking for fixed texts in bytes, with the C library's vectorised `memchr`.
extension UnsafeRawBufferPointer {
    func hasPrefix(_ text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount && matches(text, at: 0)
    }

    func hasSuffix(_ text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount && matches(text, at: count - text.utf8CodeUnitCount)
    }

    func contains(_ text: StaticString) -> Bool {
        firstOffset(of: text) != nil
    }

    func firstOffset(of text: StaticString) -> Int? {
        // Jumps between occurrences of the text's last byte: in what is looked for here it is `{` or `:`, of which a line
        // has few, while its first byte is a quote, of which a line has many.
        let length = text.utf8CodeUnitCount
        guard let base = baseAddress, length > 0 else { return nil }
        let last = Int32(text.utf8Start[length - 1])
        var from = length - 1
        while from < count, let found = memchr(base + from, last, count - from) {
            let end = UnsafeRawPointer(found) - base
            if matches(text, at: end - (length - 1)) { return end - (length - 1) }
            from = end + 1
        }
        return nil
    }

    /// The whole number that follows the last `key`, spaces aside; nil if there is none.
    func integer(after key: StaticString) -> Int? {
        var result: Int?
        var rest = self
        while let offset = rest.firstOffset(of: key) {
            rest = UnsafeRawBufferPointer(rebasing: rest[(offset + key.utf8CodeUnitCount)...])
            var value = 0
            var digits = 0
            for byte in rest.drop(while: { $0 == UInt8(ascii: " ") }) {
                guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), digits < 18 else { break }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
                digits += 1
            }
            if digits > 0 { result = value }
        }
        return result
    }

    private func matches(_ text: StaticString, at offset: Int) -> Bool {
        guard let base = baseAddress else { return text.utf8CodeUnitCount == 0 }
        return memcmp(base + offset, text.utf8Start, text.utf8CodeUnitCount) == 0
    }
}

extension Slice<UnsafeRawBufferPointer> {
    func firstIndexOfNewline() -> Int? {
        guard !isEmpty, let start = base.baseAddress.map({ $0 + startIndex }), let found = memchr(start, 0x0a, count) else { return nil }
        return startIndex + (UnsafeRawPointer(found) - start)
    }
}
