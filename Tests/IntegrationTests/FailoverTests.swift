// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// An endpoint that fails a request before the first byte of its answer costs the client nothing while another one has the model. What breaks
/// without these: whoever fails fast looks least busy, attracts all requests, and each client gets its errors while the good endpoint is idle.
@Suite struct FailoverTests {
    /// A route, and whether its answer is asked for token by token.
    struct Shape: Sendable, CustomStringConvertible {
        let path: String
        let streams: Bool
        var description: String { "\(path), \(streams ? "streamed" : "whole")" }
    }

    static let shapes = [
        Shape(path: "/api/chat", streams: true), Shape(path: "/api/chat", streams: false),
        Shape(path: "/v1/chat/completions", streams: true), Shape(path: "/v1/chat/completions", streams: false),
    ]

    static let faults: [ScriptedAnswer] = [
        .busy(), .busy(retryAfter: "30"), .tooMany(retryAfter: "30"), .loading, .broken, .refusal("502 Bad Gateway", "no upstream"),
        .refusal("504 Gateway Timeout", "too slow"), .modelIsGone, .routeIsUnknown, .close, .reset, .garbage, .emptyBody, .errorInside,
        .headThen(.close), .headThen(.reset),
    ]

    /// `a` has the model in memory, so that it is asked first.
    private static func pair(_ fault: ScriptedAnswer) throws -> (a: FakeEndpoint, b: FakeEndpoint) {
        (try FakeEndpoint("a", then: fault), try FakeEndpoint("b", loaded: false, then: .good))
    }

    @Test(arguments: faults, shapes) func aFaultBeforeTheFirstByteGoesElsewhere(_ fault: ScriptedAnswer, _ shape: Shape) throws {
        let (a, b) = try Self.pair(fault)
        try RunningDaemon.run([a, b]) { daemon in
            let answer = try RawClient.post(port: daemon.port, shape.path, Chat.body(stream: shape.streams))
            #expect(answer.status == 200 && !answer.isCut, "\(answer.head.firstLine) \(answer.text)")
            #expect(answer.text == (try RawClient.post(port: b.port, shape.path, Chat.body(stream: shape.streams)).text))
            #expect(answer.head["x-routerd-endpoint"] == "b")
            #expect(a.requestCount == 1 && b.requestCount == 2, "the other one was asked by this test, too")
            try daemon.waitUntilIdle()
            let counted = try daemon.status().requests
            #expect(counted.completed == 1 && counted.failed == 0, "the request has one outcome, and that is good: \(counted)")
            try #expect(daemon.endpoint("a").retriesTotal == 1)
        }
    }

    /// What was seen with every kind of refusal: the endpoint that refuses gets nearly all of them.
    @Test(arguments: [ScriptedAnswer.busy(), .tooMany(retryAfter: "1"), .broken]) func aCrowdSeesNothingOfIt(_ fault: ScriptedAnswer) throws {
        let bad = try FakeEndpoint("bad", then: fault)
        let good = try FakeEndpoint("good", then: .good)
        try RunningDaemon.run([bad, good]) { daemon in
            let answers = try Chat.crowd(port: daemon.port, 40, atOnce: 4)
            let refused = answers.filter { $0.status != 200 }.map(\.text)
            #expect(refused.isEmpty, "\(refused.count) of 40 clients got an error")
            #expect(bad.requestCount < 20, "it was asked \(bad.requestCount) times: nobody noticed that it fails")
            try daemon.waitUntilIdle()
            try #expect(daemon.status().requests.completed == 40)
        }
    }

    @Test func aServerThatLoadsIsLeftForOneThatDoesNot() throws {
        let restarted = try FakeEndpoint("restarted", kind: .llamaServer, then: .loading)
        let other = try FakeEndpoint("other", kind: .llamaServer, then: .good)
        try RunningDaemon.run([restarted, other]) { daemon in
            let answers = try Chat.crowd(port: daemon.port, 20, atOnce: 2, path: "/v1/chat/completions")
            let refused = answers.filter { $0.status != 200 }.map(\.text)
            #expect(refused.isEmpty, "\(refused.count) of 20 clients got an error")
        }
    }

    /// Loading is a state and no failure: who could go nowhere else waits for its end.
    @Test func aLoadIsWaitedFor() throws {
        let isLoading = SharedFlag(false)
        let server = try FakeEndpoint("server", kind: .llamaServer, available: ["m"], loaded: ["m"])
        server.setPollScript { connection, request in
            guard isLoading.value, request.path == "/health" else { return false }
            connection.answer(#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#, status: "503 Service Unavailable")
            return true
        }
        try RunningDaemon.run([server]) { daemon in
            isLoading.set(true)
            server.setScript { connection, request in
                (isLoading.value ? ScriptedAnswer.loading : .good).script(connection, request)
            }
            let pending = Chat.Pending(port: daemon.port, path: "/v1/chat/completions")
            try eventually("it waits in line") { try pending.isOver || daemon.status().queue.waiting == 1 }
            #expect(!pending.isOver)
            isLoading.set(false)
            let answer = try pending.answer()
            #expect(answer.status == 200, "\(answer.text)")
        }
    }

    /// Somebody has removed the model at the endpoint: the next poll is seconds away, and the other one has it.
    @Test func aModelThatIsGoneIsFoundElsewhere() throws {
        let (a, b) = try Self.pair(.modelIsGone)
        try RunningDaemon.run([a, b]) { daemon in
            for _ in 0..<10 {
                let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body())
                #expect(answer.status == 200, "\(answer.text)")
            }
            #expect(b.requestCount == 10)
        }
    }

    @Test func theNoteAndTheAccessLogTellTheWay() throws {
        let (a, b) = try Self.pair(.busy())
        let folder = try TemporaryFolder()
        try RunningDaemon.run([a, b], "access_log: \(folder.path)/access\n") { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body())
            let note = answer.head["x-routerd-note"] ?? ""
            #expect(note.contains("a: 503 busy; then b"), "\(note)")
            try eventually("the line: \(folder.read("access"))", within: 5) { folder.read("access").contains("a: 503 busy; then b") }
        }
    }

    /// All of the request goes again, however long it is, and as it came.
    @Test func aLargeBodyGoesAgainWhole() throws {
        let (a, b) = try Self.pair(.busy())
        try RunningDaemon.run([a, b]) { daemon in
            let body = Chat.body(String(repeating: "x", count: 3_000_000))
            try #expect(RawClient.post(port: daemon.port, "/api/chat", body).status == 200)
            #expect(b.requests.first.map { $0.body == Array(body.utf8) } == true)
        }
    }

    /// Bytes that the client has cannot be taken back.
    @Test(arguments: [ScriptedAnswer.close, .reset]) func afterTheFirstByteNothingIsTriedElsewhere(_ ending: ScriptedAnswer) throws {
        let (a, b) = try Self.pair(.tokenThen(ending))
        try RunningDaemon.run([a, b]) { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body(stream: true))
            #expect(answer.text.contains("token") && answer.text.contains(#"{"error":""#), "\(answer.text)")
            #expect(b.requestCount == 0)
        }
    }

    /// Read as a lenient reader would, or refused at once; not held for the ten minutes of a cold load.
    @Test func aHeadWithBareLineFeedsIsNoRiddle() throws {
        let endpoint = try FakeEndpoint("only", then: .bareLineFeeds)
        try RunningDaemon.run([endpoint]) { daemon in
            for shape in Self.shapes {
                let answer = try RawClient.post(port: daemon.port, shape.path, Chat.body(stream: shape.streams), within: 5)
                #expect((answer.status == 200 && answer.text.contains("whole")) || answer.status == 502, "\(answer.head.firstLine) \(answer.text)")
            }
        }
    }
}
