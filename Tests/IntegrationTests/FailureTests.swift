// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Endpoints that die, hang and lie: what the client sees, and that no lease is lost by it.
///
/// `RunningDaemon.run` waits at the end until every counter is at zero.
@Suite struct FailureTests {
    private static let chat = #"{"model":"m","messages":[]}"#
    private static let line = #"{"message":{"content":"a"},"done":false}"# + "\n"
    private static let event = #"data: {"choices":[{"delta":{"content":"a"}}]}"# + "\n\n"

    private static func endpoint(_ name: String = "only", _ script: @escaping FakeEndpoint.Script) throws -> FakeEndpoint {
        try FakeEndpoint(name, available: ["m"], loaded: ["m"], script: script)
    }

    // MARK: Before the first byte

    /// A dying endpoint costs no client an error before its first byte, if another has the model.
    @Test func aConnectionThatIsLostBeforeTheFirstByteGoesElsewhere() throws {
        let dying = try Self.endpoint("dying") { connection, _ in connection.reset() }
        let other = try FakeEndpoint("other", available: ["m"])
        try RunningDaemon.run([dying, other]) { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.chat)
            #expect(answer.status == 200)
            #expect(answer.text.contains(#""done":true"#))
            #expect(dying.requestCount == 1 && other.requestCount == 1)
        }
    }

    @Test func anEndpointThatIsGoneGoesElsewhereAndIsSeenAsDown() throws {
        let gone = try FakeEndpoint("gone", available: ["m"], loaded: ["m"])
        let other = try FakeEndpoint("other", available: ["m"])
        try RunningDaemon.run([gone, other]) { daemon in
            gone.die()
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.chat)
            #expect(answer.status == 200)
            try eventually("seen as down") { try daemon.endpoint("gone").state == "down" }
        }
    }

    /// A request may be what kills an endpoint: it must not be carried through the whole fleet.
    @Test func aRequestThatKillsIsTriedAtTwoOthersOnly() throws {
        let endpoints = try (0..<4).map { number in try Self.endpoint("e\(number)") { connection, _ in connection.reset() } }
        try RunningDaemon.run(endpoints) { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.chat)
            #expect(answer.status == 502)
            #expect(answer.text.hasPrefix(#"{"error":""#))
            #expect(endpoints.map(\.requestCount).reduce(0, +) == 3)
        }
    }

    @Test func theErrorIsInTheRoutesDialect() throws {
        let endpoint = try Self.endpoint { connection, _ in connection.close() }
        try RunningDaemon.run([endpoint]) { daemon in
            let native = try RawClient.post(port: daemon.port, "/api/chat", Self.chat)
            let openAI = try RawClient.post(port: daemon.port, "/v1/chat/completions", Self.chat)
            #expect(native.status == 502 && openAI.status == 502)
            #expect(native.text.hasPrefix(#"{"error":""#) && native.text.contains("only"))
            #expect(openAI.text.hasPrefix(#"{"error":{"message":""#) && openAI.text.contains(#""type":"api_error""#))
            #expect(native.head["content-type"]?.hasPrefix("application/json") == true)
        }
    }

    @Test func anEndpointThatNeverAnswersIsGivenUp() throws {
        let endpoint = try Self.endpoint { connection, _ in connection.waitForPeerToLeave() }
        try RunningDaemon.run([endpoint], "first_byte_timeout: 300ms\n") { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.chat)
            #expect(answer.status == 504)
            try eventually("the endpoint is told") { endpoint.peersThatLeft == 1 }
        }
    }

    // MARK: Lies

    struct Lie: Sendable, CustomStringConvertible {
        var description: String
        var bytes: String
        /// What the client may see: an error of its own, or a cut answer.
        var isToldAsError: Bool
    }

    static let lies = [
        Lie(description: "garbage instead of a head", bytes: "I am no HTTP server at all\r\n\r\n", isToldAsError: true),
        Lie(description: "a TLS alert", bytes: "\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}\u{28}", isToldAsError: true),
        Lie(description: "two lengths", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", isToldAsError: true),
        Lie(description: "an endless head", bytes: "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 80_000), isToldAsError: true),
        Lie(
            description: "a bad chunk size", bytes: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
            isToldAsError: false),
        Lie(
            description: "a body that is too short", bytes: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{}",
            isToldAsError: false),
        Lie(
            description: "half a chunk",
            bytes: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{\"half\":",
            isToldAsError: false),
    ]

    @Test(arguments: lies) func aLieIsNoAnswer(_ lie: Lie) throws {
        let endpoint = try Self.endpoint { connection, _ in
            connection.send(lie.bytes)
            connection.close()
        }
        try RunningDaemon.run([endpoint]) { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.chat)
            if lie.isToldAsError {
                #expect(answer.status == 502)
                #expect(answer.text.hasPrefix(#"{"error":""#))
            } else {
                #expect(answer.status == 200 && answer.isCut, "half an answer must not look whole")
            }
            #expect(endpoint.requestCount == 1, "a lie is no reason to ask again")
            try daemon.waitUntilIdle()
            let counted = try daemon.status().requests
            #expect(counted.failed == 1 && counted.completed == 0)
        }
    }

    // MARK: Within a stream

    struct Cut: Sendable, CustomStringConvertible {
        var description: String
        var path = "/api/chat"
        /// Sent behind the first item; then the connection ends.
        var bytes = ""
        var ending: String
    }

    static let cuts = [
        Cut(description: "killed between two lines", ending: #"{"error":""#),
        Cut(description: "killed within a chunk", bytes: "30\r\n{\"message\":{\"cont", ending: #"{"error":""#),
        Cut(description: "garbage for a chunk", bytes: "hello?\r\n", ending: #"{"error":""#),
        Cut(description: "killed between two events", path: "/v1/chat/completions", ending: #"data: {"error":{""#),
        Cut(description: "killed within an event", path: "/v1/chat/completions", bytes: "30\r\ndata: {\"choi", ending: #"data: {"error":{""#),
    ]

    /// The client gets all that came, then an error as its dialect has it, and an end by the framing's rules.
    @Test(arguments: cuts) func aStreamThatBreaksEndsWithAnErrorInItsDialect(_ cut: Cut) throws {
        let isNative = cut.path.hasPrefix("/api")
        let endpoint = try Self.endpoint { connection, _ in
            connection.startStream(isNative ? "application/x-ndjson" : "text/event-stream")
            connection.sendChunk(isNative ? Self.line : Self.event)
            connection.send(cut.bytes)
            connection.close()
        }
        try RunningDaemon.run([endpoint]) { daemon in
            let answer = try RawClient.post(port: daemon.port, cut.path, #"{"model":"m","stream":true}"#)
            #expect(answer.status == 200)
            #expect(!answer.isCut)
            #expect(answer.text.hasPrefix(isNative ? Self.line : Self.event))
            let separator = isNative ? "\n" : "\n\n"
            #expect(answer.text.hasSuffix(separator))
            let last = answer.text.dropLast(separator.count).components(separatedBy: separator).last ?? ""
            #expect(last.hasPrefix(cut.ending), "\(answer.text)")
            try daemon.waitUntilIdle()
            try #expect(daemon.status().requests.failed == 1)
        }
    }

    @Test func aStreamThatFallsSilentIsEnded() throws {
        let endpoint = try Self.endpoint { connection, _ in
            connection.startStream()
            connection.sendChunk(Self.line)
            connection.waitForPeerToLeave()
        }
        try RunningDaemon.run([endpoint], "idle_timeout: 300ms\n") { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.chat)
            #expect(answer.text.hasPrefix(Self.line + #"{"error":""#))
            #expect(!answer.isCut)
            try eventually("the endpoint is told") { endpoint.peersThatLeft == 1 }
        }
    }

    /// `request_timeout` ends what goes on for ever, however lively.
    @Test func anEndlessStreamIsEnded() throws {
        let endpoint = try Self.endpoint { connection, _ in
            connection.startStream()
            while connection.sendChunk(Self.line), connection.pause(0.02) {}
        }
        try RunningDaemon.run([endpoint], "request_timeout: 400ms\n") { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.chat)
            let last = answer.text.split(separator: "\n").last ?? ""
            #expect(last.hasPrefix(#"{"error":""#))
        }
    }

    /// An end of stream without `done:true` or `[DONE]` is a failure and is counted as one; its bytes pass all the same.
    @Test func aStreamThatOnlySeemsWholeIsCountedAsFailed() throws {
        let endpoint = try Self.endpoint { connection, request in
            let isNative = request.path.hasPrefix("/api")
            connection.startStream(isNative ? "application/x-ndjson" : "text/event-stream")
            connection.sendChunk(isNative ? Self.line : Self.event)
            connection.sendLastChunk()
        }
        try RunningDaemon.run([endpoint]) { daemon in
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).text == Self.line)
            try #expect(RawClient.post(port: daemon.port, "/v1/chat/completions", #"{"model":"m","stream":true}"#).text == Self.event)
            try daemon.waitUntilIdle()
            let counted = try daemon.status().requests
            #expect(counted.failed == 2 && counted.completed == 0)
        }
    }

    /// 4xx is the client's doing, 5xx the endpoint's.
    @Test func theEndpointsOwnErrorsAreCountedByWhoseTheyAre() throws {
        let endpoint = try Self.endpoint { connection, request in
            connection.answer(#"{"error":"no"}"#, status: request.string("prompt") ?? "500 Internal Server Error")
        }
        try RunningDaemon.run([endpoint]) { daemon in
            for status in ["400 Bad Request", "404 Not Found", "500 Internal Server Error"] {
                let answer = try RawClient.post(port: daemon.port, "/api/generate", #"{"model":"m","prompt":"\#(status)"}"#)
                #expect(answer.head.firstLine == "HTTP/1.1 \(status)")
            }
            try daemon.waitUntilIdle()
            let counted = try daemon.status().requests
            #expect(counted.completed == 2 && counted.failed == 1)
            try #expect(daemon.endpoint("only").state == "up", "an answer is a sign of life")
        }
    }

    /// An endpoint may refuse a request that it has not read to its end.
    @Test func anAnswerBeforeTheRequestsEndArrives() throws {
        let listener = try EarlyAnswer()
        defer { listener.stop() }
        try RunningDaemon.run("endpoints:\n  - http://127.0.0.1:\(listener.port)\n", up: 1) { daemon in
            let body = #"{"model":"m","prompt":""# + String(repeating: "x", count: 8_000_000) + #""}"#
            let answer = try RawClient.post(port: daemon.port, "/api/generate", body)
            #expect(answer.status == 413)
            #expect(answer.text == #"{"error":"early"}"#)
        }
    }
}

/// An endpoint that answers `POST` at once, without reading the body.
private final class EarlyAnswer: Sendable {
    let port: Int
    private let listener: TCPSocket

    init() throws {
        listener = try TCPSocket.listening()
        port = listener.localPort
        let listener = self.listener
        Thread.detachNewThread {
            while listener.isOpen {
                guard let accepted = try? listener.accept() else { continue }
                Thread.detachNewThread { Self.serve(accepted) }
            }
        }
    }

    func stop() { listener.close() }

    private static func serve(_ socket: TCPSocket) {
        while let bytes = try? socket.receive(until: Deadline(30)) {
            let text = String(decoding: bytes.prefix(40), as: UTF8.self)
            if text.hasPrefix("POST") {
                reply("413 Content Too Large", #"{"error":"early"}"#, on: socket)
                // Not closed: a reset could overtake the answer.
                while (try? socket.receive(until: Deadline(10))) != nil {}
                return
            }
            if text.hasPrefix("GET /api/version") { reply("200 OK", #"{"version":"0.1.0"}"#, on: socket) }
            if text.hasPrefix("GET /api/tags") {
                reply("200 OK", #"{"models":[{"name":"m:latest","model":"m:latest","size":1,"digest":"a"}]}"#, on: socket)
            }
            if text.hasPrefix("GET /api/ps") { reply("200 OK", #"{"models":[]}"#, on: socket) }
        }
    }

    private static func reply(_ status: String, _ body: String, on socket: TCPSocket) {
        try? socket.send(Array("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8))
    }
}
