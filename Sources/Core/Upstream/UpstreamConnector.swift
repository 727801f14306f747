// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
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
                    try channel.pipeline.syncOperations.addHandler(UpstreamHandler(endpoint: id, pool: bound.value))
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
