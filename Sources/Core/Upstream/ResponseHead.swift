// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// The head of an endpoint's answer: the bytes as they came, and the little that the router must know of them.
///
/// The fields go on to the client as they are, so none of them becomes a `String` on its way.
struct ResponseHead {
    /// 100 to 999.
    let status: Int
    /// The endpoint keeps the connection open, and it can be trusted to end its answers where it says.
    let keepsAlive: Bool
    let isChunked: Bool
    let contentLength: Int?
    /// The answer is compressed or otherwise encoded.
    let isEncoded: Bool
    /// How its `Content-Type` says that it is divided; nil if it is one text.
    let streamFraming: StreamFraming?
    /// From the status line to the empty line.
    private let bytes: ByteBuffer
    private let statusLineLength: Int
    /// `Connection` names fields besides the usual ones.
    private let namesFields: Bool
    private let dropped: DroppedLines

    /// - Parameters:
    ///   - bytes: end with the empty line.
    ///   - isMended: the endpoint did not write it quite like this. Its connection is not used again: where readers may differ about one
    ///     answer's beginning, nobody's answer stands behind it.
    init(_ bytes: ByteBuffer, isMended: Bool = false) throws(ResponseFault) {
        self.bytes = bytes
        let reading = bytes.withUnsafeReadableBytes { Self.read($0) }
        let facts = try reading.get()
        status = facts.status
        statusLineLength = facts.statusLineLength
        isChunked = facts.isChunked
        contentLength = facts.contentLength
        isEncoded = facts.isEncoded
        streamFraming = facts.streamFraming
        keepsAlive = !isMended && !facts.closes && (facts.isVersion11 || facts.keepsAlive)
        namesFields = facts.namesFields
        dropped = facts.dropped
    }

    /// 204 and 304 have none, nor has an answer before the final one.
    var mayHaveBody: Bool { status >= 200 && status != 204 && status != 304 }

    // MARK: Reading

    private struct Facts {
        var status = 0
        var statusLineLength = 0
        var isVersion11 = true
        var isChunked = false
        var contentLength: Int?
        var isEncoded = false
        var hasContentType = false
        var streamFraming: StreamFraming?
        var closes = false
        var keepsAlive = false
        var namesFields = false
        var dropped = DroppedLines()
    }

    /// The first lines that are about this hop alone, found while all of them are read: of most heads they are all such lines, so that a head
    /// need not be read again to be passed on.
    private struct DroppedLines {
        private(set) var count = 0
        private(set) var first: Range<Int32> = 0..<0
        private(set) var second: Range<Int32> = 0..<0

        mutating func add(_ line: UnsafeRawBufferPointer, of head: UnsafeRawBufferPointer) {
            count += 1
            guard count <= 2, let lineStart = line.baseAddress, let headStart = head.baseAddress else { return }
            let start = Int32(truncatingIfNeeded: lineStart - headStart)
            let range = start..<start + Int32(truncatingIfNeeded: line.count)
            if count == 1 { first = range } else { second = range }
        }
    }

    private static func read(_ bytes: UnsafeRawBufferPointer) -> Result<Facts, ResponseFault> {
        var facts = Facts()
        // HTTP/1.x 200 reason
        guard bytes.hasPrefix("HTTP/1."), bytes.count > 14, bytes[7] == UInt8(ascii: "1") || bytes[7] == UInt8(ascii: "0"), bytes[8] == 0x20 else {
            return .failure(ResponseFault(reason: "no status line"))
        }
        facts.isVersion11 = bytes[7] == UInt8(ascii: "1")
        for index in 9..<12 {
            guard bytes[index] >= UInt8(ascii: "0"), bytes[index] <= UInt8(ascii: "9") else {
                return .failure(ResponseFault(reason: "no status code"))
            }
            facts.status = facts.status * 10 + Int(bytes[index] - UInt8(ascii: "0"))
        }
        guard facts.status >= 100, let lineEnd = bytes.firstOffset(of: "\r\n"), lineEnd >= 12, lineEnd == 12 || bytes[12] == 0x20 else {
            return .failure(ResponseFault(reason: "no status code"))
        }
        guard bytes[12..<lineEnd].allSatisfy({ FieldLines.isFieldByte($0) }) else {
            return .failure(ResponseFault(reason: "a control character in the status line"))
        }
        facts.statusLineLength = lineEnd + 2
        var fault: ResponseFault?
        do throws(ResponseFault) {
            try FieldLines.forEach(bytes, from: lineEnd + 2) { name, value, line in
                if HeaderClass(name).isOfOneHop { facts.dropped.add(line, of: bytes) }
                if fault == nil { fault = note(name, value, &facts) }
            }
        } catch {
            return .failure(error)
        }
        if let fault { return .failure(fault) }
        // What one reader takes for the body's end, another must not take for something else (RFC 9112, section 6.3).
        if facts.isChunked, facts.contentLength != nil { return .failure(ResponseFault(reason: "both Content-Length and Transfer-Encoding")) }
        return .success(facts)
    }

    private static func note(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ facts: inout Facts) -> ResponseFault? {
        switch name.count {
        case 10 where name.equalsIgnoringCase("connection"):
            for token in value.split(separator: UInt8(ascii: ",")) {
                let token = UnsafeRawBufferPointer(rebasing: token).trimmingBlanks()
                if token.equalsIgnoringCase("close") {
                    facts.closes = true
                } else if token.equalsIgnoringCase("keep-alive") {
                    facts.keepsAlive = true
                } else if !token.isEmpty {
                    facts.namesFields = true
                }
            }
        case 12 where name.equalsIgnoringCase("content-type"):
            guard !facts.hasContentType else { return nil }
            facts.hasContentType = true
            if value.hasPrefixIgnoringCase("application/x-ndjson") {
                facts.streamFraming = .newlineJSON
            } else if value.hasPrefixIgnoringCase("text/event-stream") {
                facts.streamFraming = .serverSentEvents
            }
        case 16 where name.equalsIgnoringCase("content-encoding"):
            if !value.equalsIgnoringCase("identity") { facts.isEncoded = true }
        case 14 where name.equalsIgnoringCase("content-length"):
            guard let length = FieldLines.number(value) else { return ResponseFault(reason: "a Content-Length that is no number") }
            guard facts.contentLength == nil || facts.contentLength == length else { return ResponseFault(reason: "two different Content-Lengths") }
            facts.contentLength = length
        case 17 where name.equalsIgnoringCase("transfer-encoding"):
            guard value.equalsIgnoringCase("chunked"), !facts.isChunked else {
                return ResponseFault(reason: "a Transfer-Encoding other than chunked")
            }
            facts.isChunked = true
        default:
            break
        }
        return nil
    }

    // MARK: Asking

    /// The first field of that name, which is given in lower case; nil if there is none.
    func withField<Value>(_ name: StaticString, _ body: (UnsafeRawBufferPointer) -> Value) -> Value? {
        bytes.withUnsafeReadableBytes { bytes in
            var found: Value?
            try? FieldLines.forEach(bytes, from: statusLineLength) { field, value, _ in
                if found == nil, field.equalsIgnoringCase(name) { found = body(value) }
            }
            return found
        }
    }

    /// What services say of their limits: `Retry-After`, and how much is left until when.
    var limitFields: [(name: String, value: String)] {
        var found: [(String, String)] = []
        bytes.withUnsafeReadableBytes { bytes in
            try? FieldLines.forEach(bytes, from: statusLineLength) { name, value, _ in
                let isOfLimits =
                    name.equalsIgnoringCase("retry-after") || name.equalsIgnoringCase("retry-after-ms")
                    || ["x-ratelimit-", "ratelimit", "anthropic-ratelimit-"].contains { name.hasPrefixIgnoringCase($0) }
                if isOfLimits { found.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))) }
            }
        }
        return found
    }

    // MARK: Passing on

    /// `HTTP/1.1 200 OK`, with the endpoint's own words.
    func writeStatusLine(version: HTTPVersion, into buffer: inout ByteBuffer) {
        buffer.writeStaticString(version.knowsChunks ? "HTTP/1.1 " : "HTTP/1.0 ")
        bytes.withUnsafeReadableBytes { bytes in
            let words = bytes[9..<statusLineLength]
            if words.count == 5 {
                // No reason; the space before it is not optional.
                buffer.writeBytes(words.prefix(3))
                buffer.writeStaticString(" \r\n")
            } else {
                buffer.writeBytes(words)
            }
        }
    }

    /// The field lines as they came, without those that are about this hop alone.
    func writeFields(into buffer: inout ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            guard namesFields || dropped.count > 2 else { return writeAround(dropped, of: bytes, into: &buffer) }
            try? FieldLines.forEach(bytes, from: statusLineLength) { name, _, line in
                if HeaderClass(name).isOfOneHop { return }
                if namesFields, Self.isNamedByConnection(name, bytes, from: statusLineLength) { return }
                buffer.writeBytes(line)
            }
        }
    }

    private func writeAround(_ dropped: DroppedLines, of bytes: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
        var position = statusLineLength
        if dropped.count > 0 {
            buffer.writeBytes(bytes[position..<Int(dropped.first.lowerBound)])
            position = Int(dropped.first.upperBound)
        }
        if dropped.count > 1 {
            buffer.writeBytes(bytes[position..<Int(dropped.second.lowerBound)])
            position = Int(dropped.second.upperBound)
        }
        // The empty line is written by whoever adds the last field.
        buffer.writeBytes(bytes[position..<bytes.count - 2])
    }

    private static func isNamedByConnection(_ name: UnsafeRawBufferPointer, _ bytes: UnsafeRawBufferPointer, from start: Int) -> Bool {
        var isNamed = false
        try? FieldLines.forEach(bytes, from: start) { field, value, _ in
            guard field.equalsIgnoringCase("connection") else { return }
            for token in value.split(separator: UInt8(ascii: ",")) {
                let token = UnsafeRawBufferPointer(rebasing: token).trimmingBlanks()
                if token.count == name.count, zip(token, name).allSatisfy({ ASCII.lowercased($0) == ASCII.lowercased($1) }) { isNamed = true }
            }
        }
        return isNamed
    }
}
