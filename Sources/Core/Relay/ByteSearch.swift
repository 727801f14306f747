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

    func equals(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && matches(text, at: 0)
    }

    /// Calls `body` for each JSON member whose key `select` knows and whose value begins with a whole number: what `select` made of the key,
    /// which comes without its quotes, and the number (of a longer one the first 18 digits). In generated text quotes are escaped, so that what
    /// looks like a key there ends with a backslash.
    @inline(__always)
    func forEachInteger<Key>(_ select: (UnsafeRawBufferPointer) -> Key?, _ body: (Key, _ value: Int) -> Void) {
        guard let base = baseAddress else { return }
        let quote = UInt8(ascii: "\"")
        var from = 1
        while from < count, let found = memchr(base + from, Int32(UInt8(ascii: ":")), count - from) {
            let colon = UnsafeRawPointer(found) - base
            from = colon + 1
            guard self[colon - 1] == quote else { continue }
            var start = colon - 2
            while start >= 0, self[start] != quote { start -= 1 }
            guard start >= 0, let key = select(UnsafeRawBufferPointer(rebasing: self[(start + 1)..<(colon - 1)])), let value = integer(at: from)
            else { continue }
            body(key, value)
        }
    }

    /// Nil where there is none, spaces before it aside.
    private func integer(at offset: Int) -> Int? {
        var index = offset
        while index < count, self[index] == UInt8(ascii: " ") { index += 1 }
        let first = index
        var value = 0
        while index < count, index - first < 18, case let digit = self[index] &- UInt8(ascii: "0"), digit < 10 {
            value = value * 10 + Int(digit)
            index += 1
        }
        return index > first ? value : nil
    }

    private func matches(_ text: StaticString, at offset: Int) -> Bool {
        guard let base = baseAddress else { return text.utf8CodeUnitCount == 0 }
        return memcmp(base + offset, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    /// What is left behind the first bytes.
    @inline(__always)
    func from(_ offset: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: baseAddress.map { $0 + offset }, count: count - offset)
    }

    /// Whether an object follows one of these keys, which are given with their quotes and the colon. One pass over the bytes, however many
    /// keys.
    func containsObject(after keys: [StaticString]) -> Bool {
        guard let base = baseAddress else { return false }
        var from = 0
        while from < count, let found = memchr(base + from, Int32(UInt8(ascii: "{")), count - from) {
            let brace = UnsafeRawPointer(found) - base
            var end = brace
            if end > 0, self[end - 1] == UInt8(ascii: " ") { end -= 1 }
            // Mostly the brace begins an object of a list.
            if end > 0, self[end - 1] == UInt8(ascii: ":") {
                let before = UnsafeRawBufferPointer(start: base, count: end)
                for key in keys where before.hasSuffix(key) { return true }
            }
            from = brace + 1
        }
        return false
    }
}

extension Slice<UnsafeRawBufferPointer> {
    func firstIndexOfNewline() -> Int? {
        guard !isEmpty, let start = base.baseAddress.map({ $0 + startIndex }), let found = memchr(start, 0x0a, count) else { return nil }
        return startIndex + (UnsafeRawPointer(found) - start)
    }
}
