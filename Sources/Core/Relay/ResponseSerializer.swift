// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// Puts answers on the wire: status line, chunk framing, trailers.
///
/// Written by hand because it runs for every token: a small chunk becomes one buffer with its framing around it,
/// where the stock encoder makes three.
enum ResponseSerializer {
    /// Chunks up to this are copied between their framing; larger ones go as they are, between two small buffers.
    static let copiedChunk = 4096

    static func writeStatusLine(_ status: HTTPResponseStatus, version: HTTPVersion, into buffer: inout ByteBuffer) {
        if !version.knowsChunks {
            buffer.writeStaticString("HTTP/1.0 ")
        } else if status == .ok {
            buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
            return
        } else {
            buffer.writeStaticString("HTTP/1.1 ")
        }
        buffer.writeString(String(status.code))
        buffer.writeStaticString(" ")
        buffer.writeString(status.reasonPhrase)
        buffer.writeStaticString("\r\n")
    }

    /// `HTTP/1.1 100 Continue`, which asks the client for the body.
    static let continueLine = ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n")

    /// The line that opens a chunk of `length` bytes: its size in hexadecimal.
    static func writeChunkSize(_ length: Int, into buffer: inout ByteBuffer) {
        var shift = max(0, (Int.bitWidth - length.leadingZeroBitCount + 3) / 4 * 4 - 4)
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: length >> shift) & 0xf
            buffer.writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            shift -= 4
        }
        buffer.writeStaticString("\r\n")
    }

    /// The last chunk, and the trailers if there are any.
    static func writeLastChunk(trailers: HTTPHeaders?, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("0\r\n")
        if let trailers {
            for (name, value) in trailers { ForwardedHeaders.write(name, value, into: &buffer) }
        }
        buffer.writeStaticString("\r\n")
    }
}

extension HTTPVersion {
    /// HTTP/1.1: chunked bodies, connections that stay open, `100 Continue`.
    var knowsChunks: Bool { major > 1 || (major == 1 && minor >= 1) }
}
