// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// Who gets the answer of an upstream connection. Both live on the same event loop.
protocol UpstreamDelegate: AnyObject {
    func upstreamSentHead(_ head: ResponseHead)
    /// One whole chunk: with its framing as it came, and its data. Valid during the call.
    func upstreamSentChunk(_ framed: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer)
    /// Bytes of the body without framing.
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

/// The one handler of an upstream connection: puts requests on the wire, reads answers with `ResponseParser`, and does
/// what `UpstreamStateMachine` decides.
///
/// Bound to its event loop, hence not `Sendable`.
final class UpstreamHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    /// Bodies above this may still be on their way out when the answer ends: their end is watched.
    private static let largeBody = 64 * 1024

    let endpoint: EndpointID
    /// When its connection began to be made.
    let dialledAt: NIODeadline
    /// When it became idle, for the pool.
    var idleSince: NIODeadline = .distantPast
    private let pool: UpstreamPool
    let shelf: UpstreamPool.Shelf
    private var machine = UpstreamStateMachine()
    private var parser = ResponseParser()
    /// The beginning of a line that the next read will complete.
    private var carried: ByteBuffer?
    private var context: ChannelHandlerContext?
    /// Held from `send` until the answer is whole, lost or not wanted any more. Not weak: a weak reference would make each count of references
    /// to an exchange dearer for its whole life.
    private var delegate: (any UpstreamDelegate)?
    private var paused = false
    private var heldRead = false
    private var failureReason: String?
    /// What came back was no answer: never a reason to send the request again on the same endpoint.
    private var sentGarbage = false

    init(endpoint: EndpointID, pool: UpstreamPool, dialledAt: NIODeadline = .now()) {
        self.endpoint = endpoint
        self.dialledAt = dialledAt
        self.pool = pool
        shelf = pool.shelf(endpoint)
    }

    // MARK: From the exchange

    /// Sends one request: the bytes of its head (a small body may follow in them), of its body, and of what ends it.
    ///
    /// - Parameter method: decides whether the answer has a body.
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
        parser.expectAnswer(to: method)
        context.write(wrapOutboundOut(head), promise: nil)
        if let body, body.readableBytes > 0 {
            var written: EventLoopPromise<Void>?
            if body.readableBytes > Self.largeBody {
                let promise = context.eventLoop.makePromise(of: Void.self)
                machine.requestIsBeingWritten()
                promise.futureResult.assumeIsolated().whenSuccess { self.machine.requestIsWritten() }
                written = promise
            }
            context.write(wrapOutboundOut(body), promise: written)
        }
        if let tail { context.write(wrapOutboundOut(tail), promise: nil) }
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
        var bytes = unwrapInboundIn(data)
        if var before = carried {
            carried = nil
            before.writeBuffer(&bytes)
            bytes = before
        }
        do throws(ResponseFault) {
            while let part = try parser.next(&bytes) {
                guard handle(part, of: &bytes, context: context) else { return }
            }
        } catch {
            return fail(error, context: context)
        }
        if bytes.readableBytes > 0 { carried = bytes }
    }

    /// - Returns: whether to go on with what is left of the read.
    private func handle(_ part: ResponsePart, of bytes: inout ByteBuffer, context: ChannelHandlerContext) -> Bool {
        switch part {
        case .head(let head):
            guard machine.receivedHead(keepAlive: head.keepsAlive) == .deliver else { return false }
            delegate?.upstreamSentHead(head)
        case .chunk(let length, let payload):
            guard machine.receivesBody else { return false }
            bytes.withUnsafeReadableBytes { readable in
                delegate?.upstreamSentChunk(
                    UnsafeRawBufferPointer(rebasing: readable[..<length]), payload: UnsafeRawBufferPointer(rebasing: readable[payload]))
            }
            bytes.moveReaderIndex(forwardBy: length)
        case .fragment(let length):
            guard machine.receivesBody, let slice = bytes.readSlice(length: length) else { return false }
            delegate?.upstreamSentBody(slice)
        case .end(let trailers):
            // Bytes behind the answer would be taken for the next one.
            ended(trailers: trailers, isClean: bytes.readableBytes == 0, context: context)
            return false
        }
        return true
    }

    private func ended(trailers: HTTPHeaders?, isClean: Bool, context: ChannelHandlerContext) {
        let after = machine.receivedEnd(isClean: isClean)
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

    private func fail(_ fault: ResponseFault, context: ChannelHandlerContext) {
        if failureReason == nil { failureReason = "what it sent is not HTTP: \(fault.reason)" }
        sentGarbage = true
        context.close(promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        delegate?.upstreamReadCompleted()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if failureReason == nil { failureReason = IOErrorText.reason(error) }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        pool.forget(self)
        // An answer that has no other end is whole by this.
        if parser.connectionEnded(), failureReason == nil, machine.receivesBody { ended(trailers: nil, isClean: false, context: context) }
        let after = machine.closed()
        let receiver = delegate
        delegate = nil
        guard let receiver, case .failRequest(let nothingCameBack, let wasReused) = after else { return }
        receiver.upstreamFailed(
            UpstreamFailure(
                nothingCameBack: nothingCameBack && !sentGarbage, connectionWasReused: wasReused,
                reason: failureReason ?? "it closed the connection"))
    }
}
