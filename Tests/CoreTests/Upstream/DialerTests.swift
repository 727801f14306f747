// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOConcurrencyHelpers
import NIOEmbedded
import NIOPosix
import TestSupport
import Testing

@testable import Core

private func endpoint(_ scheme: EndpointAddress.Scheme = .http, port: Int) -> Endpoint {
    Endpoint(
        id: EndpointID(1), name: "e", address: EndpointAddress(scheme: scheme, host: "127.0.0.1", port: port, url: "x"), kind: .ollama, limit: 2)
}

@Suite struct DialerTests {
    /// What the tests of everything behind the dialler stand on: no socket, and time that stands still.
    @Test func aTestPutsEmbeddedChannelsInPlaceOfTheNetwork() throws {
        let loop = EmbeddedEventLoop()
        let places = NIOLockedValueBox<[Dialer.Place]>([])
        let made = NIOLockedValueBox<EmbeddedChannel?>(nil)
        let dialer = Dialer { place, _, eventLoop, prepare in
            places.withLockedValue { $0.append(place) }
            return eventLoop.makeCompletedFuture {
                let channel = EmbeddedChannel(loop: loop)
                try prepare(channel.pipeline.syncOperations)
                channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
                made.withLockedValue { $0 = channel }
                return channel
            }
        }
        let pool = UpstreamPool(idleTimeout: .seconds(60), idleLimit: 4)
        let future = UpstreamConnector.connect(to: endpoint(port: 80), by: dialer, within: .seconds(5), pool: pool, on: loop)
        var handler: UpstreamHandler?
        future.whenComplete { handler = try? $0.get() }
        loop.run()
        #expect(places.withLockedValue { $0 } == [.tcp(host: "127.0.0.1", port: 80)])
        let channel = try #require(made.withLockedValue { $0 })
        #expect(handler?.isOpen == true)
        pool.give(try #require(handler))
        #expect(pool.take(EndpointID(1)) === handler)
        _ = try channel.finish()
    }

    /// Breaks when a server that takes the connection and then says nothing gets the time of the connection once more for TLS.
    @Test(.timeLimit(.minutes(1))) func aServerThatNeverShakesHandsIsLeftAtTheOneDeadline() async throws {
        let server = try await FakePollServer.start([:])
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let began = NIODeadline.now()
        let timeout = TimeAmount.milliseconds(300)
        let failure = await #expect(throws: ChannelError.self) {
            try await Dialer().connect(to: endpoint(.https, port: server.port), within: timeout, on: eventLoop) { _ in }.get()
        }
        #expect(failure == .connectTimeout(timeout))
        #expect(NIODeadline.now() - began < .seconds(5))
        await server.stop()
    }

    @Test func socketsOfThisMachineAreReached() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let path = "/tmp/routerd-dialer-\(UInt64.random(in: 0 ... .max))"
        let server = try await ServerBootstrap(group: group).bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        let prepared = NIOLockedValueBox(false)
        let channel = try await Dialer().connect(to: .unix(path: path), tls: nil, within: .seconds(5), on: group.next()) { _ in
            prepared.withLockedValue { $0 = true }
        }.get()
        #expect(channel.isActive && prepared.withLockedValue { $0 })
        try await channel.close()
        try await server.close()
    }

    /// Breaks when an operator is told that one of a name's addresses could not be had, although another refused the connection.
    @Test func whereAllAddressesOfANameRefuseThatIsTold() async throws {
        // Bound and not listening: nobody else gets the port meanwhile, and whoever connects is refused.
        let (socket, port) = try TCPSocket.boundAndDeaf()
        defer { socket.close() }
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        do {
            _ = try await Dialer().connect(to: .tcp(host: "localhost", port: port), tls: nil, within: .seconds(5), on: eventLoop) { _ in }.get()
            Issue.record("connected")
        } catch {
            #expect(IOFault(error) == .endpoint("connection refused"))
            #expect(ProbeError(error, within: .seconds(5)) == .refused)
        }
    }
}
