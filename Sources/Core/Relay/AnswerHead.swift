// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// The head of an answer to a client, whoever made the answer. Every head is written here.
struct AnswerHead {
    enum Source {
        /// As the endpoint sent it, hop-by-hop fields aside.
        case endpoint(ResponseHead)
        /// The router's own.
        case own(HTTPResponseStatus, contentType: String, extra: [(String, String)])
    }

    var source: Source
    var framing: ForwardedHeaders.Framing

    static func stream(_ contentType: String, version: HTTPVersion) -> AnswerHead {
        AnswerHead(source: .own(.ok, contentType: contentType, extra: []), framing: version.knowsChunks ? .chunked : .none)
    }

    /// As the endpoint delimits the body; where it does so by closing, or the client knows no chunks, as the client understands it.
    static func forwarded(_ head: ResponseHead, hasBody: Bool, version: HTTPVersion) -> AnswerHead {
        let framing: ForwardedHeaders.Framing =
            if !head.isChunked, let length = head.contentLength { .counted(length) } else { hasBody && version.knowsChunks ? .chunked : .none }
        return AnswerHead(source: .endpoint(head), framing: framing)
    }

    /// - Parameters:
    ///   - closes: the connection ends after this answer.
    ///   - writeMore: writes what the router adds.
    func write(version: HTTPVersion, closes: Bool, into buffer: inout ByteBuffer, writeMore: (inout ByteBuffer) -> Void = { _ in }) {
        switch source {
        case .endpoint(let head):
            head.writeStatusLine(version: version, into: &buffer)
            head.writeFields(into: &buffer)
            writeMore(&buffer)
        case .own(let status, let contentType, let extra):
            ResponseSerializer.writeStatusLine(status, version: version, into: &buffer)
            if !contentType.isEmpty { ForwardedHeaders.write("Content-Type", contentType, into: &buffer) }
            for (name, value) in extra { ForwardedHeaders.write(name, value, into: &buffer) }
            writeMore(&buffer)
            ForwardedHeaders.write("Date", HTTPDate.now(), into: &buffer)
        }
        ForwardedHeaders.write(framing, into: &buffer)
        if closes {
            buffer.writeStaticString("Connection: close\r\n")
        } else if !version.knowsChunks {
            buffer.writeStaticString("Connection: keep-alive\r\n")
        }
        buffer.writeStaticString("\r\n")
    }
}
