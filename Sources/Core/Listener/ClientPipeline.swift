// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import Synchronization

/// The handlers of a client's connection. The only place that adds any.
///
/// From the socket inwards:
/// 1. `TLSHandler`, where the configuration has a certificate.
/// 2. `HTTPRequestDecoder` (llhttp): bytes to heads, bodies and ends; refuses what could smuggle a request.
/// 3. `ExchangeHandler`: everything else. It writes bytes itself: an encoder would allocate several times for each token.
///
/// There is no pipelining handler: `ExchangeHandler` keeps the order of answers itself, without toggling reads for each request.
enum ClientPipeline {
    static func configure(_ channel: any Channel, worker: Worker) throws {
        let operations = channel.pipeline.syncOperations
        let limits = worker.settings.limits
        if let tls = worker.settings.listenerTLS { try operations.addHandler(TLSHandler(server: tls)) }
        guard worker.shared.connections.add(1, ordering: .relaxed).newValue <= limits.maxConnections else {
            try operations.addHandler(RefusingHandler(limit: limits.maxConnections, shared: worker.shared))
            return
        }
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderFieldSize = limits.maxHeaderBytes
        decoderLimits.maxHeaderListSize = limits.maxHeaderBytes
        let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: decoderLimits)
        try operations.addHandler(ByteToMessageHandler(decoder))
        try operations.addHandler(ExchangeHandler(worker: worker))
    }
}

/// One connection too many: says so and closes. `Retry-After` tells a client's library when to come again.
private final class RefusingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let limit: Int
    private let shared: RouterShared

    init(limit: Int, shared: RouterShared) {
        self.limit = limit
        self.shared = shared
    }

    func channelActive(context: ChannelHandlerContext) {
        var buffer = context.channel.allocator.buffer(capacity: 512)
        LocalAnswer.error(.tooManyConnections(limit: limit), .ollama).write(version: .http1_1, closes: true, isHead: false, into: &buffer)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        // Closing at once could take the answer away from a client that is still sending its request.
        context.close(mode: .output, promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { bound.value.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func channelInactive(context: ChannelHandlerContext) {
        shared.connections.subtract(1, ordering: .relaxed)
    }
}
