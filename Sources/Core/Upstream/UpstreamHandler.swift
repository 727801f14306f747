// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// Who gets the answer of an upstream connection. Both live on the same event loop.
protocol UpstreamDelegate: AnyObject {
    func upstreamSentHead(_ head: HTTPResponseHead)
    func upstreamSentBody(_ bytes: ByteBuffer)
    /// One read's worth has been delivered: the moment to flush.
    func upstreamReadCompleted()
    /// The answer is whole. The connection is no longer the delegate's.
    func upstreamEnded(trailers: HTTPHeaders?)
    /// It will not become whole. The connection is no longer the delegate's.
    func upstreamFailed(_ failure: UpstreamFailure)
}

struct UpstreamFailure: Error {
    /// No byte of an answer had come.
    var nothingCameBack: Bool
    /// The connection had served a request before: the endpoint may just have closed it as idle.
    var connectionWasReused: Bool
    var reason: String
}

/// The last handler of an upstream connection: runs what `UpstreamStateMachine` decides.
///
/// Bound to its event loop, hence not `Sendable`.
final class UpstreamHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPClientRequestPart

    /// Bodies above this may still be on their way out when the answer ends: their end is watched.
    private static let largeBody = 64 * 1024

    let endpoint: EndpointID
    /// When it became idle, for the pool.
    var idleSince: NIODeadline = .distantPast
    private let pool: UpstreamPool
    private var machine = UpstreamStateMachine()
    private var context: ChannelHandlerContext?
    private weak var delegate: (any UpstreamDelegate)?
    private var paused = false
    private var heldRead = false
    private var failureReason: String?
    /// What came back was no answer: never a reason to send the request again on the same endpoint.
    private var sentGarbage = false

    init(endpoint: EndpointID, pool: UpstreamPool) {
        self.endpoint = endpoint
        self.pool = pool
    }

    // MARK: From the exchange

    /// Sends one request: `head` is serialised, and `body` follows as it is.
    /// `method` is what the decoder must know to read the answer (a HEAD has no body).
    func send(method: HTTPMethod, head: ByteBuffer, body: ByteBuffer?, tail: ByteBuffer?, delegate: any UpstreamDelegate) {
        guard let context else {
            delegate.upstreamFailed(UpstreamFailure(nothingCameBack: true, connectionWasReused: true, reason: "connection closed"))
            return
        }
        machine.begin()
        self.delegate = delegate
        paused = false
        failureReason = nil
        sentGarbage = false
        // The head part is for the response decoder, which pairs answers with methods; the bytes are in `head`.
        context.write(wrapOutboundOut(.head(RequestSerializer.marker(method))), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(head))), promise: nil)
        if let body, body.readableBytes > 0 {
            var written: EventLoopPromise<Void>?
            if body.readableBytes > Self.largeBody {
                let promise = context.eventLoop.makePromise(of: Void.self)
                machine.requestIsBeingWritten()
                promise.futureResult.assumeIsolated().whenSuccess { self.machine.requestIsWritten() }
                written = promise
            }
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: written)
        }
        if let tail { context.write(wrapOutboundOut(.body(.byteBuffer(tail))), promise: nil) }
        context.flush()
    }

    /// The request is not wanted any more: closing the connection is the only way HTTP/1.1 has to say so.
    func cancel() {
        delegate = nil
        machine.abandon()
        context?.close(promise: nil)
    }

    /// The client is slower than the endpoint: read no further.
    func pauseReading() { paused = true }

    func resumeReading() {
        paused = false
        if heldRead {
            heldRead = false
            context?.read()
        }
    }

    /// Closes an idle connection.
    func close() {
        machine.abandon()
        context?.close(promise: nil)
    }

    var isOpen: Bool { context?.channel.isActive ?? false }

    // MARK: From the channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        if paused {
            heldRead = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if machine.receivedHead(keepAlive: head.isKeepAlive) == .deliver { delegate?.upstreamSentHead(head) }
        case .body(let bytes):
            if machine.receivesBody { delegate?.upstreamSentBody(bytes) }
        case .end(let trailers):
            let after = machine.receivedEnd()
            let receiver = delegate
            switch after {
            case .reuse:
                delegate = nil
                resumeReading()
                pool.give(self)
            case .close:
                delegate = nil
                context.close(promise: nil)
            case .ignore:
                return
            }
            receiver?.upstreamEnded(trailers: trailers)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        delegate?.upstreamReadCompleted()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if failureReason == nil { failureReason = Self.text(error) }
        if error is HTTPParserError || error is NIOHTTPDecoderError { sentGarbage = true }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let after = machine.closed()
        pool.forget(self)
        guard let receiver = delegate, case .failRequest(let nothingCameBack, let wasReused) = after else { return }
        delegate = nil
        receiver.upstreamFailed(
            UpstreamFailure(
                nothingCameBack: nothingCameBack && !sentGarbage, connectionWasReused: wasReused,
                reason: failureReason ?? "it closed the connection"))
    }

    private static func text(_ error: any Error) -> String {
        switch error {
        case is HTTPParserError, is NIOHTTPDecoderError: "what it sent is not HTTP (\(error))"
        case let error as IOError: IOErrorText.reason(error)
        default: "\(error)"
        }
    }
}
