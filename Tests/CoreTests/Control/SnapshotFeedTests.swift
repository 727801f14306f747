// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOCore
import Protocol
import TestSupport
import Testing

@testable import Core

/// Who of many subscribers gets which bytes. What breaks without these: a console that was slow for a moment shows a picture that never was.
@Suite struct SnapshotFeedTests {
    typealias Position = SnapshotFeed.Position

    /// A snapshot as the router makes it: `step` is the time, and how many tokens each request has.
    private static func snapshot(_ step: Int, requests: [String] = ["a", "b"], events: ClosedRange<Int>? = nil) -> SnapshotInfo {
        let status = StatusInfo(
            version: "v", pid: 1, uptimeS: 0, state: "running", listen: [], configPath: "", connections: step, endpoints: [],
            queue: .init(waiting: 0, oldestMs: 0, limit: 1, timeoutS: 1),
            requests: .init(inFlight: requests.count, waiting: 0, total: 0, completed: 0, failed: 0, aborted: 0, rejected: 0), cache: CacheInfo())
        let rows = requests.map {
            RequestInfo(
                id: $0, client: "c", method: "POST", route: "/api/chat", model: "m", endpoint: "e", phase: .streaming, ageMs: step * 500,
                phaseMs: step * 500, tokens: step, bytesSent: 0)
        }
        var snapshot = SnapshotInfo(sequence: 0, atMs: step * 500, status: status, requests: rows)
        snapshot.events = events.map { $0.map { EventInfo(sequence: $0, at: "t", level: "info", message: "event \($0)") } } ?? []
        return snapshot
    }

    private static func text(_ frame: ByteBuffer?) -> String { frame.map { String(buffer: $0) } ?? "" }

    private static func isWhole(_ frame: ByteBuffer?) -> Bool { text(frame).contains(#""method":"snapshot""#) }

    private static func take(_ frame: ByteBuffer?, _ assembler: inout SnapshotAssembler) throws -> SnapshotInfo? {
        guard let frame else { return nil }
        return try assembler.take(Data(frame.readableBytesView))
    }

    @Test func theFirstIsWholeAndWhatFollowsTellsWhatHasChanged() throws {
        var feed = SnapshotFeed()
        var position = Position(wantsDeltas: true)
        let none = feed.frame(for: &position)
        #expect(none == nil && position == Position(wantsDeltas: true), "there is nothing yet")

        feed.take(Self.snapshot(1), wantsDeltas: true)
        var assembler = SnapshotAssembler()
        let first = feed.frame(for: &position)
        #expect(Self.isWhole(first) && position.sequence == 1)
        #expect(try Self.take(first, &assembler) == feed.current)
        let again = feed.frame(for: &position)
        #expect(again == nil, "nobody gets the same twice")

        feed.take(Self.snapshot(2, requests: ["b", "c"]), wantsDeltas: true)
        let second = feed.frame(for: &position)
        #expect(Self.text(second).contains(#""method":"delta""#) && Self.text(second).contains(#""after":1"#))
        #expect(try Self.take(second, &assembler) == feed.current)
        #expect(feed.current?.requests.map(\.id) == ["b", "c"])
    }

    @Test func whoDoesNotWantDeltasGetsWholeSnapshots() {
        var feed = SnapshotFeed()
        var position = Position(wantsDeltas: false)
        for step in 1...3 {
            feed.take(Self.snapshot(step), wantsDeltas: true)
            let frame = feed.frame(for: &position)
            #expect(Self.isWhole(frame) && Self.text(frame).contains(#""sequence":\#(step)"#))
        }
    }

    /// Where nobody wants them, none are made: a subscriber that comes to want them gets what it can be sure of.
    @Test func withoutADeltaThereIsAWholeOne() {
        var feed = SnapshotFeed()
        var position = Position(wantsDeltas: true)
        feed.take(Self.snapshot(1), wantsDeltas: true)
        _ = feed.frame(for: &position)
        feed.take(Self.snapshot(2), wantsDeltas: false)
        let frame = feed.frame(for: &position)
        #expect(Self.isWhole(frame))
    }

    @Test func thoseWhoStandAtTheSamePlaceGetTheSameBytes() {
        var feed = SnapshotFeed()
        var positions = [Position(wantsDeltas: true), Position(wantsDeltas: true), Position(wantsDeltas: false)]
        for step in 1...2 {
            feed.take(Self.snapshot(step), wantsDeltas: true)
            let frames = positions.indices.map { feed.frame(for: &positions[$0]) }
            // The same storage, not only the same text: a hundred subscribers cost one encoding.
            func place(_ index: Int) -> UnsafeRawPointer? { frames[index]?.withUnsafeReadableBytes { $0.baseAddress } }
            #expect(place(0) != nil && place(0) == place(1))
            #expect((place(0) == place(2)) == (step == 1), "the third one is told all each time")
        }
    }

    @Test func whoMissedSomeGetsTheNewestWithTheEventsThatItMissed() throws {
        var feed = SnapshotFeed()
        var slow = Position(wantsDeltas: true)
        var quick = Position(wantsDeltas: true)
        feed.take(Self.snapshot(1, events: 1...2), wantsDeltas: true)
        let first = feed.frame(for: &slow)
        #expect(Self.text(first).contains("event 1") && Self.text(first).contains("event 2"))
        _ = feed.frame(for: &quick)
        for step in 2...4 {
            feed.take(Self.snapshot(step, events: step + 1...step + 1), wantsDeltas: true)
            let frame = feed.frame(for: &quick)
            #expect(!Self.isWhole(frame))
        }
        let frame = feed.frame(for: &slow)
        var assembler = SnapshotAssembler()
        let caughtUp = try Self.take(frame, &assembler)
        #expect(Self.isWhole(frame) && caughtUp?.sequence == 4)
        #expect(caughtUp?.events.map(\.sequence) == [3, 4, 5])
        #expect(caughtUp?.requests == feed.current?.requests)
        #expect(slow == quick, "from here on they get the same")
    }

    @Test func anEventIsToldOnceAndANewcomerGetsTheLastHundred() throws {
        var feed = SnapshotFeed()
        var position = Position(wantsDeltas: true)
        #expect(feed.lastEvent == nil, "before the first the log's end is asked for")
        feed.take(Self.snapshot(1, events: 1...80), wantsDeltas: true)
        _ = feed.frame(for: &position)
        #expect(feed.lastEvent == 80)
        // The log was asked before it was known that 80 had been told.
        feed.take(Self.snapshot(2, events: 70...130), wantsDeltas: true)
        var assembler = SnapshotAssembler()
        _ = try assembler.take(Data(SnapshotFrame.whole(Self.marked(Self.snapshot(1), 1))))
        let told = try Self.take(feed.frame(for: &position), &assembler)
        #expect(told?.events.map(\.sequence) == Array(81...130))
        var newcomer = Position(wantsDeltas: true)
        let all = try Self.take(feed.frame(for: &newcomer), &assembler)
        #expect(all?.events.map(\.sequence) == Array(31...130))
    }

    private static func marked(_ snapshot: SnapshotInfo, _ sequence: Int) -> SnapshotInfo {
        var snapshot = snapshot
        snapshot.sequence = sequence
        return snapshot
    }

    /// Whatever each of them missed and when: what it puts together is what the daemon has.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func whoeverIsPassedOverNowAndThenHasTheTruePicture(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        var feed = SnapshotFeed()
        var members = (0..<6).map { (position: Position(wantsDeltas: $0 > 0), assembler: SnapshotAssembler(), events: [Int]()) }
        var lastEvent = 0
        for step in 1...300 {
            let count = Int.random(in: 0...2, using: &random)
            let requests = (0..<20).filter { _ in Bool.random(using: &random) }.map { "r-\($0)" }
            feed.take(Self.snapshot(step, requests: requests, events: count == 0 ? nil : lastEvent + 1...lastEvent + count), wantsDeltas: true)
            lastEvent += count
            // At the end all are ready.
            for index in members.indices where step == 300 || Int.random(in: 0..<3, using: &random) > 0 {
                let taken = try Self.take(feed.frame(for: &members[index].position), &members[index].assembler)
                var expected = try #require(feed.current)
                let seen = try #require(taken)
                expected.events = seen.events
                try #require(seen == expected, "member \(index), step \(step)")
                members[index].events += seen.events.map(\.sequence)
            }
        }
        for member in members { #expect(member.events == Array(1...lastEvent), "each event once, in order") }
    }
}
