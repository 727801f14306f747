// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Endpoints that accept and do not answer, or begin to answer and say nothing. What breaks without these: requests wait ten minutes at an endpoint
/// that is known to be dead, and a head that came at once is taken for a first token.
@Suite struct SilenceTests {
    /// `a` has the model in memory, so that it is asked first.
    private static func pair(_ fault: ScriptedAnswer) throws -> (a: FakeEndpoint, b: FakeEndpoint) {
        (try FakeEndpoint("a", then: fault), try FakeEndpoint("b", loaded: false, then: .good))
    }

    // MARK: Nothing comes

    /// A process that hangs answers neither requests nor polls.
    @Test(arguments: [ScriptedAnswer.hang, .headThen(.hang)]) func requestsLeaveAnEndpointThatIsKnownToBeDown(_ fault: ScriptedAnswer) throws {
        let (a, b) = try Self.pair(fault)
        try RunningDaemon.run([a, b], limit: 8, "poll_timeout: 300ms\n") { daemon in
            let pending = (0..<3).map { Chat.Pending(port: daemon.port, Chat.body("\($0)", stream: true), within: 12) }
            try eventually("one is at the endpoint that hangs") { a.active > 0 }
            a.setPollsHang(true)
            for request in pending {
                let answer = try request.answer(within: 12)
                #expect(answer.status == 200 && answer.text.contains(#""done":true"#), "\(answer.text)")
            }
            try eventually("the endpoint that hangs is told") { a.active == 0 }
            #expect(b.requestCount == 3)
        }
    }

    /// What has had a byte may still have the others: it stays where it is.
    @Test func aStreamThatHasBegunStaysWhenPollsFail() throws {
        let gate = Gate()
        let (a, b) = try Self.pair(
            ScriptedAnswer("slow stream") { connection, request in
                connection.startStream()
                connection.sendChunk(request.item("one"))
                guard gate.pass() else { return connection.close() }
                connection.sendChunk(request.item("two") + request.lastItem)
                connection.sendLastChunk()
            })
        try RunningDaemon.run([a, b], "poll_timeout: 300ms\n") { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Chat.body(stream: true)))
            _ = try client.readHead()
            try client.read(upTo: "one")
            a.setPollsHang(true)
            try eventually("known to be down") { try daemon.endpoint("a").state == "down" }
            gate.open()
            try #expect(client.readRest().contains(#""done":true"#))
            #expect(b.requestCount == 0)
        }
    }

    /// Who has waited for `first_byte_timeout` is tried elsewhere, not sent away.
    @Test(arguments: [ScriptedAnswer.hang, .headThen(.hang)]) func aFirstByteThatNeverComesIsSoughtElsewhere(_ fault: ScriptedAnswer) throws {
        let (a, b) = try Self.pair(fault)
        try RunningDaemon.run([a, b], "first_byte_timeout: 500ms\n") { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body(stream: true))
            #expect(answer.status == 200 && answer.text.contains(#""done":true"#), "\(answer.head.firstLine) \(answer.text)")
            #expect(answer.head["x-routerd-endpoint"] == "b")
            try eventually("the endpoint that hangs is told") { a.active == 0 }
        }
    }

    // MARK: The head comes, and no token

    /// Nobody else could serve it: there is nothing to hold the head for.
    @Test func aHeadGoesOutAtOnceWhereNobodyElseCouldServe() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint("only", then: .lateToken(gate))
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Chat.body(stream: true)))
            try #expect(client.readHead(until: Deadline(3)).status == 200)
            gate.open()
            try #expect(client.readRest().contains(#""done":true"#))
        }
    }

    /// Clients have timers for the head, too: it is held for `hold_head`, not for as long as the first token takes.
    @Test func aHeadIsHeldForItsTimeOnly() throws {
        let gate = Gate()
        let (a, b) = try Self.pair(.lateToken(gate))
        try RunningDaemon.run([a, b]) { daemon in
            let client = try daemon.client()
            let watch = Stopwatch()
            try client.send(RawClient.request("POST", "/api/chat", body: Chat.body(stream: true)))
            try #expect(client.readHead(until: Deadline(12)).status == 200)
            #expect(watch.seconds > 4.5 && watch.seconds < 9, "the head came after \(watch.seconds) s")
            gate.open()
            try #expect(client.readRest().contains(#""done":true"#))
            #expect(b.requestCount == 0, "late is not lost")
        }
    }

    @Test func theTimeForWhichAHeadIsHeldCanBeSet() throws {
        let gate = Gate()
        let (a, b) = try Self.pair(.lateToken(gate))
        try RunningDaemon.run([a, b], "hold_head: 300ms\n") { daemon in
            let client = try daemon.client()
            let watch = Stopwatch()
            try client.send(RawClient.request("POST", "/api/chat", body: Chat.body(stream: true)))
            try #expect(client.readHead(until: Deadline(4)).status == 200)
            #expect(watch.seconds > 0.25)
            gate.open()
            try #expect(client.readRest().contains(#""done":true"#))
        }
    }

    /// A server that sends its head at once may take the time of a cold load for its first token, as one that sends both together.
    @Test func theFirstTokenHasItsOwnTimeout() throws {
        let endpoint = try FakeEndpoint("only", then: .lateToken(after: 1.2))
        try RunningDaemon.run([endpoint], "idle_timeout: 300ms\n") { daemon in
            for path in ["/api/chat", "/v1/chat/completions"] {
                let answer = try RawClient.post(port: daemon.port, path, Chat.body(stream: true))
                #expect(answer.text.contains("late") && !answer.text.contains("error"), "\(answer.text)")
            }
        }
    }

    /// The phase that an operator sees, and the time to the first token, are the token's and not the head's.
    @Test func aHeadIsNoToken() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint("only", then: .lateToken(gate))
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Chat.body(stream: true)))
            try #expect(client.readHead().status == 200)
            let watch = Stopwatch()
            while watch.seconds < 0.6 {
                let phases = try daemon.control().requests().requests.map(\.phase)
                #expect(phases == [.processing], "no token has come")
                if phases != [.processing] { break }
                usleep(50_000)
            }
            gate.open()
            try #expect(client.readRest().contains(#""done":true"#))
            try daemon.waitUntilIdle()
            let told = try eventualValue("the time is told") { try daemon.endpoint("only").ttftP50Ms }
            #expect(told >= 400, "the first token took \(watch.seconds) s, and \(told) ms are told")
        }
    }

    /// Whole answers and embeddings take their whole time to the first byte; that says nothing of how soon a stream begins.
    @Test func onlyStreamsTellTheTimeToTheFirstToken() throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"]) { connection, request in
            if request.path == "/api/embed" || !request.streams { guard connection.pause(0.5) else { return } }
            FakeModelServer().answer(request, on: connection)
        }
        try RunningDaemon.run([endpoint]) { daemon in
            for _ in 0..<3 {
                try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body()).status == 200)
                try #expect(RawClient.post(port: daemon.port, "/api/embed", #"{"model":"m","input":["x"]}"#).status == 200)
                try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body(stream: true)).status == 200)
            }
            try daemon.waitUntilIdle()
            let info = try daemon.endpoint("only")
            #expect(info.ttftP95Ms.map { $0 < 300 } == true, "p50 \(info.ttftP50Ms ?? -1), p95 \(info.ttftP95Ms ?? -1) ms")
        }
    }
}
