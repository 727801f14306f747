// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Testing

@testable import Protocol

/// What a client puts together from deltas must be what the daemon saw: else the console shows requests that have long ended.
@Suite struct SnapshotDeltaTests {
    private func data(_ bytes: [UInt8]) -> Data { Data(bytes) }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func deltasAddUpToTheWholeSnapshot(seed: UInt64) throws {
        var fleet = RandomSnapshot(seed: seed, endpoints: 12, requests: 60, models: 9)
        var assembler = SnapshotAssembler()
        var old = fleet.current
        let first = try assembler.take(data(SnapshotFrame.whole(old)))
        #expect(first == old)
        for round in 0..<150 {
            fleet.step(churn: round % 10 == 0 ? 500 : 30)
            var new = fleet.current
            let frame = SnapshotFrame.delta(from: old, to: &new)
            #expect(frame.last == 0x0a && frame.dropLast().allSatisfy { $0 != 0x0a })
            let assembled = try assembler.take(data(frame))
            try #require(assembled == new, "round \(round): \(String(decoding: frame, as: UTF8.self))")
            // Ages may run on instead of being told, but never far from what they are.
            for (told, seen) in zip(new.requests, fleet.current.requests) {
                #expect(told.id == seen.id && abs(told.ageMs - seen.ageMs) <= SnapshotFrame.tolerance)
                var same = told
                same.ageMs = seen.ageMs
                same.phaseMs = seen.phaseMs
                #expect(same == seen)
            }
            old = new
        }
    }

    /// The point of it all: what does not change is not sent.
    @Test func anUnchangedFleetIsAFewBytes() {
        var old = RandomSnapshot(seed: 1, endpoints: 50, requests: 500, models: 40).current
        old.status.queue.waiting = 0
        old.status.queue.oldestMs = 0
        var new = old
        new.advance(to: old.atMs + 500)
        new.sequence += 1
        let frame = SnapshotFrame.delta(from: old, to: &new)
        let text = String(decoding: frame, as: UTF8.self)
        #expect(text == "{\"jsonrpc\":\"2.0\",\"method\":\"delta\",\"params\":{\"sequence\":2,\"after\":1,\"at_ms\":1000500}}\n")
    }

    @Test func aDeltaIsAsTheManualSays() throws {
        var old = SnapshotInfo(sequence: 7, atMs: 1000, status: Sample.status, requests: Sample.requests)
        old.status.queue.oldestMs = 1500
        var new = old
        new.advance(to: 1500)
        new.sequence = 8
        new.status.connections = 10
        new.status.cache.misses = 1
        new.status.endpoints[0].inFlight = 2
        new.status.endpoints[0].ttftP50Ms = 12.5
        new.requests[0].tokens = 431
        new.requests.remove(at: 1)
        new.requests.append(
            RequestInfo(
                id: "r-104", client: "c", method: "GET", route: "/", model: "", endpoint: "", phase: .receiving, ageMs: 1, phaseMs: 1, tokens: 0,
                bytesSent: 0))
        let text = String(decoding: SnapshotFrame.delta(from: old, to: &new), as: UTF8.self)
        let added =
            #"{"age_ms":1,"bytes_sent":0,"cache":"","client":"c","endpoint":"","id":"r-104","key":"","method":"GET","model":"","phase":"receiving","phase_ms":1,"route":"/","tokens":0,"why":""}"#
        #expect(
            text == #"{"jsonrpc":"2.0","method":"delta","params":{"sequence":8,"after":7,"at_ms":1500,"status":{"connections":10},"#
                + #""cache":{"misses":1},"endpoints":{"changed":[[0,{"in_flight":2,"ttft_p50_ms":12.5}]]},"#
                + #""requests":{"removed":[1],"changed":[[0,{"tokens":431}]],"added":[[2,"# + added + "]]}}}\n")
    }

    @Test func aDeltaThatDoesNotFollowIsRefused() throws {
        let old = SnapshotInfo(sequence: 7, atMs: 1000, status: Sample.status, requests: [])
        var new = old
        new.sequence = 8
        let delta = data(SnapshotFrame.delta(from: old, to: &new))
        var assembler = SnapshotAssembler()
        #expect(throws: SnapshotAssembler.Failure.outOfOrder) { try assembler.take(delta) }
        _ = try assembler.take(data(SnapshotFrame.whole(old)))
        let assembled = try assembler.take(delta)
        #expect(assembled == new)
        #expect(throws: SnapshotAssembler.Failure.outOfOrder) { try assembler.take(delta) }
    }

    @Test func framesOfOtherKindsAreNoSnapshots() throws {
        var assembler = SnapshotAssembler()
        let reply = try assembler.take(Data(#"{"jsonrpc":"2.0","id":1,"result":{"interval_ms":500}}"#.utf8))
        let other = try assembler.take(Data(#"{"jsonrpc":"2.0","method":"news","params":[1]}"#.utf8))
        #expect(reply == nil && other == nil)
        // Members in another order, spaces, and fields of a newer daemon.
        var text = String(
            decoding: try Wire.encode(SnapshotInfo(sequence: 1, atMs: 2, status: Sample.status, requests: Sample.requests)), as: UTF8.self)
        text.removeFirst()
        let line = #"{ "params" : {"new":[{}],"# + text + #" , "method" : "snapshot" }"#
        let snapshot = try assembler.take(Data(line.utf8))
        #expect(snapshot?.requests == Sample.requests)
    }

    /// A line that was cut or spoilt anywhere ends in an error or in a snapshot, never in a crash.
    @Test func spoiltDeltasDoNoHarm() {
        var fleet = RandomSnapshot(seed: 9, endpoints: 3, requests: 8, models: 3)
        var old = fleet.current
        let whole = data(SnapshotFrame.whole(old))
        fleet.step(churn: 300)
        var new = fleet.current
        let frame = SnapshotFrame.delta(from: old, to: &new)
        old = new
        for index in frame.indices {
            for byte in [UInt8(ascii: "9"), UInt8(ascii: "{"), UInt8(ascii: "]"), UInt8(ascii: "\""), 0, 0xff] {
                var spoilt = frame
                spoilt[index] = byte
                var assembler = SnapshotAssembler()
                _ = try? assembler.take(whole)
                _ = try? assembler.take(data(spoilt))
                if byte == 0 {
                    _ = try? assembler.take(data(Array(frame[..<index])))
                }
            }
        }
    }
}
