// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Finds one text field of a `multipart/form-data` body (RFC 7578), without reading the files around it.
enum MultipartForm {
    struct Field: Equatable {
        var text: String
        /// Where it stands in the body.
        var range: Range<Int>
    }

    /// Headers of one part; nobody needs more.
    private static let headerLimit = 8192

    /// Nil if the content type names no boundary.
    static func boundary(contentType: String) -> String? {
        guard contentType.prefix(19).caseInsensitiveEquals("multipart/form-data") else { return nil }
        for parameter in contentType.split(separator: ";").dropFirst() {
            let parts = parameter.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0].trimmingSpaces().caseInsensitiveEquals("boundary") else { continue }
            var value = parts[1].trimmingSpaces()
            if value.hasPrefix("\""), value.hasSuffix("\""), value.count >= 2 { value = value.dropFirst().dropLast() }
            // RFC 2046, section 5.1.1.
            return (1...70).contains(value.utf8.count) ? String(value) : nil
        }
        return nil
    }

    /// The first field of that name; nil if there is none, or the body is no such form.
    static func field(_ name: String, of body: ByteBuffer, boundary: String) -> Field? {
        body.withUnsafeReadableBytes { bytes in
            let mark = Array("--\(boundary)".utf8)
            var position = find(mark, in: bytes, from: 0)
            while let start = position {
                let headers = start + mark.count
                guard let blank = find(Array("\r\n\r\n".utf8), in: bytes, from: headers), blank - headers <= headerLimit else { return nil }
                let content = blank + 4
                guard let next = find([0x0d, 0x0a] + mark, in: bytes, from: content) else { return nil }
                if isNamed(name, String(decoding: bytes[headers..<blank], as: UTF8.self)) {
                    return Field(text: String(decoding: bytes[content..<next], as: UTF8.self), range: content..<next)
                }
                position = next + 2
            }
            return nil
        }
    }

    private static func isNamed(_ name: String, _ headers: String) -> Bool {
        for line in headers.split(separator: "\r\n") where line.prefix(20).caseInsensitiveEquals("content-disposition:") {
            for parameter in line.split(separator: ";").dropFirst() {
                let parameter = parameter.trimmingSpaces()
                if parameter == "name=\"\(name)\"" || parameter == "name=\(name)" { return true }
            }
        }
        return false
    }

    private static func find(_ text: [UInt8], in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard let first = text.first, start <= bytes.count else { return nil }
        var from = start
        while let index = bytes[from...].firstIndex(of: first), index + text.count <= bytes.count {
            if bytes[index..<index + text.count].elementsEqual(text) { return index }
            from = index + 1
        }
        return nil
    }
}
