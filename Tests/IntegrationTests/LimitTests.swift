// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Each limit has a number, and whoever meets it is told so.
@Suite struct LimitTests {
    private static func fleet() throws -> [FakeEndpoint] { [try FakeEndpoint(available: ["m"], loaded: ["m"])] }

    /// Sends what may be more than is read, and shows the answer.
    private static func answer(_ daemon: RunningDaemon, _ bytes: [UInt8]) throws -> RawResponse {
        let client = try daemon.client()
        // A refused body may end in a broken pipe; what counts is that the answer arrives all the same.
        try? client.send(bytes)
        return try client.readResponse()
    }

    @Test func aHeadAboveItsLimitIsRefused() throws {
        try RunningDaemon.run(Self.fleet(), "max_header_bytes: 4KiB\n") { daemon in
            let long = String(repeating: "x", count: 5000)
            let byField = try Self.answer(daemon, RawClient.request("GET", "/api/tags", headers: ["X-Long: \(long)"]))
            let byTarget = try Self.answer(daemon, RawClient.request("GET", "/api/tags?\(long)"))
            let byCount = try Self.answer(daemon, RawClient.request("GET", "/api/tags", headers: (0..<500).map { "X-\($0): 1234567890" }))
            for answer in [byField, byTarget, byCount] {
                #expect(answer.status == 431)
                #expect(answer.text.contains("4096"), "\(answer.text)")
            }
            try #expect(RawClient.get(port: daemon.port, "/api/tags?" + String(repeating: "x", count: 3000)).status == 200)
        }
    }

    @Test func aBodyAboveItsLimitIsRefusedHoweverItIsFramed() throws {
        let fleet = try Self.fleet()
        try RunningDaemon.run(fleet, "max_body_bytes: 100KiB\n") { daemon in
            let body = #"{"model":"m","prompt":""# + String(repeating: "x", count: 200_000) + #""}"#
            let counted = try Self.answer(daemon, RawClient.request("POST", "/api/generate", body: body))
            let head = "POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            let chunked = try Self.answer(daemon, Array(head.utf8) + FakeConnection.chunk(Array(body.utf8)) + Array("0\r\n\r\n".utf8))
            #expect(counted.status == 413 && chunked.status == 413)
            #expect(counted.text.hasPrefix(#"{"error":""#) && chunked.text.hasPrefix(#"{"error":{"#))
            #expect(counted.text.contains("102400"))
            #expect(fleet[0].requestCount == 0)
        }
    }

    @Test func aSlowHeadIsNotWaitedFor() throws {
        try RunningDaemon.run(Self.fleet(), "header_timeout: 300ms\n") { daemon in
            let client = try daemon.client()
            try client.send("GET /api/tags HTTP/1.1\r\nHost: x\r\nX-A")
            try #expect(client.readResponse().status == 408)
            #expect(client.isClosed())
            // A connection that never says anything is closed without an answer, which nobody asked for.
            let silent = try daemon.client()
            #expect(silent.isClosed(within: 10))
        }
    }

    @Test func aSlowBodyIsNotWaitedFor() throws {
        let fleet = try Self.fleet()
        try RunningDaemon.run(fleet, "body_timeout: 300ms\n") { daemon in
            let client = try daemon.client()
            try client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            let answer = try client.readResponse()
            #expect(answer.status == 408)
            #expect(answer.text.hasPrefix(#"{"error":{"#))
            #expect(client.isClosed())
            #expect(fleet[0].requestCount == 0)
        }
    }

    @Test func anIdleConnectionIsClosed() throws {
        try RunningDaemon.run(Self.fleet(), "keepalive_timeout: 300ms\n") { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("GET", "/"))
            try #expect(client.readResponse(method: "GET").status == 200)
            #expect(client.isClosed(within: 10))
        }
    }

    @Test func aConnectionTooManyIsToldSo() throws {
        try RunningDaemon.run(Self.fleet(), "max_connections: 3\n") { daemon in
            let kept = try (0..<3).map { _ in try daemon.client() }
            for client in kept {
                try client.send(RawClient.request("GET", "/"))
                try #expect(client.readResponse(method: "GET").status == 200)
            }
            let refused = try RawClient.get(port: daemon.port, "/")
            #expect(refused.status == 503)
            #expect(refused.text.contains("3"))
            kept[0].close()
            try eventually("room again") { (try? RawClient.get(port: daemon.port, "/").status) == 200 }
        }
    }

    // MARK: Bad requests

    struct Bad: Sendable, CustomStringConvertible {
        var description: String
        var bytes: String
        var status = 400
        /// What the message must hold.
        var says: String
    }

    private static func post(_ path: String, _ body: String, _ headers: String = "") -> String {
        "POST \(path) HTTP/1.1\r\nHost: x\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    static let bad = [
        Bad(description: "an empty body", bytes: post("/api/chat", ""), says: "missing request body"),
        Bad(description: "no JSON", bytes: post("/api/chat", "hello"), says: "byte"),
        Bad(description: "JSON cut short", bytes: post("/api/chat", #"{"model":"m","#), says: "byte"),
        Bad(description: "a list", bytes: post("/api/chat", "[1]"), says: "byte"),
        Bad(description: "a number for a model", bytes: post("/v1/chat/completions", #"{"model":1}"#), says: "model"),
        Bad(description: "no model", bytes: post("/api/chat", #"{"messages":[]}"#), says: "model is required"),
        Bad(description: "zstd", bytes: post("/v1/chat/completions", "x", "Content-Encoding: zstd\r\n"), status: 415, says: "zstd"),
        Bad(
            description: "length and chunks",
            bytes: "POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            says: "not an HTTP/1.1 request: "),
        Bad(
            description: "two lengths", bytes: "POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            says: "not an HTTP/1.1 request: "),
        Bad(
            description: "a bad chunk size", bytes: "POST /api/chat HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            says: "not an HTTP/1.1 request: "),
        Bad(description: "no HTTP", bytes: "hello\r\n\r\n", says: "not an HTTP/1.1 request: "),
        Bad(description: "a header without a name", bytes: "GET / HTTP/1.1\r\n: x\r\n\r\n", says: "not an HTTP/1.1 request: "),
    ]

    /// What cannot be understood is refused with a reason, and no endpoint ever sees it.
    @Test(arguments: bad) func aBadRequestIsRefusedWithAReason(_ bad: Bad) throws {
        let fleet = try Self.fleet()
        try RunningDaemon.run(fleet) { daemon in
            let answer = try Self.answer(daemon, Array(bad.bytes.utf8))
            #expect(answer.status == bad.status, "\(answer.text)")
            #expect(answer.text.hasPrefix(#"{"error":"#))
            #expect(answer.text.contains(bad.says), "\(answer.text)")
            #expect(fleet[0].requestCount == 0)
        }
    }
}
