// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// Why bytes are no HTTP/1.1 answer. Never the bytes themselves.
struct ResponseFault: Error, Equatable {
    var reason: String
}

/// What stands next in the buffer.
enum ResponsePart {
    /// Already taken from the buffer.
    case head(ResponseHead)
    /// A whole chunk at the buffer's beginning, its framing included: `length` bytes, of which `payload` are the body's.
    case chunk(length: Int, payload: Range<Int>)
    /// So many bytes of the body at the buffer's beginning, without framing.
    case fragment(length: Int)
    /// Already taken from the buffer.
    case end(trailers: HTTPHeaders?)
}

/// Reads answers of an endpoint (RFC 9112): strict, without copying, and without a part for every piece of framing.
///
/// Heads may have lines that end in a bare LF, as all readers take them; they are mended before anybody else sees them, and the connection
/// serves no other request. Chunks and trailers may not, because readers differ there about where a body ends.
///
/// A stream is a chunk per token. Those that are whole within one read, which is nearly all, are told with their framing
/// around them, so that they can go on to the client as they came; only what is larger or cut by the end of a read is
/// told without. The stock decoder makes three parts and two buffer slices of each token, which costs more than all else
/// that the router does with it (`Benchmarks`).
///
/// The caller keeps what is left in the buffer and puts the next read behind it.
struct ResponseParser {
    /// Chunks above this are told in fragments: copying them would cost more than their framing.
    static let wholeChunk = 4096
    static let maximumHead = 64 * 1024
    /// A chunk's size with its extensions.
    private static let maximumSizeLine = 4096
    private static let maximumTrailers = 16 * 1024

    private enum State: Equatable {
        /// Nothing is expected; bytes that come are a fault.
        case idle
        case head
        case counted(Int)
        case chunkSize
        /// Within a chunk: so many bytes of its data are to come.
        case chunkData(Int)
        /// The CRLF behind a chunk's data.
        case chunkEnd
        case trailers
        case untilClose
    }

    private var state: State = .idle
    private var answersHead = false
    /// The end of the head or trailers that are being read.
    private var fieldsEnd = FieldsEnd()

    /// A request has been sent. HEAD's answer has no body, whatever its head says.
    mutating func expectAnswer(to method: HTTPMethod) {
        state = .head
        answersHead = method == .HEAD
        fieldsEnd = FieldsEnd()
    }

    /// The connection has ended.
    ///
    /// - Returns: whether the answer is whole by that, having no other end.
    mutating func connectionEnded() -> Bool {
        defer { state = .idle }
        return state == .untilClose
    }

    /// The next part, or nil if more bytes are needed for one.
    mutating func next(_ buffer: inout ByteBuffer) throws(ResponseFault) -> ResponsePart? {
        switch state {
        case .idle:
            if buffer.readableBytes > 0 { throw ResponseFault(reason: "bytes that nobody asked for") }
            return nil
        case .head:
            return try nextHead(&buffer)
        case .counted(0):
            state = .idle
            return .end(trailers: nil)
        case .counted(let left):
            let length = min(left, buffer.readableBytes)
            guard length > 0 else { return nil }
            state = .counted(left - length)
            return .fragment(length: length)
        case .untilClose:
            return buffer.readableBytes > 0 ? .fragment(length: buffer.readableBytes) : nil
        case .chunkSize:
            return try nextChunk(&buffer)
        case .chunkData(let left):
            let length = min(left, buffer.readableBytes)
            guard length > 0 else { return nil }
            state = left == length ? .chunkEnd : .chunkData(left - length)
            return .fragment(length: length)
        case .chunkEnd:
            guard buffer.readableBytes >= 2 else { return try wait(buffer, for: "a chunk is longer than its size says") }
            guard buffer.readInteger(as: UInt16.self) == Self.crlf else { throw ResponseFault(reason: "a chunk is longer than its size says") }
            state = .chunkSize
            return try nextChunk(&buffer)
        case .trailers:
            return try nextTrailers(&buffer)
        }
    }

    private static let crlf: UInt16 = 0x0d0a

    // MARK: Heads

    private mutating func nextHead(_ buffer: inout ByteBuffer) throws(ResponseFault) -> ResponsePart? {
        while true {
            guard let length = buffer.withUnsafeReadableBytes({ fieldsEnd.find(in: $0) }) else {
                guard buffer.readableBytes < Self.maximumHead else { throw ResponseFault(reason: "a head of more than \(Self.maximumHead) bytes") }
                try Self.checkBeginning(buffer)
                if buffer.withUnsafeReadableBytes({ fieldsEnd.hasBareReturn(in: $0) }) {
                    throw ResponseFault(reason: "a control character in a header")
                }
                return nil
            }
            guard length <= Self.maximumHead, let bytes = buffer.readSlice(length: length) else {
                throw ResponseFault(reason: "a head of more than \(Self.maximumHead) bytes")
            }
            let isMended = fieldsEnd.hasBareNewline
            fieldsEnd = FieldsEnd()
            let head = try ResponseHead(isMended ? FieldsEnd.repaired(bytes) : bytes, isMended: isMended)
            // 100 Continue, 103 Early Hints: the answer itself is still to come.
            if head.status < 200 {
                guard head.status != 101 else { throw ResponseFault(reason: "it changes to another protocol, unasked") }
                continue
            }
            state = bodyState(head)
            return .head(head)
        }
    }

    /// Garbage without a line's end would otherwise be waited for until the time is up.
    private static func checkBeginning(_ buffer: ByteBuffer) throws(ResponseFault) {
        let isHTTP = buffer.withUnsafeReadableBytes { bytes in
            zip(bytes, "HTTP/1.".utf8).allSatisfy { $0 == $1 }
        }
        if !isHTTP { throw ResponseFault(reason: "no status line") }
    }

    /// Nothing is to be done before the other half of a CRLF comes; anything but its CR is a fault now.
    private func wait(_ buffer: ByteBuffer, for fault: String) throws(ResponseFault) -> ResponsePart? {
        if let byte = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self), byte != 0x0d { throw ResponseFault(reason: fault) }
        return nil
    }

    private func bodyState(_ head: ResponseHead) -> State {
        if answersHead || !head.mayHaveBody { return .counted(0) }
        if head.isChunked { return .chunkSize }
        return head.contentLength.map(State.counted) ?? .untilClose
    }

    // MARK: Chunks

    private mutating func nextChunk(_ buffer: inout ByteBuffer) throws(ResponseFault) -> ResponsePart? {
        guard let (lineLength, size) = try sizeLine(buffer) else { return nil }
        if size == 0 {
            buffer.moveReaderIndex(forwardBy: lineLength)
            state = .trailers
            return try nextTrailers(&buffer)
        }
        let whole = lineLength + size + 2
        if size <= Self.wholeChunk, buffer.readableBytes >= whole {
            guard buffer.getInteger(at: buffer.readerIndex + lineLength + size, as: UInt16.self) == Self.crlf else {
                throw ResponseFault(reason: "a chunk is longer than its size says")
            }
            return .chunk(length: whole, payload: lineLength..<(lineLength + size))
        }
        buffer.moveReaderIndex(forwardBy: lineLength)
        state = .chunkData(size)
        return try next(&buffer)
    }

    /// The length of the line with its CRLF, and the chunk's size.
    private func sizeLine(_ buffer: ByteBuffer) throws(ResponseFault) -> (Int, Int)? {
        let result = buffer.withUnsafeReadableBytes { bytes -> Result<(Int, Int)?, ResponseFault> in
            var size = 0
            var index = 0
            while index < bytes.count, let digit = Self.hexValue(bytes[index]) {
                size = size << 4 | digit
                index += 1
                if index > 15 { return .failure(ResponseFault(reason: "a chunk's size of more than 15 digits")) }
            }
            guard index < bytes.count else { return .success(nil) }
            guard index > 0 else { return .failure(ResponseFault(reason: "no chunk size where one must be")) }
            if bytes[index] == UInt8(ascii: ";") || bytes[index] == UInt8(ascii: " ") || bytes[index] == UInt8(ascii: "\t") {
                while index < bytes.count, bytes[index] >= 0x20 || bytes[index] == UInt8(ascii: "\t") { index += 1 }
                if index > Self.maximumSizeLine {
                    return .failure(ResponseFault(reason: "a chunk extension of more than \(Self.maximumSizeLine) bytes"))
                }
            }
            guard index + 1 < bytes.count else {
                return index == bytes.count || bytes[index] == 0x0d
                    ? .success(nil) : .failure(ResponseFault(reason: "a chunk's size is not followed by CRLF"))
            }
            guard bytes[index] == 0x0d, bytes[index + 1] == 0x0a else {
                return .failure(ResponseFault(reason: "a chunk's size is not followed by CRLF"))
            }
            return .success((index + 2, size))
        }
        return try result.get()
    }

    private static func hexValue(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    // MARK: Trailers

    private mutating func nextTrailers(_ buffer: inout ByteBuffer) throws(ResponseFault) -> ResponsePart? {
        guard buffer.readableBytes >= 2 else {
            if buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == 0x0a {
                throw ResponseFault(reason: "a header line does not end with CRLF")
            }
            return nil
        }
        if buffer.getInteger(at: buffer.readerIndex, as: UInt16.self) == Self.crlf {
            buffer.moveReaderIndex(forwardBy: 2)
            state = .idle
            return .end(trailers: nil)
        }
        let length = buffer.withUnsafeReadableBytes { fieldsEnd.find(in: $0) }
        if fieldsEnd.hasBareNewline { throw ResponseFault(reason: "a header line does not end with CRLF") }
        guard let length, length <= Self.maximumTrailers else {
            guard buffer.readableBytes < Self.maximumTrailers else {
                throw ResponseFault(reason: "trailers of more than \(Self.maximumTrailers) bytes")
            }
            return nil
        }
        guard let bytes = buffer.readSlice(length: length) else { return nil }
        let trailers = try FieldLines.headers(bytes)
        state = .idle
        return .end(trailers: trailers)
    }
}
