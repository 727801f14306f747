// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Every endpoint that has the model says that it is busy. What breaks without these: the client is sent away although somebody would be free in a
/// second, or it waits for what cannot come in time.
@Suite struct BusyTests {
    /// Good as soon as it is not asked too early.
    private static func busy(_ name: String, loaded: Bool = true, retryAfter: String?) throws -> FakeEndpoint {
        try FakeEndpoint(name, loaded: loaded, first: [.busy(retryAfter: retryAfter)], then: .good)
    }

    // MARK: Waiting

    @Test func theRequestWaitsVisiblyForWhoeverIsFreeFirst() throws {
        let a = try Self.busy("a", retryAfter: "20")
        let b = try Self.busy("b", loaded: false, retryAfter: "2")
        try RunningDaemon.run([a, b]) { daemon in
            let watch = Stopwatch()
            let pending = Chat.Pending(port: daemon.port)
            try eventually("it waits in line") { try pending.isOver || daemon.status().queue.waiting == 1 }
            #expect(!pending.isOver)
            let waiting = try daemon.control().queue().waiting
            #expect(waiting.map(\.position) == [0] && waiting.map(\.model) == ["m"])
            let obstacles = waiting.first?.blockedBy ?? []
            #expect(obstacles.contains { $0.hasPrefix("a: ") } && obstacles.contains { $0.hasPrefix("b: ") }, "\(obstacles)")
            try #expect(daemon.control().requests().requests.map(\.phase) == [.waiting])
            let answer = try pending.answer()
            #expect(answer.status == 200 && answer.head["x-routerd-endpoint"] == "b", "\(answer.head.firstLine) \(answer.text)")
            #expect(watch.seconds > 1.5 && watch.seconds < 8, "after \(watch.seconds) s")
            #expect(a.requestCount == 1 && b.requestCount == 2)
        }
    }

    /// As RFC 9110 has it: seconds, or a date.
    @Test func aTimeToComeBackMayBeADate() throws {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "GMT")
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        let due = ScriptedAnswer("busy until a date") { connection, request in
            let date = format.string(from: Date(timeIntervalSinceNow: 3))
            ScriptedAnswer.busy(retryAfter: date).script(connection, request)
        }
        let endpoint = try FakeEndpoint("only", first: [due], then: .good)
        try RunningDaemon.run([endpoint]) { daemon in
            let watch = Stopwatch()
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body())
            #expect(answer.status == 200, "\(answer.text)")
            #expect(watch.seconds > 1.5 && endpoint.requestCount == 2)
        }
    }

    /// Not every server says when to come back.
    @Test(arguments: [ScriptedAnswer.busy(), .tooMany(), .loading]) func withoutATimeItIsTriedAgainSoon(_ refusal: ScriptedAnswer) throws {
        let endpoint = try FakeEndpoint("only", first: [refusal], then: .good)
        try RunningDaemon.run([endpoint]) { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body())
            #expect(answer.status == 200, "\(answer.text)")
            #expect(endpoint.requestCount == 2)
        }
    }

    /// Who comes while everybody is known to be busy waits, too, and asks nobody.
    @Test func othersWaitBehindIt() throws {
        let endpoint = try Self.busy("only", retryAfter: "2")
        try RunningDaemon.run([endpoint], limit: 8) { daemon in
            let first = Chat.Pending(port: daemon.port, Chat.body("first"))
            try eventually("it waits in line") { try first.isOver || daemon.status().queue.waiting == 1 }
            #expect(!first.isOver)
            let others = (0..<4).map { Chat.Pending(port: daemon.port, Chat.body("\($0)")) }
            try eventually("all wait") { try first.isOver || daemon.status().queue.waiting == 5 }
            #expect(endpoint.requestCount == 1)
            for pending in [first] + others { try #expect(pending.answer().status == 200) }
        }
    }

    /// A slot that frees elsewhere is as good.
    @Test func whoWaitsTakesASlotThatFreesElsewhere() throws {
        let gate = Gate()
        let a = try FakeEndpoint("a", then: .busy(retryAfter: "60"))
        let b = try FakeEndpoint("b", then: .held(by: gate))
        try RunningDaemon.run([a, b], limit: 1) { daemon in
            let holder = Chat.Pending(port: daemon.port, path: "/api/chat?endpoint=b", Chat.body("holder"))
            try eventually("b is taken") { b.active == 1 }
            let pending = Chat.Pending(port: daemon.port, Chat.body("next"))
            try eventually("it waits in line") { try pending.isOver || (a.requestCount == 1 && daemon.status().queue.waiting == 1) }
            #expect(!pending.isOver)
            gate.open(2)
            try #expect(holder.answer().status == 200)
            let answer = try pending.answer()
            #expect(answer.status == 200 && answer.head["x-routerd-endpoint"] == "b", "\(answer.text)")
        }
    }

    @Test func whoLeavesWhileItWaitsIsGone() throws {
        let endpoint = try FakeEndpoint("only", then: .busy(retryAfter: "60"))
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Chat.body()))
            try eventually("it waits in line", within: 5) { try daemon.status().queue.waiting == 1 }
            client.close()
            let counted = try daemon.waitUntilIdle().requests
            #expect(counted.aborted == 1 && counted.failed == 0, "\(counted)")
        }
    }

    // MARK: Not waiting

    /// Nobody can be free before the client's time is up: it learns that now, in the endpoint's words, with the endpoint's time.
    @Test(arguments: ["queue_timeout: 2s\n", "request_timeout: 2s\n"]) func whatCannotComeInTimeIsNotWaitedFor(_ limit: String) throws {
        let refusal = ScriptedAnswer("429") { connection, _ in
            connection.answer(
                #"{"error":"slow down"}"#, status: "429 Too Many Requests", headers: ["Retry-After: 77", "x-ratelimit-remaining-requests: 0"])
        }
        let a = try FakeEndpoint("a", then: refusal)
        let b = try FakeEndpoint("b", loaded: false, then: refusal)
        try RunningDaemon.run([a, b], limit) { daemon in
            let watch = Stopwatch()
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body())
            #expect(answer.head.firstLine == "HTTP/1.1 429 Too Many Requests" && answer.text == #"{"error":"slow down"}"#)
            #expect(answer.head["retry-after"] == "77" && answer.head["x-ratelimit-remaining-requests"] == "0")
            #expect(watch.seconds < 1.5, "after \(watch.seconds) s")
            #expect(a.requestCount == 1 && b.requestCount == 1, "both were asked")
        }
    }

    /// Breaks when a refusal that is put into another dialect loses what it says of the service's limits.
    @Test(arguments: ["/api/chat", "/v1/messages", "/v1/responses"]) func whatIsLeftSurvivesTranslation(_ path: String) throws {
        let fields = ["Retry-After": "77", "x-ratelimit-remaining-requests": "0", "X-RateLimit-Reset-Tokens": "6m0s"]
        let service = try FakeEndpoint("service", kind: .openAI, available: ["m"]) { connection, _ in
            connection.answer(
                #"{"error":{"message":"slow down"}}"#, status: "429 Too Many Requests", headers: fields.map { "\($0.key): \($0.value)" })
        }
        try RunningDaemon.run([service], "retries: 0\nqueue_timeout: 2s\n") { daemon in
            let body = #"{"model":"m","max_tokens":5,"stream":false,"messages":[{"role":"user","content":"hi"}],"input":"hi"}"#
            let answer = try RawClient.post(port: daemon.port, path, path == "/v1/responses" ? #"{"model":"m","input":"hi"}"# : body)
            #expect(answer.head.firstLine.hasPrefix("HTTP/1.1 429 ") && answer.text.contains("slow down"), "\(answer.text)")
            for (name, value) in fields { #expect(answer.head[name.lowercased()] == value, "\(name)") }
        }
    }

    /// Who has waited for as long as the line allows gets what the endpoint last said.
    @Test func theLinesOwnLimitHolds() throws {
        let endpoint = try FakeEndpoint("only", then: .busy(retryAfter: "1"))
        try RunningDaemon.run([endpoint], "queue_timeout: 3s\n") { daemon in
            let watch = Stopwatch()
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body())
            #expect(answer.status == 503, "\(answer.text)")
            #expect(watch.seconds > 0.9 && watch.seconds < 8, "after \(watch.seconds) s")
            #expect((2...5).contains(endpoint.requestCount), "asked \(endpoint.requestCount) times in three seconds")
        }
    }
}
