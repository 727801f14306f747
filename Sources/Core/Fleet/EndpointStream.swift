// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import NIOPosix

/// One request to an endpoint whose answer comes in pieces, for the control plane: progress of a pull, an inner request of ours.
extension ProbeClient {
    enum Piece: Sendable {
        case head(status: Int, isEventStream: Bool)
        case bytes([UInt8])
    }

    /// Ends when the answer is whole; throws `ProbeError` when it will not become so. Giving the stream up closes the connection.
    ///
    /// - Parameter silence: how long the endpoint may say nothing.
    func stream(
        _ method: HTTPMethod, _ path: String, body: [UInt8], silence: TimeAmount, of endpoint: Endpoint
    ) -> AsyncThrowingStream<Piece, any Error> {
        let (pieces, feed) = AsyncThrowingStream.makeStream(of: Piece.self, throwing: (any Error).self)
        let head = Self.head(method, path, bodyLength: body.count, endpoint)
        let context: TLSContext?
        do throws(TLSError) {
            context = try tls.context(for: endpoint)
        } catch {
            feed.finish(throwing: ProbeError.unreachable(error.description))
            return pieces
        }
        let host = endpoint.address.host
        let connection = ClientBootstrap(group: group.next())
            .connectTimeout(connectTimeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context { try channel.pipeline.syncOperations.addHandler(TLSHandler(client: context, host: host)) }
                    try channel.pipeline.syncOperations.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    try channel.pipeline.syncOperations.addHandler(IdleStateHandler(readTimeout: silence))
                    try channel.pipeline.syncOperations.addHandler(StreamHandler(head: head, body: body, feed: feed))
                }
            }
            .connect(host: endpoint.address.host, port: endpoint.address.port)
        let timeout = connectTimeout
        connection.whenFailure { feed.finish(throwing: Self.typed($0, timeout)) }
        feed.onTermination = { _ in connection.whenSuccess { $0.close(promise: nil) } }
        return pieces
    }
}

/// Sends the one request and passes on what comes.
private final class StreamHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let head: HTTPRequestHead
    private let body: [UInt8]
    private let feed: AsyncThrowingStream<ProbeClient.Piece, any Error>.Continuation

    init(head: HTTPRequestHead, body: [UInt8], feed: AsyncThrowingStream<ProbeClient.Piece, any Error>.Continuation) {
        self.head = head
        self.body = body
        self.feed = feed
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            let isEventStream = head.headers.first(name: "content-type")?.hasPrefix("text/event-stream") ?? false
            feed.yield(.head(status: Int(head.status.code), isEventStream: isEventStream))
        case .body(let bytes): feed.yield(.bytes(Array(bytes.readableBytesView)))
        case .end: feed.finish()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is IdleStateHandler.IdleStateEvent else { return context.fireUserInboundEventTriggered(event) }
        feed.finish(throwing: ProbeError.badAnswer("it fell silent"))
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        feed.finish(throwing: ProbeError.badAnswer(IOErrorText.reason(error)))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        feed.finish(throwing: ProbeError.badAnswer("connection closed before the end"))
        context.fireChannelInactive()
    }
}
