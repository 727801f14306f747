// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// How far a request that failed is carried, and what the client gets in the end. What breaks without these: one bad request goes through the
/// whole fleet, an upload is done twice, or the one answer that tells what is wrong is replaced by words of the router.
@Suite struct RetryRuleTests {
    /// `e0` has the model in memory, so that it is asked first.
    private static func fleet(_ answers: [ScriptedAnswer]) throws -> [FakeEndpoint] {
        try answers.enumerated().map { try FakeEndpoint("e\($0)", loaded: $0 == 0, then: $1) }
    }

    private static func asked(_ endpoints: [FakeEndpoint]) -> Int { endpoints.map(\.requestCount).reduce(0, +) }

    // MARK: How far

    @Test func twoOthersAreTriedAndNotTheWholeFleet() throws {
        let endpoints = try Self.fleet(Array(repeating: .broken, count: 5))
        try RunningDaemon.run(endpoints) { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body())
            #expect(answer.status == 500 && answer.text.contains("CUDA error"), "an endpoint's own words: \(answer.text)")
            #expect(Self.asked(endpoints) == 3)
            #expect(endpoints.allSatisfy { $0.requestCount <= 1 }, "none is asked twice")
            try daemon.waitUntilIdle()
            try #expect(daemon.status().requests.failed == 1)
        }
    }

    /// Neither elsewhere nor again: the first answer is the answer, also where it says that it is busy.
    @Test func retriesMayBeTurnedOff() throws {
        let endpoints = try Self.fleet([.broken, .good])
        try RunningDaemon.run(endpoints, "retries: 0\n") { daemon in
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body()).status == 500)
            endpoints[0].setAnswer(.busy(retryAfter: "1"))
            let busy = try RawClient.post(port: daemon.port, "/api/chat?endpoint=e0", Chat.body())
            #expect(busy.status == 503 && busy.head["retry-after"] == "1")
            #expect(endpoints.map(\.requestCount) == [2, 0])
        }
    }

    @Test func oneRetryIsOne() throws {
        let endpoints = try Self.fleet(Array(repeating: .broken, count: 4))
        try RunningDaemon.run(endpoints, "retries: 1\n") { daemon in
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body()).status == 500)
            #expect(Self.asked(endpoints) == 2)
        }
    }

    /// Each word of `retry_on` covers its own faults and no others.
    @Test func whatIsTriedElsewhereCanBeChosen() throws {
        let endpoints = try Self.fleet([.broken, .good])
        try RunningDaemon.run(endpoints, "retry_on: [busy]\n") { daemon in
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body()).status == 500)
            endpoints[0].setAnswer(.busy())
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body()).status == 200)
        }
    }

    // MARK: What is never tried elsewhere

    /// The client's own fault is the same everywhere.
    @Test(arguments: ["400 Bad Request", "413 Content Too Large", "422 Unprocessable Content"])
    func theClientsFaultStaysOne(_ status: String) throws {
        let endpoints = try Self.fleet([.refusal(status, "your fault"), .good])
        try RunningDaemon.run(endpoints) { daemon in
            for path in ["/api/chat", "/v1/chat/completions"] {
                let answer = try RawClient.post(port: daemon.port, path, Chat.body())
                #expect(answer.head.firstLine == "HTTP/1.1 \(status)" && answer.text.contains("your fault"))
            }
            #expect(endpoints.map(\.requestCount) == [2, 0])
            try #expect(daemon.endpoint("e0").state == "up", "a client's fault is not the endpoint's")
        }
    }

    /// What changes something would be done twice, or where nobody asked for it.
    @Test(arguments: [ScriptedAnswer.busy(), .broken, .close, .reset]) func whatChangesModelsIsNeverDoneElsewhere(_ fault: ScriptedAnswer) throws {
        let endpoints = try Self.fleet([fault, fault])
        try RunningDaemon.run(endpoints, "model_management: first\n") { daemon in
            let digest = "sha256:" + String(repeating: "a", count: 64)
            for (path, body) in [
                ("/api/pull", #"{"model":"m"}"#), ("/api/create", #"{"model":"x","from":"m"}"#), ("/api/push", #"{"model":"m"}"#),
                ("/api/blobs/\(digest)", "blob"),
            ] {
                let answer = try RawClient.post(port: daemon.port, path, body)
                #expect(answer.status >= 400 || answer.text.contains("error"), "\(path): \(answer.head.firstLine) \(answer.text)")
                let sent = endpoints.map { $0.requests.filter { $0.method == "POST" && $0.path == path }.count }
                #expect(sent == [1, 0], "\(path)")
            }
        }
    }

    /// `?endpoint=NAME` means this one.
    @Test func whoNamesAnEndpointGetsItsAnswer() throws {
        let endpoints = try Self.fleet([.broken, .good])
        try RunningDaemon.run(endpoints) { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat?endpoint=e0", Chat.body())
            #expect(answer.status == 500 && answer.text.contains("CUDA error"))
            #expect(endpoints.map(\.requestCount) == [1, 0])
        }
    }

    // MARK: What the client gets when nothing is left

    struct Leftovers: Sendable, CustomStringConvertible {
        let description: String
        let answers: [ScriptedAnswer]
        /// What the client must see.
        let status: Int
        let text: String
        var retryAfter: String?
    }

    static let leftovers = [
        Leftovers(description: "words rather than a lost connection", answers: [.broken, .reset], status: 500, text: "CUDA error"),
        Leftovers(
            description: "words rather than a lost connection, in the other order", answers: [.reset, .broken], status: 500, text: "CUDA error"),
        Leftovers(
            description: "busy rather than not here", answers: [.modelIsGone, .busy(retryAfter: "77")], status: 503, text: "maximum pending requests",
            retryAfter: "77"),
        Leftovers(
            description: "when to come back rather than that it broke", answers: [.tooMany(retryAfter: "77"), .reset], status: 429,
            text: "rate limit reached", retryAfter: "77"),
        Leftovers(description: "not here, if that is all", answers: [.modelIsGone, .modelIsGone], status: 404, text: "not found"),
        Leftovers(description: "not spoken, if that is all", answers: [.routeIsUnknown, .routeIsUnknown], status: 404, text: "404 page not found"),
        Leftovers(description: "broken everywhere", answers: [.broken, .broken], status: 500, text: "CUDA error"),
    ]

    /// The most telling answer that came, as it came. A time to come back that lies beyond the request's own deadline is not waited for.
    @Test(arguments: leftovers) func theMostTellingAnswerIsPassedOn(_ case: Leftovers) throws {
        let endpoints = try Self.fleet(`case`.answers)
        try RunningDaemon.run(endpoints, "queue_timeout: 3s\n") { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body())
            #expect(answer.status == `case`.status && answer.text.contains(`case`.text), "\(answer.head.firstLine) \(answer.text)")
            #expect(answer.head["retry-after"] == `case`.retryAfter)
            #expect(Self.asked(endpoints) == 2)
        }
    }

    /// An answer that is held back while others are tried must not lose or gain anything: Content-Type, unknown headers, spelling.
    @Test func whatIsPassedOnIsByteForByte() throws {
        let odd = ScriptedAnswer("odd") { connection, _ in
            connection.answer("{ \"Error\" :\n\"odd\"}", status: "500 Quite Odd", contentType: "application/problem+json", headers: ["X-Odd: 1"])
        }
        let endpoints = try Self.fleet([odd])
        try RunningDaemon.run(endpoints) { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body())
            #expect(answer.head.firstLine == "HTTP/1.1 500 Quite Odd" && answer.text == "{ \"Error\" :\n\"odd\"}")
            #expect(answer.head["content-type"] == "application/problem+json" && answer.head["x-odd"] == "1")
        }
    }
}
