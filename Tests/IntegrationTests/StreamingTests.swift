// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import NIOConcurrencyHelpers
import TestSupport
import Testing

/// What streams must not lose on their way: their pace, their bounds, their order.
@Suite struct StreamingTests {
    private static let chat = #"{"model":"m","messages":[]}"#
    private static func line(_ number: Int) -> String { "{\"message\":{\"content\":\"\(number)\"},\"done\":false}\n" }
    private static let end = #"{"done":true,"eval_count":1}"# + "\n"

    /// Each item reaches the client before the endpoint makes the next one: nothing collects.
    @Test(arguments: ["HTTP/1.1", "HTTP/1.0"]) func eachItemArrivesAtOnce(_ version: String) throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, _ in
            connection.startStream()
            for number in 0..<5 {
                guard gate.pass() else { return connection.close() }
                connection.sendChunk(Self.line(number))
            }
            gate.pass()
            connection.sendChunk(Self.end)
            connection.sendLastChunk()
        }
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Self.chat, version: version))
            // The head does not wait for the first item either.
            let head = try client.readHead()
            #expect(head.status == 200)
            for number in 0..<5 {
                gate.open()
                try #expect(client.read(until: Self.line(number)) == Self.line(number))
            }
            gate.open()
            try #expect(client.read(until: Self.end) == Self.end)
        }
    }

    /// A slow client slows its endpoint, and the daemon keeps no more than its buffers.
    @Test func aSlowClientHoldsItsEndpointBack() throws {
        let total = 200_000_000
        let sent = NIOLockedValueBox(0)
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, _ in
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let piece = [UInt8](repeating: 0x61, count: 1_000_000)
            for _ in 0..<(total / piece.count) {
                guard connection.send(piece) else { return }
                sent.withLockedValue { $0 += piece.count }
            }
        }
        endpoint.keepNoRequests()
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client(receiveBuffer: 65_536)
            try client.send(RawClient.request("POST", "/api/chat", body: Self.chat))
            _ = try client.readHead()
            // Until the endpoint stands still: the same count twice, half a second apart.
            var before = -1
            try eventually("the endpoint is held back", within: 30) {
                let now = sent.withLockedValue { $0 }
                defer { before = now }
                if now == before, now > 0 { return true }
                usleep(500_000)
                return false
            }
            let held = sent.withLockedValue { $0 }
            #expect(held < 40_000_000, "the kernel's buffers and ours, not the answer: \(held)")
            try #expect(daemon.residentBytes() < 120_000_000)
            var received = 0
            while let bytes = try client.readSome(until: Deadline(60)) { received += bytes.count }
            #expect(received == total)
        }
    }

    /// HTTP/1.1: as many requests as the client likes on one connection, each answered in its turn.
    @Test func pipelinedRequestsAreAnsweredInOrder() throws {
        let slow = Gate()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, request in
            let number = request.string("prompt") ?? ""
            // The first answer is the slowest: the others must not overtake it.
            if number == "0" { slow.pass() }
            connection.answer("{\"n\":\(number)}")
        }
        try RunningDaemon.run([endpoint], limit: 8) { daemon in
            let client = try daemon.client()
            var requests: [UInt8] = []
            for number in 0..<20 {
                requests += RawClient.request("POST", "/api/generate", body: #"{"model":"m","prompt":"\#(number)","stream":false}"#)
            }
            try client.send(requests + RawClient.request("GET", "/"))
            try eventually("the first has arrived") { endpoint.requestCount == 1 }
            slow.open()
            for number in 0..<20 {
                let answer = try client.readResponse()
                #expect(answer.text == "{\"n\":\(number)}")
            }
            try #expect(client.readResponse(method: "GET").text == "Ollama is running")
        }
    }

    @Test func aConnectionIsKeptOrEndedAsTheClientSays() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], server: FakeModelServer(tokens: 1))
        try RunningDaemon.run([endpoint]) { daemon in
            func ends(_ headers: [String], _ version: String, body: String = Self.chat) throws -> Bool {
                let client = try daemon.client()
                try client.send(RawClient.request("POST", "/api/chat", body: body, headers: headers, version: version))
                let answer = try client.readResponse()
                #expect(answer.status == 200 && !answer.isCut)
                try? client.send(RawClient.request("HEAD", "/", version: version))
                return (try? client.readHead(method: "HEAD", until: Deadline(5))) == nil
            }
            try #expect(!ends([], "HTTP/1.1"))
            try #expect(ends(["Connection: close"], "HTTP/1.1"))
            try #expect(ends([], "HTTP/1.0"))
            try #expect(!ends(["Connection: keep-alive"], "HTTP/1.0", body: #"{"model":"m","messages":[],"stream":false}"#))
        }
    }

    /// curl sends `Expect` with bodies above a megabyte and waits for a second if nobody answers.
    @Test func aClientThatAsksMayGoOn() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint], "nomyo-router-api-key: k\n") { daemon in
            let body = #"{"model":"m","prompt":"hi","stream":false}"#
            let head = "POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\nExpect: 100-continue\r\n"
            let client = try daemon.client()
            try client.send(head + "Authorization: Bearer k\r\n\r\n")
            let interim = try client.readHead()
            #expect(interim.firstLine == "HTTP/1.1 100 Continue")
            try client.send(body)
            try #expect(client.readResponse().status == 200)
            // Who will be refused is told before the body, not after it.
            let stranger = try daemon.client()
            try stranger.send(head + "\r\n")
            try #expect(stranger.readHead().status == 401)
        }
    }

    /// A large body to an endpoint that reads slowly: nothing is lost, and the connection is not taken for a dead one.
    @Test func aLargeBodyArrivesWhole() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, request in
            connection.answer("{\"bytes\":\(request.body.count)}")
        }
        try RunningDaemon.run([endpoint]) { daemon in
            let body = #"{"model":"m","prompt":""# + String(repeating: "x", count: 50_000_000) + #""}"#
            let answer = try RawClient.post(port: daemon.port, "/api/generate", body, within: 60)
            #expect(answer.text == "{\"bytes\":\(body.utf8.count)}")
        }
    }

    @Test func headIsAnsweredWithoutABody() throws {
        let endpoint = try FakeEndpoint(available: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            for path in ["/", "/api/version", "/api/tags"] {
                let client = try daemon.client()
                try client.send(RawClient.request("HEAD", path) + RawClient.request("GET", path))
                let head = try client.readResponse(method: "HEAD")
                let get = try client.readResponse(method: "GET")
                #expect(head.status == 200 && head.body.isEmpty)
                #expect(head.head["content-length"] == get.head["content-length"])
                #expect(!get.body.isEmpty)
            }
        }
    }

    /// Tokens are counted from what passes, and shown.
    @Test func theTokensOfAStreamAreCountedAndShown() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, _ in
            connection.startStream()
            for number in 0..<3 { connection.sendChunk(Self.line(number)) }
            gate.pass()
            connection.sendChunk(Self.end)
            connection.sendLastChunk()
        }
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Self.chat))
            _ = try client.readHead()
            _ = try client.read(until: Self.line(2))
            let shown = try eventualValue("the request in flight") { try daemon.control().requests().requests.first { $0.phase == .streaming } }
            #expect(shown.model == "m" && shown.endpoint == "fake" && shown.tokens == 3)
            gate.open()
            _ = try client.read(until: Self.end)
        }
    }
}
