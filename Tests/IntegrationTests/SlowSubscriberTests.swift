// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// An operator's console that was stopped for a while, on the real daemon under real traffic. Without this, one that hangs on somebody's
/// laptop would fill the daemon's memory, hold up the others, or show requests that have long ended when it goes on.
@Suite struct SlowSubscriberTests {
    private static let streams = 60

    /// Twenty tokens a second, as long as somebody is there.
    private static let stream: FakeEndpoint.Script = { connection, _ in
        connection.startStream()
        let token = #"{"model":"m","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":"word"},"done":false}"# + "\n"
        while connection.sendChunk(token) { usleep(50_000) }
    }

    /// Reads frames until `isEnough`, and puts them together.
    private func follow(
        _ peer: ControlPeer, _ assembler: inout SnapshotAssembler, _ isEnough: (SnapshotInfo) throws -> Bool
    ) throws -> [SnapshotInfo] {
        var seen: [SnapshotInfo] = []
        let deadline = Deadline.generous
        while !deadline.hasPassed {
            guard let line = try peer.nextLine() else { throw TestFailure("the daemon has hung up") }
            guard let snapshot = try assembler.take(Data(line)) else { continue }
            seen.append(snapshot)
            if try isEnough(snapshot) { return seen }
        }
        throw TestFailure("not in time; the last: \(seen.last.map { "\($0.sequence), \($0.requests.count) requests" } ?? "nothing")")
    }

    @Test func oneThatDoesNotReadCostsLittleAndGoesOnWithTheTruth() throws {
        // Names as long as the header lets them be: snapshots that soon fill a socket.
        let names = (0..<Self.streams).map { "request-\($0)-" + String(repeating: "x", count: 100) }
        let endpoints = try (0..<4).map { try FakeEndpoint("gpu-\($0)", available: ["m"], loaded: ["m"], script: Self.stream) }
        try RunningDaemon.run(endpoints, limit: 100) { daemon in
            func start(_ name: String) throws -> RawClient {
                let client = try daemon.client()
                let body = #"{"model":"m","messages":[{"role":"user","content":"hello"}]}"#
                try client.send(RawClient.request("POST", "/api/chat", body: body, headers: ["X-Request-Id: \(name)"]))
                return client
            }
            var clients = try names.map(start)
            try eventually("all streams run") {
                try daemon.control().requests().requests.filter { $0.phase == .streaming }.count == Self.streams
            }
            let slow = try ControlPeer(daemon.socketPath)
            slow.send(#"{"id":1,"method":"subscribe","params":{"interval_ms":100,"deltas":true}}"#)
            var assembler = SnapshotAssembler()
            let first = try follow(slow, &assembler) { _ in true }
            #expect(Set(first[0].requests.map(\.id)) == Set(names))
            let before = try daemon.residentBytes()

            // Ten seconds in which it reads nothing, all streams change, and half of the requests end.
            let quick = try daemon.control()
            _ = try quick.subscribe(intervalMs: 100)
            var sequence = try quick.nextSnapshot(timeoutMs: 5000).sequence
            var slowest = 0.0
            for round in 0..<100 {
                if round == 50 {
                    for client in clients.prefix(Self.streams / 2) { client.close() }
                    clients.removeFirst(Self.streams / 2)
                }
                let start = ContinuousClock.now
                let next = try quick.nextSnapshot(timeoutMs: 5000).sequence
                slowest = max(slowest, (ContinuousClock.now - start) / .seconds(1))
                #expect(next == sequence + 1, "the quick one misses nothing")
                sequence = next
            }
            #expect(slowest < 2, "nor is it held up: \(slowest) s")
            try #expect(daemon.hasGrown(from: before, byLessThan: 16_000_000))

            // What the socket held fits together, and then comes the newest, whole: never anything in between.
            let rest = try follow(slow, &assembler) { $0.sequence >= sequence }
            let gaps = zip(rest, rest.dropFirst()).filter { $1.sequence != $0.sequence + 1 }
            #expect(gaps.count <= 2, "\(rest.map(\.sequence))")
            let left = Set(names.suffix(Self.streams / 2))
            let newest = try follow(slow, &assembler) { Set($0.requests.map(\.id)) == left }.last
            #expect(newest?.requests.allSatisfy { $0.tokens > 0 && $0.phase == .streaming } == true)
            #expect(newest?.status.requests.inFlight == Self.streams / 2)
            for client in clients { client.close() }
        }
    }
}
