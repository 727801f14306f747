// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// The HTTP port: binds, accepts, and on shutdown lets streams end.
final class ListenerService: Service {
    private let group: MultiThreadedEventLoopGroup
    private let workers: Workers
    private let addresses: [Config.ListenAddress]
    private let shutdownTimeout: TimeAmount
    private let logger: Logger

    init(group: MultiThreadedEventLoopGroup, workers: Workers, config: Config, logger: Logger) {
        self.group = group
        self.workers = workers
        addresses = config.listen
        shutdownTimeout = config.shutdownTimeout
        self.logger = logger
    }

    func run() async throws {
        var servers: [any Channel] = []
        for address in addresses {
            do {
                servers.append(try await bind(address))
            } catch {
                for server in servers { try? await server.close() }
                throw ListenError(address: address.description, reason: IOErrorText.reason(error))
            }
        }
        let bound = servers.compactMap { $0.localAddress.map(Self.text) }
        workers.setListening(bound)
        for address in bound { logger.info("listening", metadata: ["address": "\(address)"]) }
        try? await gracefulShutdown()
        await stop(servers)
    }

    private func bind(_ address: Config.ListenAddress) async throws -> any Channel {
        let workers = self.workers
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try ClientPipeline.configure(channel, worker: workers.worker(on: channel.eventLoop))
                }
            }
            .bind(host: address.host, port: address.port).get()
    }

    /// No new connections; the open ones end with their current request, or when the deadline has passed.
    private func stop(_ servers: [any Channel]) async {
        for server in servers { try? await server.close() }
        workers.beginStopping()
        logger.info("stopping", metadata: ["connections": "\(workers.connections)", "timeout_s": "\(shutdownTimeout.seconds)"])
        let deadline = NIODeadline.now() + shutdownTimeout
        while workers.connections > 0, NIODeadline.now() < deadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
        if workers.connections > 0 {
            logger.warning("shutdown_timeout has passed: closing what is left", metadata: ["connections": "\(workers.connections)"])
        }
        await workers.stop()
    }

    private static func text(_ address: SocketAddress) -> String {
        Config.ListenAddress(host: address.ipAddress ?? "", port: address.port ?? 0).description
    }
}

/// The HTTP port cannot be opened.
public struct ListenError: Error, CustomStringConvertible {
    public var address: String
    public var reason: String

    public var description: String { "cannot listen on \(address): \(reason)" }
}
