// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Protocol
import TestSupport
import Testing

@testable import Core

/// Who is told when, and until when. What breaks without these: subscribers that have long gone keep the daemon busy, or one that does not
/// read holds up the others.
@Suite struct SubscriptionsTests {
    /// Where snapshots come from, and what was asked for.
    private final class Source: Sendable {
        private let calls = NIOLockedValueBox<[(topics: Set<SnapshotTopic>, after: Int?)]>([])

        var count: Int { calls.withLockedValue { $0.count } }
        var topics: [Set<SnapshotTopic>] { calls.withLockedValue { $0.map(\.topics) } }
        var after: [Int?] { calls.withLockedValue { $0.map(\.after) } }

        /// The number of the call stands in the snapshot, as its connections and as an event.
        @Sendable func next(_ topics: Set<SnapshotTopic>, _ after: Int?) async -> SnapshotInfo {
            let number = calls.withLockedValue { calls in
                calls.append((topics, after))
                return calls.count
            }
            let status = StatusInfo(
                version: "", pid: 1, uptimeS: 0, state: "", listen: [], configPath: "", connections: number, endpoints: [],
                queue: .init(waiting: 0, oldestMs: 0, limit: 1, timeoutS: 1),
                requests: .init(inFlight: 0, waiting: 0, total: 0, completed: 0, failed: 0, aborted: 0, rejected: 0), cache: CacheInfo())
            var snapshot = SnapshotInfo(sequence: 0, atMs: number * 100, status: status, requests: [])
            snapshot.events = [EventInfo(sequence: number, at: "", level: "info", message: "")]
            return snapshot
        }
    }

    /// A peer that takes what it is sent as quickly or slowly as the test wants.
    private final class Peer: ChannelOutboundHandler, Sendable {
        typealias OutboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let channel: NIOAsyncTestingChannel
        private let state = NIOLockedValueBox((isSlow: false, untaken: [EventLoopPromise<Void>]()))

        init(on loop: NIOAsyncTestingEventLoop) async throws {
            channel = NIOAsyncTestingChannel(loop: loop)
            try await channel.pipeline.addHandler(self).get()
            try await channel.connect(to: SocketAddress(unixDomainSocketPath: "/s")).get()
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            let isSlow = state.withLockedValue { state in
                if state.isSlow, let promise { state.untaken.append(promise) }
                return state.isSlow
            }
            context.write(data, promise: isSlow ? nil : promise)
        }

        /// From here on nothing that is sent is taken; what is under way is.
        func stopReading() { state.withLockedValue { $0.isSlow = true } }

        func readAgain() {
            let promises = state.withLockedValue { state in
                state.isSlow = false
                defer { state.untaken = [] }
                return state.untaken
            }
            for promise in promises { promise.succeed(()) }
        }

        func subscriber(deltas: Bool) -> Subscriber { Subscriber(channel: channel, wantsDeltas: deltas) }

        /// The next frame that it is sent.
        func next() async throws -> String { String(buffer: try await channel.waitForOutboundWrite(as: ByteBuffer.self)) }

        /// What it has been sent and has not been looked at.
        func rest() async throws -> [String] {
            var frames: [String] = []
            while let frame = try await channel.readOutbound(as: ByteBuffer.self) { frames.append(String(buffer: frame)) }
            return frames
        }

        func leave() async throws { try await channel.close().get() }
    }

    private static let kind = Subscriptions.Kind(intervalMs: 20, topics: [.events])

    private func with(_ body: (Subscriptions, Source, NIOAsyncTestingEventLoop) async throws -> Void) async throws {
        let loop = NIOAsyncTestingEventLoop()
        let source = Source()
        let subscriptions = Subscriptions(eventLoop: loop, source: source.next)
        try await body(subscriptions, source, loop)
        await subscriptions.close()
        await loop.shutdownGracefully()
    }

    /// A number of the frame itself: events have sequences too.
    private static func number(_ frame: String, of key: String) -> Int? {
        let object = try? JSONSerialization.jsonObject(with: Data(frame.utf8)) as? [String: Any]
        return (object?["params"] as? [String: Any])?[key] as? Int
    }

    private func waitUntil(_ what: String, _ holds: () async throws -> Bool) async throws {
        let deadline = Deadline.generous
        while try await !holds() {
            guard !deadline.hasPassed else { throw TestFailure("not in time: \(what)") }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test func theFirstComesWholeAtOnceThenChanges() async throws {
        try await with { subscriptions, source, loop in
            let peer = try await Peer(on: loop)
            // The second of an interval of a minute would not come in the time of this test.
            await subscriptions.add(peer.subscriber(deltas: true), .init(intervalMs: 60_000, topics: [.queue]))
            let only = try await peer.next()
            #expect(only.contains(#""method":"snapshot""#) && Self.number(only, of: "sequence") == 1)
            #expect(source.topics == [[.queue]] && source.after == [nil])

            let quick = try await Peer(on: loop)
            await subscriptions.add(quick.subscriber(deltas: true), Self.kind)
            let first = try await quick.next()
            let second = try await quick.next()
            #expect(first.contains(#""method":"snapshot""#) && second.contains(#""method":"delta""#))
            #expect(Self.number(second, of: "after") == 1 && Self.number(second, of: "sequence") == 2)
        }
    }

    @Test func manyOfAKindShareOneSnapshotAndOthersHaveTheirOwn() async throws {
        try await with { subscriptions, source, loop in
            var peers: [Peer] = []
            for _ in 0..<10 { peers.append(try await Peer(on: loop)) }
            for peer in peers { await subscriptions.add(peer.subscriber(deltas: true), Self.kind) }
            for peer in peers { _ = try await peer.next() }
            let before = source.count
            // Whoever came later starts later: frames are compared by their number, up to one that all get.
            var frames: [Int: Set<String>] = [:]
            var readers: [Int: Int] = [:]
            var last = 0
            for (place, peer) in peers.enumerated() {
                var number = 0
                repeat {
                    let frame = try await peer.next()
                    number = Self.number(frame, of: "sequence") ?? 0
                    // Whole ones are for latecomers.
                    guard frame.contains(#""method":"delta""#) else { continue }
                    frames[number, default: []].insert(frame)
                    readers[number, default: 0] += 1
                } while number < last + (place == 0 ? 20 : 0)
                last = max(last, number)
            }
            #expect(frames.values.allSatisfy { $0.count == 1 }, "\(frames)")
            #expect(readers.values.contains(peers.count), "\(readers)")
            // Not ten times as many as frames, though some may have been made since.
            #expect(source.count - before < 5 * frames.count, "\(source.count - before) for \(frames.count)")
            let other = try await Peer(on: loop)
            await subscriptions.add(other.subscriber(deltas: true), .init(intervalMs: 20, topics: [.models]))
            _ = try await other.next()
            #expect(source.topics.contains([.models]))
        }
    }

    /// A newcomer of a kind that is there already is told at once what the others have, without another look at the fleet.
    @Test func aNewcomerGetsTheNewestWithoutWaiting() async throws {
        try await with { subscriptions, source, loop in
            let kind = Subscriptions.Kind(intervalMs: 60_000, topics: [])
            let first = try await Peer(on: loop)
            await subscriptions.add(first.subscriber(deltas: true), kind)
            let told = try await first.next()
            let second = try await Peer(on: loop)
            await subscriptions.add(second.subscriber(deltas: false), kind)
            let same = try await second.next()
            #expect(same == told && source.count == 1)
        }
    }

    @Test func oneThatDoesNotReadGetsOneFrameAndLaterTheNewest() async throws {
        try await with { subscriptions, source, loop in
            let slow = try await Peer(on: loop)
            let quick = try await Peer(on: loop)
            slow.stopReading()
            await subscriptions.add(slow.subscriber(deltas: true), Self.kind)
            await subscriptions.add(quick.subscriber(deltas: true), Self.kind)
            var last = 0
            for _ in 0..<20 {
                let sequence = try #require(Self.number(try await quick.next(), of: "sequence"))
                // On a busy machine this test itself may be too slow for one now and then; the end-to-end test counts them all.
                try #require(sequence > last, "the quick one is told again and again")
                last = sequence
            }
            let waiting = try await slow.rest()
            #expect(waiting.count == 1, "one frame is all that it costs: \(waiting.count)")
            slow.readAgain()
            let caughtUp = try await slow.next()
            let sequence = try #require(Self.number(caughtUp, of: "sequence"))
            #expect(caughtUp.contains(#""method":"snapshot""#) && sequence >= last)
            let next = try await slow.next()
            #expect(next.contains(#""method":"delta""#) && Self.number(next, of: "after") == sequence)
        }
    }

    @Test func whoeverLeavesIsForgottenAndTheLastOneEndsTheWork() async throws {
        try await with { subscriptions, source, loop in
            let first = try await Peer(on: loop)
            let second = try await Peer(on: loop)
            await subscriptions.add(first.subscriber(deltas: true), Self.kind)
            await subscriptions.add(second.subscriber(deltas: true), Self.kind)
            _ = try await (first.next(), second.next())
            try await first.leave()
            // The other goes on.
            for _ in 0..<5 { _ = try await second.next() }
            try await second.leave()
            // Nobody asks any more: in ten intervals no snapshot is made.
            try await waitUntil("rest") {
                let before = source.count
                try await Task.sleep(for: .milliseconds(200))
                return source.count == before
            }
            // And nothing of what was is kept: the next one begins anew.
            let third = try await Peer(on: loop)
            await subscriptions.add(third.subscriber(deltas: true), Self.kind)
            let frame = try await third.next()
            #expect(Self.number(frame, of: "sequence") == 1)
        }
    }

    @Test func afterTheEndNobodyIsTaken() async throws {
        try await with { subscriptions, source, loop in
            let peer = try await Peer(on: loop)
            await subscriptions.add(peer.subscriber(deltas: true), Self.kind)
            _ = try await peer.next()
            await subscriptions.close()
            let late = try await Peer(on: loop)
            await subscriptions.add(late.subscriber(deltas: true), Self.kind)
            try await waitUntil("rest") {
                let before = source.count
                try await Task.sleep(for: .milliseconds(200))
                return source.count == before
            }
            let frames = try await late.rest()
            #expect(frames.isEmpty)
        }
    }
}
