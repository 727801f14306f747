// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// What an exchange asks of its client's connection: to carry an answer, and to go on or to end afterwards.
extension ExchangeHandler {
    /// How long a client may go on sending what nobody reads any more.
    private static let lingerTime = TimeAmount.seconds(3)

    /// Whether the client keeps up with what is written.
    var takesMore: Bool { output?.isWritable ?? true }

    // MARK: An answer

    /// - Parameter hasBody: false where only the head is told, as to HEAD.
    func beginAnswer(_ head: AnswerHead, of exchange: Exchange, hasBody: Bool) {
        let request = exchange.head
        machine.beginAnswer()
        // A client that knows no chunks learns the end of such a body by the connection's.
        if head.framing == .none, hasBody { machine.endAfterThis() }
        if case .own = head.source, !request.version.knowsChunks, !request.isKeepAlive { machine.endAfterThis() }
        output?.begin(head, version: request.version, closes: !machine.keepsAlive, hasBody: hasBody) { buffer in
            AnswerFields.write(exchange, beside: head, into: &buffer)
        }
    }

    /// The exchange is over: flushes, and goes on with the connection.
    func exchangeEnded() {
        switch machine.endAnswer() {
        case .next:
            output?.flush()
            nextRequest()
        case .nothing:
            forgetExchange()
            output?.flush()
        case .close:
            forgetExchange()
            closeAfterFlush()
        case .linger:
            forgetExchange()
            output?.flush()
            closesBy = .now() + Self.lingerTime
        }
    }

    /// Ends the connection instead of the answer, so that no client takes half an answer for a whole one.
    func breakOff() {
        machine.endAfterThis()
        forgetExchange()
        output?.flush()
        context?.close(promise: nil)
    }

    private func closeAfterFlush() {
        guard let context else { return }
        machine.closed()
        closesBy = .now() + worker.settings.limits.idleTimeout
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        output?.flushed().whenComplete { _ in bound.value.close(promise: nil) }
    }

    /// The connection's bytes are no request: says so, whatever was under way, and closes.
    func refuseConnection(_ error: RouterError) {
        guard let context, !machine.isClosed else { return }
        machine.endAfterThis()
        // An answer is under way, and what cannot be read comes after its request: it ends, then the connection does.
        if exchange != nil, machine.answerHasBegun || machine.request == .whole { return }
        if let exchange {
            forgetExchange()
            exchange.refused(status: Int(error.status.code))
        } else {
            worker.count(.rejected)
        }
        output?.writeWhole(.error(error, .ollama))
        machine.closed()
        output?.flush()
        context.close(mode: .output, promise: nil)
        closesBy = .now() + Self.lingerTime
    }
}

/// What the router adds to an answer's head.
enum AnswerFields {
    static func write(_ exchange: Exchange, beside head: AnswerHead, into buffer: inout ByteBuffer) {
        let worker = exchange.worker
        let settings = worker.settings
        if settings.addsResponseHeaders {
            if let attempt = exchange.attempt { ForwardedHeaders.write("X-Routerd-Endpoint", attempt.endpoint.name, into: &buffer) }
            buffer.writeStaticString("X-Routerd-Request-Id: ")
            if let name = exchange.givenName { buffer.writeString(name) } else { worker.writeName(exchange.id, into: &buffer) }
            buffer.writeStaticString("\r\n")
        }
        exchange.cacheMark?.writeFields(into: &buffer)
        if let work = exchange.existingSideWork {
            for note in work.notes { ForwardedHeaders.write("X-Routerd-Note", note, into: &buffer) }
        }
        if let leftOutNote = exchange.leftOutNote { ForwardedHeaders.write("X-Routerd-Note", leftOutNote, into: &buffer) }
        if let contextNote = exchange.contextNote { ForwardedHeaders.write("X-Routerd-Note", contextNote, into: &buffer) }
        let retryNote = exchange.retryNote
        if !retryNote.isEmpty { ForwardedHeaders.write("X-Routerd-Note", retryNote, into: &buffer) }
        guard settings.cors.isOn else { return }
        // The endpoint may have answered the browser's question itself.
        if case .endpoint(let head) = head.source, head.withField("access-control-allow-origin", { _ in true }) != nil { return }
        settings.cors.writeFields(origin: exchange.head.headers.first(name: "origin"), into: &buffer)
    }
}
