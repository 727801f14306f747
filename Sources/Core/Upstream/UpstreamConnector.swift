// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOPosix

/// Makes new connections to endpoints, on the event loop of the request that needs one.
enum UpstreamConnector {
    /// Fails with an `IOError`, `NIOConnectionError`, `ChannelError` or `TLSError`. The timeout is for everything, TLS included.
    static func connect(
        to endpoint: Endpoint, tls: TLSClients, timeout: TimeAmount, pool: UpstreamPool, on eventLoop: any EventLoop
    ) -> EventLoopFuture<UpstreamHandler>.Isolated {
        let context: TLSContext?
        do throws(TLSError) {
            context = try tls.context(for: endpoint)
        } catch {
            return eventLoop.makeFailedFuture(error).assumeIsolated()
        }
        let bound = NIOLoopBound(pool, eventLoop: eventLoop)
        let id = endpoint.id
        let host = endpoint.address.host
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let operations = channel.pipeline.syncOperations
                    if let context { try operations.addHandler(TLSHandler(client: context, host: host)) }
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
        let isSecure = context != nil
        return channel.assumeIsolated().flatMap { channel in
            let handler = Result { try channel.pipeline.syncOperations.handler(type: UpstreamHandler.self) }
            guard isSecure else { return eventLoop.makeCompletedFuture(handler.map { NIOLoopBound($0, eventLoop: eventLoop) }) }
            return handshake(on: channel, deadline: .now() + timeout).flatMap { () -> EventLoopFuture<NIOLoopBound<UpstreamHandler>> in
                eventLoop.makeCompletedFuture(handler.map { NIOLoopBound($0, eventLoop: eventLoop) })
            }.nonisolated()
        }.map { $0.value }
    }

    /// Waits for TLS; a server that never shakes hands must not hold a request for ever.
    private static func handshake(on channel: any Channel, deadline: NIODeadline) -> EventLoopFuture<Void>.Isolated {
        let eventLoop = channel.eventLoop
        do {
            let done = try channel.pipeline.syncOperations.handler(type: TLSHandler.self).handshake(on: eventLoop)
            let timer = eventLoop.scheduleTask(deadline: deadline) { channel.close(promise: nil) }
            done.whenComplete { _ in timer.cancel() }
            return done.assumeIsolated()
        } catch {
            return eventLoop.makeFailedFuture(error).assumeIsolated()
        }
    }
}
