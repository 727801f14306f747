// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// Who gets what a call brings, on its event loop. Whatever comes after an end or a failure means nothing, and may come before the call
/// that tells of the end has returned: the connection may be closed in it.
protocol EndpointCallSink: AnyObject {
    func head(_ head: HTTPResponseHead)
    func bytes(_ bytes: ByteBuffer)
    func ended()
    func failed(_ error: any Error)
}

/// One call of `EndpointClient`: sends the one request of its connection, and tells what comes.
final class EndpointCall: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let head: HTTPRequestHead
    private let body: [UInt8]?
    private let sink: any EndpointCallSink
    private var hasHead = false

    init(head: HTTPRequestHead, body: [UInt8]?, sink: any EndpointCallSink) {
        self.head = head
        self.body = body
        self.sink = sink
    }

    func channelActive(context: ChannelHandlerContext) {
        let sent = context.eventLoop.makePromise(of: Void.self)
        // A head that may not be sent (a key with a line break) fails here and nowhere else.
        sent.futureResult.assumeIsolated().whenFailure { self.sink.failed($0) }
        context.write(wrapOutboundOut(.head(head)), promise: sent)
        if let body { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            hasHead = true
            sink.head(head)
        case .body(let bytes): sink.bytes(bytes)
        case .end: sink.ended()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is IdleStateHandler.IdleStateEvent else { return context.fireUserInboundEventTriggered(event) }
        sink.failed(ProbeError.badAnswer("it fell silent"))
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        sink.failed(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        sink.failed(ProbeError.badAnswer(hasHead ? "connection closed before the end" : "connection closed without an answer"))
        context.fireChannelInactive()
    }
}

/// Gathers an answer, up to a limit.
final class WholeAnswer: EndpointCallSink {
    private let answer: EventLoopPromise<EndpointClient.Answer>
    private let limit: Int
    private var gathered = EndpointClient.Answer(status: 0, body: [])

    init(_ answer: EventLoopPromise<EndpointClient.Answer>, limit: Int) {
        self.answer = answer
        self.limit = limit
    }

    func head(_ head: HTTPResponseHead) {
        gathered.status = Int(head.status.code)
        gathered.retryAfter = head.headers.first(name: "retry-after").flatMap { RetryAfter.parse($0, unixNow: WallClock.unixSeconds()) }
    }

    func bytes(_ bytes: ByteBuffer) {
        guard gathered.body.count + bytes.readableBytes <= limit else { return answer.fail(ProbeError.tooLarge(limit: limit)) }
        gathered.body.append(contentsOf: bytes.readableBytesView)
    }

    func ended() { answer.succeed(gathered) }

    func failed(_ error: any Error) { answer.fail(error) }
}

/// Passes an answer on as it comes.
final class PiecesOfAnswer: EndpointCallSink {
    private let feed: AsyncThrowingStream<EndpointClient.Piece, any Error>.Continuation

    init(_ feed: AsyncThrowingStream<EndpointClient.Piece, any Error>.Continuation) {
        self.feed = feed
    }

    func head(_ head: HTTPResponseHead) {
        let isEventStream = head.headers.first(name: "content-type")?.hasPrefix("text/event-stream") ?? false
        feed.yield(.head(status: Int(head.status.code), isEventStream: isEventStream))
    }

    func bytes(_ bytes: ByteBuffer) { feed.yield(.bytes(Array(bytes.readableBytesView))) }

    func ended() { feed.finish() }

    func failed(_ error: any Error) { feed.finish(throwing: ProbeError(error, within: .zero)) }
}
