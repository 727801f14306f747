// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOPosix

/// Makes every connection that the router opens: to endpoints, for requests and for polls, and to the cache's Redis.
///
/// A name that stands for several addresses is tried as RFC 8305 says. One deadline is for everything: the name, the connection, TLS.
struct Dialer: Sendable {
    enum Place: Sendable, Hashable {
        /// A name or an address, without brackets.
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    /// Adds handlers to a new channel's pipeline, behind TLS if there is any, before it connects.
    typealias Prepare = @Sendable (ChannelPipeline.SynchronousOperations) throws -> Void
    /// Opens a channel on the event loop, prepares it, and connects it.
    typealias Open = @Sendable (Place, TimeAmount, any EventLoop, @escaping Prepare) -> EventLoopFuture<any Channel>

    let tls: TLSClients
    private let open: Open

    init(tls: TLSClients = TLSClients(), names: NameResolver = NameResolver()) {
        self.init(tls: tls, open: Self.overNetwork(names))
    }

    /// - Parameter open: instead of the network, for tests: the channels may be embedded ones.
    init(tls: TLSClients = TLSClients(), open: @escaping Open) {
        self.tls = tls
        self.open = open
    }

    /// Fails with an `IOError`, `NIOConnectionError`, `ChannelError` or `TLSError`.
    ///
    /// - Returns: on `eventLoop`, the channel when it is connected and TLS, if any, is established.
    func connect(
        to endpoint: Endpoint, within timeout: TimeAmount, on eventLoop: any EventLoop, prepare: @escaping Prepare
    ) -> EventLoopFuture<any Channel> {
        let context: TLSContext?
        do throws(TLSError) {
            context = try tls.context(for: endpoint)
        } catch {
            return eventLoop.makeFailedFuture(error)
        }
        let place = Place.tcp(host: endpoint.address.host, port: endpoint.address.port)
        return connect(to: place, tls: context.map { ($0, endpoint.address.host) }, within: timeout, on: eventLoop, prepare: prepare)
    }

    /// - Parameter tls: nil for a connection without it; `name` is the one that the other side's certificate must be for.
    func connect(
        to place: Place, tls: (context: TLSContext, name: String)?, within timeout: TimeAmount, on eventLoop: any EventLoop,
        prepare: @escaping Prepare
    ) -> EventLoopFuture<any Channel> {
        guard let (context, name) = tls else { return open(place, timeout, eventLoop, prepare) }
        let deadline = NIODeadline.now() + timeout
        let opened = open(place, timeout, eventLoop) { operations in
            try operations.addHandler(TLSHandler(client: context, host: name))
            try prepare(operations)
        }
        return opened.flatMap { Self.shakeHands(on: $0, timeout, until: deadline) }
    }

    /// Waits for TLS; a server that never shakes hands must not hold anybody for ever.
    private static func shakeHands(on channel: any Channel, _ timeout: TimeAmount, until deadline: NIODeadline) -> EventLoopFuture<any Channel> {
        let eventLoop = channel.eventLoop
        let result = eventLoop.makePromise(of: (any Channel).self)
        do {
            let done = try channel.pipeline.syncOperations.handler(type: TLSHandler.self).handshake(on: eventLoop)
            let timer = eventLoop.scheduleTask(deadline: deadline) {
                result.fail(ChannelError.connectTimeout(timeout))
                channel.close(promise: nil)
            }
            done.whenComplete { outcome in
                timer.cancel()
                switch outcome {
                case .success: result.succeed(channel)
                case .failure(let error): result.fail(error)
                }
            }
        } catch {
            result.fail(error)
        }
        return result.futureResult
    }

    private static func overNetwork(_ names: NameResolver) -> Open {
        { place, timeout, eventLoop, prepare in
            let bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(timeout).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try prepare(channel.pipeline.syncOperations) }
            }
            switch place {
            case .unix(let path): return bootstrap.connect(unixDomainSocketPath: path)
            case .tcp(let host, let port):
                // A literal address is never looked up.
                if let address = try? SocketAddress(ipAddress: host, port: port) { return bootstrap.connect(to: address) }
                return bootstrap.resolver(NameQuery(names, on: eventLoop)).connect(host: host, port: port)
            }
        }
    }
}
