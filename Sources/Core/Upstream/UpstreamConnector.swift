// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import NIOPosix

/// Makes new connections to endpoints, on the event loop of the request that needs one.
enum UpstreamConnector {
    /// Fails with an `IOError`, `NIOConnectionError` or `ChannelError`.
    static func connect(
        to endpoint: Endpoint, timeout: TimeAmount, pool: UpstreamPool, on eventLoop: any EventLoop
    ) -> EventLoopFuture<UpstreamHandler>.Isolated {
        let bound = NIOLoopBound(pool, eventLoop: eventLoop)
        let id = endpoint.id
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let operations = channel.pipeline.syncOperations
                    // From the socket inwards. What the handler writes is bytes already; the encoder only takes the
                    // head that the decoder wants to see out of the way.
                    try operations.addHandler(RequestSerializer())
                    try operations.addHandler(ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes)))
                    try operations.addHandler(UpstreamHandler(endpoint: id, pool: bound.value))
                }
            }
        let channel: EventLoopFuture<any Channel>
        // A literal address spares the resolver.
        if let address = try? SocketAddress(ipAddress: endpoint.address.host, port: endpoint.address.port) {
            channel = bootstrap.connect(to: address)
        } else {
            channel = bootstrap.connect(host: endpoint.address.host, port: endpoint.address.port)
        }
        return channel.assumeIsolated().flatMapThrowing { channel in
            try channel.pipeline.syncOperations.handler(type: UpstreamHandler.self)
        }
    }
}
