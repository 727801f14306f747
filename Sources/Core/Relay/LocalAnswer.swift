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

    static let jsonType = "application/json; charset=utf-8"

    static func json(_ body: ByteBuffer, status: HTTPResponseStatus = .ok) -> LocalAnswer {
        LocalAnswer(status: status, contentType: jsonType, body: body)
    }

    static func text(_ text: String, status: HTTPResponseStatus = .ok) -> LocalAnswer {
        LocalAnswer(status: status, contentType: "text/plain; charset=utf-8", body: ByteBuffer(string: text))
    }

    /// - Parameter expectedWait: of a request that comes again, seconds; nil where that is not known.
    static func error(_ error: RouterError, _ dialect: Dialect, expectedWait: Double? = nil) -> LocalAnswer {
        var extra: [(String, String)] = []
        let wait = expectedWait.map(RetryAfter.whole)
        if let seconds = wait ?? error.retryAfter { extra.append(("Retry-After", String(seconds))) }
        if let wait { extra.append(("X-Routerd-Expected-Wait", String(wait))) }
        if case .methodNotAllowed(_, _, let allow) = error { extra.append(("Allow", allow)) }
        if error == .missingKey { extra.append(("WWW-Authenticate", "Bearer")) }
        return LocalAnswer(
            status: error.status, contentType: ErrorBody.contentType(dialect), body: ByteBuffer(string: ErrorBody.body(error, dialect)), extra: extra)
    }

    var head: AnswerHead {
        AnswerHead(source: .own(status, contentType: contentType, extra: extra), framing: .counted(body.readableBytes))
    }

    /// - Parameter isHead: the answer to a HEAD is its head alone.
    func write(version: HTTPVersion, closes: Bool, isHead: Bool, into buffer: inout ByteBuffer, writeMore: (inout ByteBuffer) -> Void = { _ in }) {
        head.write(version: version, closes: closes, into: &buffer, writeMore: writeMore)
        if !isHead { buffer.writeImmutableBuffer(body) }
    }
}
