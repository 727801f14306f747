// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// What goes back to the client, and how an exchange ends.
extension ExchangeHandler {
    /// `out` may grow to this before it is written within a read.
    private static let outLimit = 32 * 1024
    /// How long a client may go on sending what nobody reads any more.
    private static let lingerTime = TimeAmount.seconds(3)

    // MARK: Answers of our own

    func answer(_ error: RouterError) {
        guard let exchange else { return }
        if case .stopping = error { machine.endAfterThis() }
        answer(.error(error, exchange.route.dialect), as: error.outcome)
    }

    func answer(_ local: LocalAnswer) {
        answer(local, as: .completed)
    }

    private func answer(_ local: LocalAnswer, as outcome: WorkerCounters.Outcome) {
        if isDetached, !machine.answerHasBegun { return finishExchange(outcome) }
        guard let exchange, !machine.answerHasBegun, !machine.isClosed else { return }
        machine.beginAnswer()
        framing = .none
        if !exchange.head.version.knowsChunks, !exchange.head.isKeepAlive { machine.endAfterThis() }
        local.write(version: exchange.head.version, closes: !machine.keepsAlive, isHead: exchange.head.method == .HEAD, into: &out) { buffer in
            writeAnswerFields(exchange, into: &buffer)
        }
        exchange.bytesSent += local.body.readableBytes
        exchange.status = Int(local.status.code)
        finishExchange(outcome)
    }

    /// The connection's bytes are no request: says so, whatever was under way, and closes.
    func refuseConnection(_ error: RouterError) {
        guard let context, !machine.isClosed else { return }
        if exchange != nil, machine.answerHasBegun || machine.request == .whole {
            // An answer is under way, and what cannot be read comes after its request: it ends, then the connection does.
            machine.endAfterThis()
            return
        }
        exchange?.endDetour()
        exchange = nil
        machine.endAfterThis()
        LocalAnswer.error(error, .ollama).write(version: .http1_1, closes: true, isHead: false, into: &out)
        worker.count(.rejected)
        machine.closed()
        flushOut()
        context.close(mode: .output, promise: nil)
        closesBy = .now() + Self.lingerTime
    }

    /// What the router adds to an answer's head.
    ///
    /// - Parameter head: the endpoint's own, where there is one: it may have answered the browser's question itself.
    func writeAnswerFields(_ exchange: Exchange, beside head: ResponseHead? = nil, into buffer: inout ByteBuffer) {
        let settings = worker.settings
        if settings.addsResponseHeaders {
            if let endpoint = exchange.endpoint { ForwardedHeaders.write("X-Routerd-Endpoint", endpoint.name, into: &buffer) }
            buffer.writeStaticString("X-Routerd-Request-Id: ")
            if let name = exchange.givenName { buffer.writeString(name) } else { worker.writeName(exchange.id, into: &buffer) }
            buffer.writeStaticString("\r\n")
        }
        exchange.cacheMark?.writeFields(into: &buffer)
        for note in exchange.notes { ForwardedHeaders.write("X-Routerd-Note", note, into: &buffer) }
        if settings.cors.isOn, head?.withField("access-control-allow-origin", { _ in true }) == nil {
            settings.cors.writeFields(origin: exchange.head.headers.first(name: "origin"), into: &buffer)
        }
    }

    // MARK: Bytes

    /// One piece of the answer's body, with its framing.
    func writeBody(_ bytes: ByteBuffer) {
        let length = bytes.readableBytes
        guard length > 0 else { return }
        if framing == .chunked { ResponseSerializer.writeChunkSize(length, into: &out) }
        if length <= ResponseSerializer.copiedChunk {
            out.writeImmutableBuffer(bytes)
        } else {
            writeOut()
            context?.write(wrapOutboundOut(bytes), promise: nil)
        }
        if framing == .chunked { out.writeStaticString("\r\n") }
        if out.readableBytes > Self.outLimit { writeOut() }
    }

    /// One chunk of the answer's body, with its framing as it came.
    func writeChunk(_ framed: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        out.writeBytes(framing == .chunked ? framed : payload)
        if out.readableBytes > Self.outLimit { writeOut() }
    }

    private func writeOut() {
        guard out.readableBytes > 0 else { return }
        context?.write(wrapOutboundOut(out), promise: nil)
        // Keeps its storage if the channel has sent the bytes already, and takes a new one if it still needs them.
        out.clear()
    }

    func flushOut() {
        guard let context else { return }
        if out.readableBytes > 0 {
            context.writeAndFlush(wrapOutboundOut(out), promise: nil)
            out.clear()
        } else {
            context.flush()
        }
    }

    // MARK: Ends

    /// The endpoint failed after the client had got part of the answer: a stream ends with an error in its dialect,
    /// anything else by closing, so that no client takes half an answer for a whole one.
    func cutAnswer(_ error: RouterError) {
        guard let exchange else { return }
        let outcome: WorkerCounters.Outcome = error == .cancelled ? .aborted : .failed
        exchange.tap?.finish()
        if isDetached { return finishExchange(outcome) }
        let followed = exchange.existingDetour?.followed
        if framing == .chunked, let stream = exchange.tap?.framing ?? followed?.framing {
            let text =
                exchange.existingDetour?.translated?.fail(error.message, status: Int(error.status.code))
                ?? ErrorBody.streamEnd(
                    error, framing: stream, dialect: exchange.route.dialect, midLine: exchange.tap?.isMidLine ?? followed?.isMidLine ?? false)
            writeBody(ByteBuffer(string: text))
            ResponseSerializer.writeLastChunk(trailers: nil, into: &out)
            finishExchange(outcome)
        } else {
            machine.endAfterThis()
            flushOut()
            exchange.release(.failed, now: .now())
            worker.count(outcome)
            account(exchange)
            self.exchange = nil
            context?.close(promise: nil)
        }
    }

    /// Everything of the answer is written: gives the slot back, accounts, and goes on with the connection.
    ///
    /// The slot goes back before the last bytes leave, so that a client that has seen the end finds it free.
    func finishExchange(_ outcome: WorkerCounters.Outcome) {
        guard let exchange else { return }
        exchange.release(outcome == .completed ? .completed : .failed, now: .now())
        if isDetached {
            worker.count(.aborted)
            account(exchange, status: Self.clientLeft)
            self.exchange = nil
            return endDetached()
        }
        worker.count(outcome)
        account(exchange)
        self.exchange = nil
        switch machine.endAnswer() {
        case .next:
            flushOut()
            nextRequest()
        case .nothing:
            flushOut()
        case .close:
            closeAfterFlush()
        case .linger:
            flushOut()
            closesBy = .now() + Self.lingerTime
        }
    }

    private func closeAfterFlush() {
        guard let context else { return }
        machine.closed()
        closesBy = .now() + worker.settings.limits.idleTimeout
        context.writeAndFlush(wrapOutboundOut(out)).assumeIsolated().whenComplete { _ in self.context?.close(promise: nil) }
        out.clear()
    }

    /// The client has gone: whatever was done for it stops now.
    func abandonExchange() {
        guard let exchange else { return }
        self.exchange = nil
        if let ticket = exchange.ticket { worker.shared.scheduler.withdraw(ticket) }
        exchange.upstream?.cancel()
        exchange.release(.aborted, now: .now())
        worker.count(.aborted)
        account(exchange, status: Self.clientLeft)
        endDetached()
    }
}

extension RouterError {
    /// Whose doing it was, for the counters.
    fileprivate var outcome: WorkerCounters.Outcome {
        switch self {
        case .unreachable, .connectionLost, .firstByteTimeout, .answerCut, .silence, .tookTooLong: .failed
        case .endpointRefused(let status, _): status >= 500 ? .failed : .completed
        case .cancelled: .aborted
        default: .rejected
        }
    }
}
