// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// `name: value` lines of a head or of trailers, in bytes (RFC 9112, section 5).
enum FieldLines {
    /// Calls `body` with each field's name, its value without blanks around it, and the line with its CRLF.
    ///
    /// - Parameters:
    ///   - bytes: end with an empty line.
    ///   - start: of the first line.
    /// - Throws: if a line is no field: a blank before the colon, a folded line, a control character.
    static func forEach(
        _ bytes: UnsafeRawBufferPointer, from start: Int,
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ line: UnsafeRawBufferPointer) -> Void
    ) throws(ResponseFault) {
        var position = start
        while position < bytes.count {
            guard let newline = bytes[position...].firstIndexOfNewline(), newline > position, bytes[newline - 1] == 0x0d else {
                throw ResponseFault(reason: "a header line does not end with CRLF")
            }
            if newline == position + 1 { return }
            var colon = position
            while isTokenByte(bytes[colon]) { colon += 1 }
            guard colon > position, bytes[colon] == UInt8(ascii: ":") else { throw ResponseFault(reason: "a header line without a name") }
            var first = colon + 1
            var last = newline - 1
            for index in first..<last where !isFieldByte(bytes[index]) { throw ResponseFault(reason: "a control character in a header") }
            while first < last, bytes[first] == 0x20 || bytes[first] == 0x09 { first += 1 }
            while first < last, bytes[last - 1] == 0x20 || bytes[last - 1] == 0x09 { last -= 1 }
            body(
                UnsafeRawBufferPointer(rebasing: bytes[position..<colon]), UnsafeRawBufferPointer(rebasing: bytes[first..<last]),
                UnsafeRawBufferPointer(rebasing: bytes[position...newline]))
            position = newline + 1
        }
    }

    /// As a list of texts, for the few places that need one.
    static func headers(_ bytes: ByteBuffer) throws(ResponseFault) -> HTTPHeaders {
        let result = bytes.withUnsafeReadableBytes { bytes -> Result<HTTPHeaders, ResponseFault> in
            var headers = HTTPHeaders()
            do throws(ResponseFault) {
                try forEach(bytes, from: 0) { name, value, _ in
                    headers.add(name: String(decoding: name, as: UTF8.self), value: String(decoding: value, as: UTF8.self))
                }
            } catch {
                return .failure(error)
            }
            return .success(headers)
        }
        return try result.get()
    }

    /// Digits only; nil for anything else, and for what no body can be as long as.
    static func number(_ value: UnsafeRawBufferPointer) -> Int? {
        guard !value.isEmpty, value.count <= 18 else { return nil }
        var number = 0
        for byte in value {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            number = number * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return number
    }

    /// What a value may hold: no control characters but the tab.
    static func isFieldByte(_ byte: UInt8) -> Bool { byte >= 0x20 ? byte != 0x7f : byte == 0x09 }

    /// What a name may hold (`tchar`).
    private static func isTokenByte(_ byte: UInt8) -> Bool { tokenBytes[Int(byte)] }

    private static let tokenBytes: [Bool] = (UInt8.min...UInt8.max).map { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: Array("!#$%&'*+-.^_`|~".utf8).contains(byte)
        }
    }
}
