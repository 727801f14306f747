// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// Puts answers on a client's connection. What is small gathers in one buffer until the end of the current read, so that a stream whose
/// client keeps up allocates nothing for its tokens.
///
/// A class, as writing may call back into the connection's handler, which asks whether the channel is writable.
final class ClientOutput {
    /// The buffer may grow to this before it is written within a read.
    private static let limit = 32 * 1024

    private var buffer: ByteBuffer
    private let context: ChannelHandlerContext
    /// How the body of the answer is delimited.
    private(set) var framing = ForwardedHeaders.Framing.none

    init(_ context: ChannelHandlerContext) {
        self.context = context
        buffer = context.channel.allocator.buffer(capacity: 1024)
    }

    var isWritable: Bool { context.channel.isWritable }

    // MARK: An answer

    /// - Parameters:
    ///   - hasBody: false for the answer to HEAD and its like, whose framing is told but not used.
    ///   - writeMore: writes what the router adds to the head.
    func begin(_ head: AnswerHead, version: HTTPVersion, closes: Bool, hasBody: Bool, writeMore: (inout ByteBuffer) -> Void) {
        framing = hasBody ? head.framing : .none
        head.write(version: version, closes: closes, into: &buffer, writeMore: writeMore)
    }

    /// One piece of the body, with its framing.
    func write(_ bytes: ByteBuffer) {
        let length = bytes.readableBytes
        guard length > 0 else { return }
        if framing == .chunked { ResponseSerializer.writeChunkSize(length, into: &buffer) }
        if length <= ResponseSerializer.copiedChunk {
            buffer.writeImmutableBuffer(bytes)
        } else {
            push()
            context.write(NIOAny(bytes), promise: nil)
        }
        if framing == .chunked { buffer.writeStaticString("\r\n") }
        if buffer.readableBytes > Self.limit { push() }
    }

    /// One chunk of the body, with its framing as it came.
    func write(chunk framed: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        buffer.writeBytes(framing == .chunked ? framed : payload)
        if buffer.readableBytes > Self.limit { push() }
    }

    /// The body is whole.
    func end(trailers: HTTPHeaders?) {
        if framing == .chunked { ResponseSerializer.writeLastChunk(trailers: trailers, into: &buffer) }
        framing = .none
    }

    /// A whole answer to what was no request; the connection ends with it.
    func writeWhole(_ answer: LocalAnswer) { answer.write(version: .http1_1, closes: true, isHead: false, into: &buffer) }

    /// Bytes that are no answer: `100 Continue`.
    func writeNow(_ bytes: ByteBuffer) { context.writeAndFlush(NIOAny(bytes), promise: nil) }

    // MARK: The connection

    private func push() {
        guard buffer.readableBytes > 0 else { return }
        context.write(NIOAny(buffer), promise: nil)
        // Keeps its storage if the channel has sent the bytes already, and takes a new one if it still needs them.
        buffer.clear()
    }

    func flush() {
        if buffer.readableBytes > 0 {
            context.writeAndFlush(NIOAny(buffer), promise: nil)
            buffer.clear()
        } else {
            context.flush()
        }
    }

    /// Flushes.
    ///
    /// - Returns: done when the bytes have left, or cannot.
    func flushed() -> EventLoopFuture<Void> {
        let promise = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(NIOAny(buffer), promise: promise)
        buffer.clear()
        return promise.futureResult
    }
}
