// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOEmbedded
import Testing

@testable import Core

@Suite struct UpstreamPoolTests {
    private let id = EndpointID(1)
    private let pool = UpstreamPool(idleTimeout: .hours(24), idleLimit: 8, maxAge: .minutes(10))

    private func connection(dialledAt: NIODeadline = .now(), _ endpoint: EndpointID = EndpointID(1)) throws -> (UpstreamHandler, EmbeddedChannel) {
        let handler = UpstreamHandler(endpoint: endpoint, pool: pool, dialledAt: dialledAt)
        let channel = EmbeddedChannel(handler: handler)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        return (handler, channel)
    }

    private let tooOld = NIODeadline.now() - .minutes(10) - .seconds(1)

    /// Breaks when a busy endpoint's connections live for ever, to wherever they once led.
    @Test func nothingOldIsKept() throws {
        let (handler, channel) = try connection(dialledAt: tooOld)
        pool.give(handler)
        #expect(pool.take(id) == nil)
        #expect(!channel.isActive)
    }

    @Test func nothingThatHasGrownOldIsHandedOut() throws {
        let (old, oldChannel) = try connection(dialledAt: tooOld)
        let (young, youngChannel) = try connection()
        pool.maxAge = .hours(1)
        pool.give(young)
        pool.give(old)
        pool.maxAge = .minutes(10)
        // The one that was given last would be the first.
        #expect(pool.take(id) === young)
        #expect(!oldChannel.isActive && youngChannel.isActive)
    }

    @Test func whatIsIdleIsClosedWhenItIsOld() throws {
        let (old, oldChannel) = try connection(dialledAt: .now() - .minutes(9))
        let (young, youngChannel) = try connection()
        pool.give(young)
        pool.give(old)
        pool.prune(now: .now() + .seconds(30))
        #expect(oldChannel.isActive && youngChannel.isActive)
        pool.prune(now: .now() + .seconds(90))
        #expect(!oldChannel.isActive && youngChannel.isActive)
        #expect(pool.take(id) === young)
        #expect(pool.take(id) == nil)
    }

    @Test func zeroIsNoLimit() throws {
        pool.maxAge = .zero
        let (handler, _) = try connection(dialledAt: .uptimeNanoseconds(0))
        pool.give(handler)
        pool.prune(now: .now() + .hours(1))
        #expect(pool.take(id) === handler)
    }

    /// Breaks when a connection that was in use while its endpoint moved comes back, and leads the next request to the old place.
    @Test func afterADropOnlyNewConnectionsAreKept() throws {
        let (idle, idleChannel) = try connection()
        let (busy, busyChannel) = try connection()
        let (other, otherChannel) = try connection(EndpointID(2))
        pool.give(idle)
        pool.give(other)
        pool.drop(id)
        #expect(!idleChannel.isActive && busyChannel.isActive && otherChannel.isActive)
        pool.give(busy)
        #expect(!busyChannel.isActive)
        let (new, _) = try connection(dialledAt: .now() + .nanoseconds(1))
        pool.give(new)
        #expect(pool.take(id) === new)
        #expect(pool.take(EndpointID(2)) === other)
    }
}
