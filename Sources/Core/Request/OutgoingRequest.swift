// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// A request as its endpoint gets it, in bytes: as it came, but for the name of the model, a context that is shared, the question for
/// token counts, and what was rewritten for another dialect. Pure.
struct OutgoingRequest {
    var method: HTTPMethod
    /// The head; a small body may follow in it.
    var head: ByteBuffer
    /// Nil where it went with the head.
    var body: ByteBuffer?
    /// What ends a body in chunks.
    var tail: ByteBuffer?

    /// Bodies up to this are copied behind their head, so that a request is one write.
    private static let copiedBody = 16 * 1024

    /// - Parameter dropsAuthorization: the client's key was for this router.
    init(_ exchange: Exchange, _ attempt: Attempt, dropsAuthorization: Bool) {
        let original = exchange.head
        let path: Substring
        let content: ByteBuffer
        let isChunked: Bool
        if let rewritten = attempt.rewritten {
            (method, path, content, isChunked) = (.POST, Substring(rewritten.path), rewritten.body, false)
        } else {
            (method, path, content, isChunked) = (original.method, exchange.target, Self.body(exchange, attempt), exchange.isChunked)
        }
        let length = content.readableBytes
        let isSmall = length <= Self.copiedBody
        head = ByteBufferAllocator().buffer(capacity: 512 + (isSmall ? length : 0))
        ForwardedHeaders.writeRequest(
            original, method: method, path: path, endpoint: attempt.shared, framing: isChunked ? .chunked : .counted(length),
            dropsAuthorization: dropsAuthorization, answer: Self.use(exchange, attempt), into: &head)
        if isChunked, length > 0 { ResponseSerializer.writeChunkSize(length, into: &head) }
        if isSmall { head.writeImmutableBuffer(content) } else { body = content }
        if isChunked {
            var end = ByteBuffer()
            if length > 0 { end.writeStaticString("\r\n") }
            ResponseSerializer.writeLastChunk(trailers: exchange.trailers, into: &end)
            tail = end
        }
    }

    /// What becomes of the endpoint's answer here.
    private static func use(_ exchange: Exchange, _ attempt: Attempt) -> ForwardedHeaders.AnswerUse {
        if attempt.rewritten != nil { return .translated }
        if case .forward(let operation) = exchange.route.action, operation.answersAreRead { return .read }
        return .passedOn
    }

    private static func body(_ exchange: Exchange, _ attempt: Attempt) -> ByteBuffer {
        let body = exchange.body ?? ByteBuffer()
        let placement = attempt.placement
        var edits: [BodyEdit] = []
        if !placement.understandsAskedName || exchange.existingSideWork?.substitute != nil, let range = exchange.facts?.modelRange, !range.isEmpty {
            let isForm = exchange.facts?.isForm ?? false
            edits.append(BodyEdit(range: range, text: isForm ? placement.model : JSONText.quoted(placement.model)))
        }
        if let context = attempt.context?.tokens, let facts = exchange.facts,
            let edit = ContextPlace.edit(facts.contextPlace, body, context: context)
        {
            edits.append(edit)
        }
        if let edit = exchange.facts?.usageEdit, !placement.kind.tellsUsageUnasked, case .forward(let operation) = exchange.route.action,
            operation.tellsUsageWhenAsked, case let words = exchange.words(of: attempt), !words.refused.contains(.streamOptions)
        {
            (attempt.words, attempt.said.optional) = (words, [.streamOptions])
            edits.append(edit)
            attempt.path = .filtered(UsageFilter())
        }
        return edits.isEmpty ? body : BodyEdit.apply(edits, to: body)
    }
}
