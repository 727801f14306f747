// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

extension StringProtocol {
    /// Equal but for the case of ASCII letters. `other` is plain ASCII.
    func caseInsensitiveEquals(_ other: some StringProtocol) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        // Nearly every string is contiguous; the way over iterators costs ten times as much.
        let equal = utf8.withContiguousStorageIfAvailable { left in
            other.utf8.withContiguousStorageIfAvailable { right in
                for index in left.indices where ASCII.lowercased(left[index]) != ASCII.lowercased(right[index]) { return false }
                return true
            }
        }
        if let equal, let equal { return equal }
        return zip(utf8, other.utf8).allSatisfy { ASCII.lowercased($0) == ASCII.lowercased($1) }
    }

    func trimmingSpaces() -> SubSequence {
        let start = firstIndex { $0 != " " && $0 != "\t" } ?? endIndex
        let end = lastIndex { $0 != " " && $0 != "\t" }.map { index(after: $0) } ?? start
        return self[start..<end]
    }
}

/// Letters in either case.
enum ASCII {
    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }
}

extension String {
    /// - Parameter text: lower-case letters, digits and hyphens.
    func equalsIgnoringCase(_ text: StaticString) -> Bool {
        guard utf8.count == text.utf8CodeUnitCount else { return false }
        var copy = self
        return copy.withUTF8 { UnsafeRawBufferPointer($0).equalsIgnoringCase(text) }
    }
}

extension UnsafeRawBufferPointer {
    /// Eight bytes at a time: what differs may differ in the bit of the case alone, and only where the text has a letter.
    ///
    /// - Parameter text: lower-case letters, digits and hyphens.
    func equalsIgnoringCase(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        let other = UnsafeRawPointer(text.utf8Start)
        guard count >= 8 else {
            for index in 0..<count where ASCII.lowercased(self[index]) != text.utf8Start[index] { return false }
            return true
        }
        var offset = 0
        while true {
            let theirs = loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let ours = other.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let letters = ours & 0x4040_4040_4040_4040
            if (theirs ^ ours) & ~(letters >> 1) != 0 { return false }
            if offset == count - 8 { return true }
            // The last eight may have been looked at in part.
            offset = Swift.min(offset + 8, count - 8)
        }
    }

    /// - Parameter text: lower-case ASCII.
    func hasPrefixIgnoringCase(_ text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount && UnsafeRawBufferPointer(rebasing: self[..<text.utf8CodeUnitCount]).equalsIgnoringCase(text)
    }

    func trimmingBlanks() -> UnsafeRawBufferPointer {
        var (first, last) = (0, count)
        while first < last, self[first] == 0x20 || self[first] == 0x09 { first += 1 }
        while first < last, self[last - 1] == 0x20 || self[last - 1] == 0x09 { last -= 1 }
        return UnsafeRawBufferPointer(rebasing: self[first..<last])
    }
}
