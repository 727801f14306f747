// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// An answer that the router gives itself.
struct LocalAnswer: Equatable {
    var status: HTTPResponseStatus
    var contentType: String
    var body: ByteBuffer
    var extra: [(String, String)] = []

    static func == (left: LocalAnswer, right: LocalAnswer) -> Bool {
        left.status == right.status && left.contentType == right.contentType && left.body == right.body
            && left.extra.elementsEqual(right.extra, by: ==)
    }

    static func json(_ body: ByteBuffer, status: HTTPResponseStatus = .ok) -> LocalAnswer {
        LocalAnswer(status: status, contentType: "application/json; charset=utf-8", body: body)
    }

    static func text(_ text: String, status: HTTPResponseStatus = .ok) -> LocalAnswer {
        LocalAnswer(status: status, contentType: "text/plain; charset=utf-8", body: ByteBuffer(string: text))
    }

    static func error(_ error: RouterError, _ dialect: Dialect) -> LocalAnswer {
        var extra: [(String, String)] = []
        if let seconds = error.retryAfter { extra.append(("Retry-After", String(seconds))) }
        if case .methodNotAllowed(_, _, let allow) = error { extra.append(("Allow", allow)) }
        if error == .missingKey { extra.append(("WWW-Authenticate", "Bearer")) }
        return LocalAnswer(
            status: error.status, contentType: ErrorBody.contentType(dialect), body: ByteBuffer(string: ErrorBody.body(error, dialect)), extra: extra)
    }

    /// - Parameter isHead: the answer to a HEAD is its head alone.
    func write(version: HTTPVersion, closes: Bool, isHead: Bool, into buffer: inout ByteBuffer, writeMore: (inout ByteBuffer) -> Void = { _ in }) {
        writeHead(version: version, framing: .counted(body.readableBytes), closes: closes, into: &buffer, writeMore: writeMore)
        if !isHead { buffer.writeImmutableBuffer(body) }
    }

    func writeHead(
        version: HTTPVersion, framing: ForwardedHeaders.Framing, closes: Bool, into buffer: inout ByteBuffer,
        writeMore: (inout ByteBuffer) -> Void = { _ in }
    ) {
        ResponseSerializer.writeStatusLine(status, version: version, into: &buffer)
        if !contentType.isEmpty { ForwardedHeaders.write("Content-Type", contentType, into: &buffer) }
        for (name, value) in extra { ForwardedHeaders.write(name, value, into: &buffer) }
        writeMore(&buffer)
        ForwardedHeaders.write("Date", HTTPDate.now(), into: &buffer)
        ForwardedHeaders.write(framing, into: &buffer)
        if closes {
            buffer.writeStaticString("Connection: close\r\n")
        } else if !version.knowsChunks {
            buffer.writeStaticString("Connection: keep-alive\r\n")
        }
        buffer.writeStaticString("\r\n")
    }
}
