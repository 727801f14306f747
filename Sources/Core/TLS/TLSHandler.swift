// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// TLS in a channel's pipeline, over the system's OpenSSL: the handlers behind it see plain bytes, and a connection that
/// becomes active when the handshake is done.
///
/// Back-pressure: it reads from the socket when the handler behind it asks, and asks again by itself only while what came made
/// no plain byte (a handshake, half a record). What it has decrypted beyond one read's worth it hands out with the next ones.
///
/// Bound to its event loop, hence not `Sendable`.
final class TLSHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Plain bytes handed on at once.
    private static let readLimit = 256 * 1024

    private let tls: TLSContext
    private let host: String
    private var session: TLSSession?
    private var context: ChannelHandlerContext?
    private var handshakeDone: EventLoopPromise<Void>?
    /// Writes that came before the handshake was done.
    private var early: [(ByteBuffer, EventLoopPromise<Void>?)] = []
    private var earlyFlush = false
    /// The handler behind has asked for bytes and not got any.
    private var wantsRead = false
    private var gotPlainBytes = false
    private var peerHasEnded = false
    private var hasFailed = false
    private var isActive = false

    /// - Parameter host: the name or address that the endpoint's certificate must be for.
    init(client: TLSContext, host: String) {
        tls = client
        self.host = host
    }

    init(server: TLSContext) {
        tls = server
        host = ""
    }

    /// Succeeds when the handshake is done.
    func handshake(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        if let handshakeDone { return handshakeDone.futureResult }
        let promise = eventLoop.makePromise(of: Void.self)
        handshakeDone = promise
        return promise.futureResult
    }

    // MARK: Beginning and end

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        refuseEarly(ChannelError.ioOnClosedChannel)
        // Freed here, on the event loop, rather than whenever the last reference goes.
        session = nil
    }

    func channelActive(context: ChannelHandlerContext) { begin(context) }

    private func begin(_ context: ChannelHandlerContext) {
        guard session == nil, !hasFailed else { return }
        do throws(TLSError) {
            session = try TLSSession(tls, host: host)
        } catch {
            return fail(error, context)
        }
        shakeHands(context)
        context.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !hasFailed {
            if session?.isEstablished != true {
                fail(.handshake("the other side closed the connection"), context)
            } else if !peerHasEnded {
                // Who takes the connection's end for the end of a body must know that it may be cut.
                hasFailed = true
                context.fireErrorCaught(TLSError.truncated)
            }
        }
        refuseEarly(ChannelError.ioOnClosedChannel)
        if isActive { context.fireChannelInactive() }
    }

    private func shakeHands(_ context: ChannelHandlerContext) {
        guard let session, !session.isEstablished else { return }
        do throws(TLSError) {
            let step = try session.handshake()
            send(context)
            guard step == .goOn else { return }
        } catch {
            // The other side may be told by an alert.
            send(context)
            return fail(error, context)
        }
        isActive = true
        handshakeDone?.succeed(())
        context.fireChannelActive()
        for (bytes, promise) in early { write(bytes, promise, context) }
        early = []
        if earlyFlush { context.flush() }
    }

    private func fail(_ error: TLSError, _ context: ChannelHandlerContext) {
        guard !hasFailed else { return }
        hasFailed = true
        handshakeDone?.fail(error)
        refuseEarly(error)
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    private func refuseEarly(_ error: any Error) {
        let waiting = early
        early = []
        for (_, promise) in waiting { promise?.fail(error) }
        handshakeDone?.fail(error)
    }

    // MARK: From the network

    func read(context: ChannelHandlerContext) {
        wantsRead = true
        // What was decrypted and not handed on comes first.
        if session?.isEstablished == true, deliver(context) {
            context.fireChannelReadComplete()
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let session, !hasFailed else { return }
        unwrapInboundIn(data).withUnsafeReadableBytes { session.received($0) }
        if !session.isEstablished {
            shakeHands(context)
            guard session.isEstablished else { return }
        }
        if deliver(context) { gotPlainBytes = true }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if gotPlainBytes {
            gotPlainBytes = false
            context.fireChannelReadComplete()
        } else if wantsRead || session?.isEstablished != true, !hasFailed, !peerHasEnded {
            // Only records of the handshake, or half a one: whoever asked is still waiting.
            context.read()
        }
    }

    /// Hands on what can be decrypted.
    ///
    /// - Returns: whether there was anything.
    private func deliver(_ context: ChannelHandlerContext) -> Bool {
        guard let session, !hasFailed else { return false }
        var plain = context.channel.allocator.buffer(capacity: 0)
        var fault: TLSError?
        var step = TLSSession.Step.wait
        do throws(TLSError) {
            step = try session.read(into: &plain, limit: Self.readLimit)
        } catch {
            fault = error
        }
        // Answers to the other side's messages, such as to a new key.
        send(context)
        let hasBytes = plain.readableBytes > 0
        if hasBytes {
            wantsRead = false
            context.fireChannelRead(wrapInboundOut(plain))
        }
        if let fault {
            fail(fault, context)
        } else if step == .ended, !peerHasEnded {
            peerHasEnded = true
            ended(context)
        }
        return hasBytes
    }

    /// The other side sends no more. Who allows half-closed connections is told so; else the connection ends.
    private func ended(_ context: ChannelHandlerContext) {
        let allowsHalf = try? context.channel.syncOptions?.getOption(.allowRemoteHalfClosure)
        if allowsHalf == true {
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        } else {
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The socket's end without TLS's: nothing behind can tell it from an attack.
        if let event = event as? ChannelEvent, event == .inputClosed {
            if !peerHasEnded { context.close(promise: nil) }
            return
        }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: To the network

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let bytes = unwrapOutboundIn(data)
        if session?.isEstablished == true {
            write(bytes, promise, context)
        } else if hasFailed {
            promise?.fail(ChannelError.ioOnClosedChannel)
        } else {
            early.append((bytes, promise))
        }
    }

    func flush(context: ChannelHandlerContext) {
        if session?.isEstablished == true { context.flush() } else { earlyFlush = true }
    }

    private func write(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        guard let session, !hasFailed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        do throws(TLSError) {
            let result = bytes.withUnsafeReadableBytes { bytes -> Result<Void, TLSError> in
                do throws(TLSError) {
                    return .success(try session.write(bytes))
                } catch {
                    return .failure(error)
                }
            }
            try result.get()
        } catch {
            promise?.fail(error)
            return fail(error, context)
        }
        var encrypted = context.channel.allocator.buffer(capacity: bytes.readableBytes + 64)
        session.drain(into: &encrypted)
        context.write(wrapOutboundOut(encrypted), promise: promise)
    }

    /// Sends what OpenSSL itself has to say.
    private func send(_ context: ChannelHandlerContext) {
        guard let session else { return }
        var bytes = context.channel.allocator.buffer(capacity: 0)
        session.drain(into: &bytes)
        if bytes.readableBytes > 0 { context.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode != .input, !hasFailed {
            session?.end()
            send(context)
        }
        if mode == .all { peerHasEnded = true }
        context.close(mode: mode, promise: promise)
    }
}
