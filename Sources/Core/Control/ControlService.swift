// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOCore
import NIOPosix
import Protocol
import ServiceLifecycle
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The control socket: binds it for nobody but those it is for, serves each peer, removes it at the end.
///
/// It has an event loop of its own: what operators ask for and what they are slow to take costs the requests of others nothing.
final class ControlService: Service {
    /// Connections at the same time. Each may hold a call of `FrameReader.maximumCallLength` and a snapshot.
    static let connectionLimit = 256

    private let path: String
    private let control: Config.Control
    private let router: Router
    private let logger: Logger
    /// Connections open now.
    private let open = Atomic(0)

    init(path: String, control: Config.Control, router: Router, logger: Logger) {
        self.path = path
        self.control = control
        self.router = router
        self.logger = logger
    }

    func run() async throws {
        let rules = try AccessRules(control)
        try Self.makeWay(path)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            try await run(rules, on: group)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    private func run(_ rules: AccessRules, on group: MultiThreadedEventLoopGroup) async throws {
        let server = try await bind(on: group)
        defer { unlink(path) }
        do {
            try secure()
        } catch {
            try? await server.channel.close()
            throw error
        }
        logger.info("control socket is open", metadata: ["path": "\(path)"])
        let subscriptions = Subscriptions(eventLoop: server.channel.eventLoop) { [router] topics, after in
            await router.snapshot(sequence: 0, topics: topics, after: after)
        }
        do {
            try await cancelWhenGracefulShutdown { try await self.serve(server, rules, subscriptions) }
        } catch is CancellationError {
            // Thrown where a peer was being served as we stopped: the way this service ends, not a failure.
        } catch {
            await subscriptions.close()
            throw error
        }
        await subscriptions.close()
    }

    private func serve(
        _ server: NIOAsyncChannel<NIOAsyncChannel<ByteBuffer, ByteBuffer>, Never>, _ rules: AccessRules, _ subscriptions: Subscriptions
    ) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await server.executeThenClose { connections in
                for try await channel in connections {
                    let connection = ControlConnection(
                        channel: channel, router: self.router, rules: rules, subscriptions: subscriptions, logger: self.logger)
                    let count = self.open.add(1, ordering: .relaxed).newValue
                    group.addTask {
                        defer { self.open.subtract(1, ordering: .relaxed) }
                        do {
                            if count <= Self.connectionLimit {
                                try await connection.run()
                            } else {
                                try await connection.turnAway(
                                    RPCError(.busy, "\(Self.connectionLimit) connections are open on this socket, and there may be no more"))
                            }
                        } catch {
                            // A peer that went away: its own affair.
                            self.logger.debug("control connection ended", metadata: ["error": "\(error)"])
                        }
                    }
                }
            }
        }
    }

    private func bind(on group: MultiThreadedEventLoopGroup) async throws -> NIOAsyncChannel<NIOAsyncChannel<ByteBuffer, ByteBuffer>, Never> {
        // Until its mode is set, the socket must not be open to others either.
        let mask = umask(0o177)
        defer { umask(mask) }
        do {
            // A peer such as nc ends its side after its calls, and still wants the replies.
            let bootstrap = ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 128)
                .serverChannelInitializer { [logger] channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(AcceptFailures(logger: logger)) }
                }
                .childChannelOption(.allowRemoteHalfClosure, value: true)
            return try await bootstrap.bind(unixDomainSocketPath: path) { channel in
                channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel) }
            }
        } catch {
            throw ControlSocketError(path: path, reason: IOErrorText.reason(error))
        }
    }

    /// A socket file that a daemon left behind is removed; one that a daemon listens on is a clear error.
    private static func makeWay(_ path: String) throws {
        guard path.utf8.count <= SocketPath.maximumLength else {
            throw ControlSocketError(path: path, reason: "the path is longer than \(SocketPath.maximumLength) bytes")
        }
        do {
            _ = try ControlClient(path: path, timeoutMs: 1000)
            throw ControlSocketError(path: path, reason: "another routerd is running there already")
        } catch ControlError.noDaemon(path: _, missing: let missing) {
            guard !missing else { return }
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else {
                throw ControlSocketError(path: path, reason: "there is a file that is no socket")
            }
            unlink(path)
        } catch let error as ControlError {
            throw ControlSocketError(path: path, reason: "there is a socket that is not ours: \(error)")
        }
    }

    private func secure() throws {
        if let group = try AccessRules(control).changeGroup ?? AccessRules(control).readGroup, chown(path, uid_t.max, group) != 0 {
            throw ControlSocketError(path: path, reason: "cannot give it to the configured group: \(String(cString: strerror(errno)))")
        }
        guard chmod(path, control.mode) == 0 else {
            throw ControlSocketError(path: path, reason: "cannot set its mode: \(String(cString: strerror(errno)))")
        }
    }
}

/// A connection that cannot be accepted, as when the process has no descriptor left, is one connection less and not the end of the daemon.
private final class AcceptFailures: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.warning("control socket: a connection could not be accepted", metadata: ["error": "\(error)"])
    }
}

/// The control socket cannot be opened.
public struct ControlSocketError: Error, CustomStringConvertible {
    public var path: String
    public var reason: String

    public var description: String { "control socket \(path): \(reason)" }
}
