// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import DequeModule
import NIOCore
import NIOPosix

/// One connection to Redis: commands go out as they come, replies come back in the same order. A reply that takes too long ends
/// the connection, as nobody could say any more which reply belongs to what.
///
/// Bound to its event loop, hence not `Sendable`.
final class RedisConnection: ChannelInboundHandler {
    typealias InboundIn = RESPValue
    typealias OutboundOut = ByteBuffer

    struct Closed: Error, CustomStringConvertible {
        var reason: String
        var description: String { reason }
    }

    private var context: ChannelHandlerContext?
    private var waiting: Deque<(since: NIODeadline, promise: EventLoopPromise<RESPValue>)> = []
    private var reason = "the connection was closed"
    private var timer: RepeatedTask?
    private let patience: TimeAmount
    /// Called once, when it is over.
    private let onClose: (_ reason: String) -> Void

    init(patience: TimeAmount, onClose: @escaping (String) -> Void) {
        self.patience = patience
        self.onClose = onClose
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleRepeatedTask(initialDelay: patience, delay: .milliseconds(50)) { _ in bound.value.checkPatience() }
        context.fireChannelActive()
    }

    /// The replies, in order, when the last has come.
    func send(_ commands: [RedisCommand]) -> EventLoopFuture<[RESPValue]>? {
        guard let context else { return nil }
        var buffer = context.channel.allocator.buffer(capacity: 256)
        var replies: [EventLoopFuture<RESPValue>] = []
        let now = NIODeadline.now()
        for command in commands {
            command.write(into: &buffer)
            let promise = context.eventLoop.makePromise(of: RESPValue.self)
            waiting.append((now, promise))
            replies.append(promise.futureResult)
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        return EventLoopFuture.whenAllSucceed(replies, on: context.eventLoop)
    }

    func close(_ reason: String) {
        self.reason = reason
        context?.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        waiting.popFirst()?.promise.succeed(unwrapInboundIn(data))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        reason = error is RESPDecoder.Malformed ? "what it sent is no Redis reply: \(error)" : IOErrorText.reason(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        timer?.cancel()
        for entry in waiting { entry.promise.fail(Closed(reason: reason)) }
        waiting.removeAll()
        onClose(reason)
    }

    private func checkPatience() {
        guard let oldest = waiting.first, NIODeadline.now() - oldest.since > patience else { return }
        close("no reply within \(patience.milliseconds) ms")
    }
}
