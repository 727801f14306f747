// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// Finds the empty line that ends a head or trailers, however many reads they take. Lines end in CRLF, or in a bare LF, which a reader may
/// take for one (RFC 9112, section 2.2); the first empty line of either kind is the end.
struct FieldsEnd {
    /// The first byte of the line whose end has not come.
    private var lineStart = 0
    private var searched = 0
    /// No CR before this byte is a bare one.
    private var checked = 0
    /// A line that has been found ends in a bare LF.
    private(set) var hasBareNewline = false

    /// - Parameter bytes: those of the call before, and more.
    /// - Returns: the length up to and with the empty line; nil if it has not come.
    mutating func find(in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        while searched < bytes.count, let found = memchr(base + searched, 0x0a, bytes.count - searched) {
            let newline = UnsafeRawPointer(found) - base
            let isBare = newline == lineStart || bytes[newline - 1] != 0x0d
            if isBare { hasBareNewline = true }
            let isEmpty = newline == lineStart + (isBare ? 0 : 1)
            lineStart = newline + 1
            searched = newline + 1
            if isEmpty { return newline + 1 }
        }
        return nil
    }

    /// Of bytes in which no end was found: whether a CR stands in them that no LF follows, so that there never will be a good one.
    mutating func hasBareReturn(in bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        // The last byte may be a CR whose LF is still to come.
        while checked + 1 < bytes.count, let found = memchr(base + checked, 0x0d, bytes.count - 1 - checked) {
            let next = UnsafeRawPointer(found) - base + 1
            if bytes[next] != 0x0a { return true }
            checked = next
        }
        checked = max(checked, bytes.count - 1)
        return false
    }

    /// The same lines, each with its CRLF.
    static func repaired(_ head: ByteBuffer) -> ByteBuffer {
        var result = ByteBufferAllocator().buffer(capacity: head.readableBytes + 64)
        var last: UInt8 = 0
        for byte in head.readableBytesView {
            if byte == 0x0a, last != 0x0d { result.writeInteger(UInt8(0x0d)) }
            result.writeInteger(byte)
            last = byte
        }
        return result
    }
}
