// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers
import Protocol
import TestSupport
import Testing

/// Equal requests in flight are answered from one generation, and each client gets all of it.
@Suite struct SharedGenerationTests {
    private static func ask(_ more: String = "") -> String { #"{"model":"m","messages":[{"role":"user","content":"hi"}]\#(more)}"# }
    private static func item(_ text: String) -> String {
        #"{"model":"m","created_at":"x","message":{"role":"assistant","content":"\#(text)"},"done":false}"# + "\n"
    }
    private static let end =
        #"{"model":"m","created_at":"x","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":2}"#
        + "\n"

    /// Streams one item at each opening of the gate, the end with the last.
    private static func gated(_ gate: Gate, items: [String]) -> FakeEndpoint.Script {
        { connection, _ in
            connection.startStream()
            for text in items {
                guard gate.pass() else { return connection.close() }
                guard connection.sendChunk(item(text)) else { return }
            }
            guard gate.pass() else { return connection.close() }
            connection.sendChunk(end)
            connection.sendLastChunk()
        }
    }

    private static func start(_ daemon: RunningDaemon, _ body: String = ask()) throws -> RawClient {
        let client = try daemon.client()
        try client.send(RawClient.request("POST", "/api/chat", body: body))
        return client
    }

    /// A follower that comes late gets what has been sent so far, then the rest as it comes; one that wants the whole gets it at the end.
    @Test func followersShareOneGeneration() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.gated(gate, items: ["one ", "two"]))
        try RunningDaemon.run([endpoint], "cache_enabled: true\n") { daemon in
            let leader = try Self.start(daemon)
            gate.open()
            try #expect(leader.readHead()["x-cache"] == "miss")
            try #expect(leader.read(until: Self.item("one ")) == Self.item("one "))

            let follower = try Self.start(daemon)
            let whole = try Self.start(daemon, Self.ask(#","stream":false"#))
            try eventually("all three are in flight") { try daemon.control().requests().requests.count == 3 }
            let head = try follower.readHead()
            #expect(head["x-cache"] == "shared" && head["content-type"] == "application/x-ndjson")
            // What was sent before it came, while nothing more has been made.
            try #expect(follower.read(until: Self.item("one ")) == Self.item("one "))
            gate.open()
            try #expect(follower.read(until: Self.item("two")) == Self.item("two"))
            try #expect(leader.read(until: Self.item("two")) == Self.item("two"))
            gate.open()
            try #expect(follower.read(until: Self.end) == Self.end)
            try #expect(leader.read(until: Self.end) == Self.end)
            let answer = try whole.readResponse()
            // On a slow machine it may have come to look only when the answer was already kept.
            #expect(
                ["shared", "hit"].contains(answer.head["x-cache"]) && answer.text.contains(#""content":"one two""#)
                    && answer.text.contains(#""eval_count":2"#))
            #expect(endpoint.requestCount == 1)
            try daemon.waitUntilIdle()
            let info = try daemon.status().cache
            #expect(info.shared + info.exactHits == 2 && info.shared >= 1 && info.misses == 1 && info.tokensSaved == 10)
        }
    }

    /// The one who asked first leaves: the generation goes on for the others, and is kept.
    @Test func theLeaderMayLeave() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.gated(gate, items: ["one ", "two"]))
        try RunningDaemon.run([endpoint], "cache_enabled: true\n") { daemon in
            let leader = try Self.start(daemon)
            gate.open()
            _ = try leader.readHead()
            let follower = try Self.start(daemon)
            try #expect(follower.readHead()["x-cache"] == "shared")
            leader.socket.close()
            try eventually("the leader's client has gone") { try daemon.status().connections == 1 }
            gate.open()
            gate.open()
            try #expect(follower.readRest().hasSuffix(Self.end))
            #expect(endpoint.requestCount == 1 && endpoint.peersThatLeft == 0)
            try daemon.waitUntilIdle()
            try CacheTests.untilKept(daemon, entries: 1)
        }
    }

    /// The last of all leaves: what nobody wants any more is stopped.
    @Test func theLastOneOutStopsTheGeneration() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, _ in
            connection.startStream()
            connection.sendChunk(Self.item("one"))
            connection.waitForPeerToLeave(within: 20)
        }
        try RunningDaemon.run([endpoint], "cache_enabled: true\n") { daemon in
            let leader = try Self.start(daemon)
            _ = try leader.readHead()
            let follower = try Self.start(daemon)
            try #expect(follower.readHead()["x-cache"] == "shared")
            leader.socket.close()
            try eventually("the leader's client has gone") { try daemon.status().connections == 1 }
            #expect(endpoint.active == 1)
            follower.socket.close()
            try eventually("the endpoint is told") { endpoint.peersThatLeft == 1 }
            try daemon.waitUntilIdle()
            #expect(endpoint.requestCount == 1)
        }
        gate.open()
    }

    /// The generation fails before anything was sent: each follower starts over, and gets its own answer.
    @Test func whoFollowsAFailureStartsOver() throws {
        let gate = Gate()
        let count = NIOLockedValueBox(0)
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, _ in
            let number = count.withLockedValue { number in
                number += 1
                return number
            }
            guard number == 1 else {
                connection.startStream()
                connection.sendChunk(Self.item("of my own"))
                connection.sendChunk(Self.end)
                connection.sendLastChunk()
                return
            }
            gate.pass()
            connection.answer(#"{"error":"the model broke"}"#, status: "500 Internal Server Error")
        }
        try RunningDaemon.run([endpoint], limit: 8, "cache_enabled: true\n") { daemon in
            let leader = try Self.start(daemon)
            try eventually("the leader's request is there") { endpoint.active == 1 }
            let followers = try (0..<3).map { _ in try Self.start(daemon) }
            try eventually("all are in flight") { try daemon.control().requests().requests.count == 4 }
            gate.open()
            try #expect(leader.readResponse().status == 500)
            for follower in followers {
                let answer = try follower.readResponse()
                #expect(answer.status == 200 && answer.text == Self.item("of my own") + Self.end && answer.head["x-cache"] == "miss")
            }
            try daemon.waitUntilIdle()
        }
    }

    /// It fails in the middle: a follower who has had part of it is told so, in the stream's own words.
    @Test func aFollowersStreamIsNeverQuietlyCut() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, _ in
            connection.startStream()
            connection.sendChunk(Self.item("one"))
            gate.pass()
            connection.close()
        }
        try RunningDaemon.run([endpoint], "cache_enabled: true\n") { daemon in
            let leader = try Self.start(daemon)
            _ = try leader.readHead()
            let follower = try Self.start(daemon)
            _ = try follower.readHead()
            try #expect(follower.read(until: Self.item("one")) == Self.item("one"))
            gate.open()
            let rest = try follower.readRest()
            #expect(rest.hasPrefix(#"{"error":"#) && rest.hasSuffix("}\n"), "\(rest)")
            _ = try? leader.readRest()
            try daemon.waitUntilIdle()
            try #expect(daemon.status().cache.entries == 0)
        }
    }

    /// Sixty-four at once, on both event loops, half of them streaming: one generation, sixty-four answers.
    @Test func manyAtOnce() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.gated(gate, items: ["one ", "two"]))
        try RunningDaemon.run([endpoint], "cache_enabled: true\n") { daemon in
            var clients = [try Self.start(daemon)]
            try eventually("the leader's request is there") { endpoint.active == 1 }
            clients += try (1..<64).map { try Self.start(daemon, Self.ask($0 % 2 == 0 ? "" : #","stream":false"#)) }
            try eventually("all are in flight") { try daemon.control().requests().requests.count == 64 }
            for _ in 0..<3 { gate.open() }
            for (index, client) in clients.enumerated() {
                let text = try client.readResponse().text
                if index % 2 == 0 {
                    #expect(text == Self.item("one ") + Self.item("two") + Self.end || text.contains("one two"), "\(text)")
                } else {
                    #expect(text.contains("one two"), "\(text)")
                }
            }
            #expect(endpoint.requestCount == 1)
            try daemon.waitUntilIdle()
        }
    }
}
