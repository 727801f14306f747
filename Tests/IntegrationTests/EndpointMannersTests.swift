// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Endpoints that mean well and write HTTP otherwise than most: what their clients get, and whether the router can read it.
@Suite struct EndpointMannersTests {
    private static let chat = #"{"model":"m","stream":false,"messages":[{"role":"user","content":"x"}]}"#
    private static let answer =
        #"{"model":"m","message":{"role":"assistant","content":"hi"},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":4}"#
    /// The same, packed with gzip. Its length and first bytes are all that matters here.
    private static let packed: [UInt8] = [0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xab, 0x06, 0x00]

    private static func post(_ daemon: RunningDaemon, _ path: String, _ body: String, headers: [String] = []) throws -> RawResponse {
        var head = "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
        for header in headers { head += header + "\r\n" }
        return try RawClient.exchange(port: daemon.port, Array((head + "\r\n" + body).utf8), method: "POST", within: 20)
    }

    // MARK: Line feeds

    /// Breaks when such a head is waited for until `first_byte_timeout`, which is five minutes.
    @Test(arguments: ["\n", "\r\n"]) func aHeadWithBareLineFeedsIsRead(secondEnd: String) throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"]) { connection, _ in
            connection.send(
                "HTTP/1.1 200 OK\nContent-Type: application/json\(secondEnd)X-Own: 1\nContent-Length: \(Self.answer.utf8.count)\n\n\(Self.answer)")
        }
        try RunningDaemon.run([endpoint]) { daemon in
            for _ in 0..<2 {
                let answer = try Self.post(daemon, "/api/chat", Self.chat)
                #expect(answer.status == 200 && answer.text == Self.answer)
                #expect(answer.head["x-own"] == "1")
                #expect(!String(decoding: answer.head.raw, as: UTF8.self).replacingOccurrences(of: "\r\n", with: "").contains("\n"))
            }
            try eventually("counted") { try daemon.endpoint("only").tokensTotal == 8 }
        }
    }

    /// Where readers differ about a body's end, there is no leniency: the next answer could be anything.
    @Test func chunksWithBareLineFeedsFailAtOnce() throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"]) { connection, _ in
            connection.send("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\n{}\n0\n\n")
            connection.waitForPeerToLeave()
        }
        try RunningDaemon.run([endpoint]) { daemon in
            let began = Date()
            let answer = try? Self.post(daemon, "/api/chat", Self.chat)
            #expect(answer.map { $0.status == 502 || $0.isCut } ?? true, "\(answer?.text ?? "")")
            #expect(Date().timeIntervalSince(began) < 10)
        }
    }

    // MARK: Packed answers

    /// Breaks when the client's `Accept-Encoding` lets an endpoint pack an answer that the router must read.
    @Test(arguments: ["/api/chat", "/v1/chat/completions"]) func whatIsReadComesInPlain(path: String) throws {
        let endpoint = try FakeEndpoint("only", kind: .ollama, available: ["m"], loaded: ["m"]) { connection, request in
            let wish = request.head["accept-encoding"] ?? ""
            if wish.contains("gzip") {
                connection.send(
                    Array("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 13\r\n\r\n".utf8)
                        + Self.packed)
            } else {
                connection.answer(
                    path == "/api/chat"
                        ? Self.answer
                        : #"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#
                )
            }
        }
        try RunningDaemon.run([endpoint], "cache_enabled: true\n") { daemon in
            for _ in 0..<2 {
                #expect(try Self.post(daemon, path, Self.chat, headers: ["Accept-Encoding: gzip, br"]).text.contains("hi"))
                // Only what is kept can be found: a request that comes earlier follows the first one.
                try daemon.waitUntilIdle()
            }
            try eventually("counted") { try daemon.endpoint("only").tokensTotal == 4 }
            let hits = try daemon.status().cache.exactHits
            #expect(endpoint.requestCount == 1 && hits == 1, "kept")
        }
    }

    /// What an endpoint packs unasked is nobody's to unpack, and not to be taken for text.
    @Test func whatIsPackedAllTheSamePassesUnread() throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"]) { connection, _ in
            connection.send(
                Array("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 13\r\n\r\n".utf8) + Self.packed)
        }
        try RunningDaemon.run([endpoint], "cache_enabled: true\n") { daemon in
            for _ in 0..<2 {
                let answer = try Self.post(daemon, "/api/chat", Self.chat, headers: ["Accept-Encoding: gzip"])
                #expect(answer.body == Self.packed && answer.head["content-encoding"] == "gzip")
            }
            let status = try daemon.status()
            #expect(endpoint.requestCount == 2 && status.endpoints.first?.tokensTotal == 0 && status.cache.entries == 0)
        }
    }
}
