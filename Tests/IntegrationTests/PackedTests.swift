// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Endpoints that compress their answers for whoever takes that, as many gateways do. What breaks without these: the router cannot read what passes, so
/// that tokens are not counted, nothing is kept, and translations fail.
@Suite struct PackedTests {
    /// Compresses where the request allows it.
    private static let packing: FakeEndpoint.Script = { connection, request in
        let accepted = request.head["accept-encoding"]?.lowercased() ?? ""
        guard accepted.contains("gzip") else {
            if request.streams { return stream(connection, request, packed: false) }
            connection.answer(request.wholeBody)
            return
        }
        if request.streams { return stream(connection, request, packed: true) }
        let body = Gzip.packed(Array(request.wholeBody.utf8))
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: \(body.count)\r\n\r\n"
        connection.send(Array(head.utf8) + body)
    }

    private static func stream(_ connection: FakeConnection, _ request: ReceivedRequest, packed: Bool) {
        let encoding = packed ? "Content-Encoding: gzip\r\n" : ""
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: \(request.streamType)\r\n\(encoding)Transfer-Encoding: chunked\r\n\r\n")
        let bytes = Array((request.item("one") + request.item("two") + request.lastItem).utf8)
        connection.send(FakeConnection.chunk(packed ? Gzip.packed(bytes) : bytes))
        connection.sendLastChunk()
    }

    /// As Python's and JavaScript's clients send it.
    private static let accepts = ["Accept-Encoding: gzip, deflate, br, zstd"]

    /// The answer as the client's library would show it.
    private static func plain(_ answer: RawResponse) throws -> String {
        switch answer.head["content-encoding"] {
        case nil, "identity": return answer.text
        case "gzip":
            let folder = try TemporaryFolder()
            try Data(answer.body).write(to: URL(fileURLWithPath: folder.path + "/a.gz"))
            return try ChildProcess.run("/bin/gzip", ["-dc", folder.path + "/a.gz"], within: 10).output
        case let other: throw TestFailure("encoded as \(other ?? "")")
        }
    }

    /// The fixture is what other programs take for gzip.
    @Test func theFixtureIsGzip() throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"], script: Self.packing)
        let answer = try RawClient.post(port: endpoint.port, "/api/chat", Chat.body(), headers: Self.accepts)
        #expect(answer.head["content-encoding"] == "gzip")
        try #expect(Self.plain(answer).contains("whole"))
    }

    @Test(arguments: FailoverTests.shapes) func tokensAreCounted(_ shape: FailoverTests.Shape) throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"], script: Self.packing)
        try RunningDaemon.run([endpoint]) { daemon in
            let answer = try RawClient.post(port: daemon.port, shape.path, Chat.body(stream: shape.streams), headers: Self.accepts)
            try #expect(Self.plain(answer).contains(shape.streams ? "two" : "whole"))
            try daemon.waitUntilIdle()
            try eventually("counted", within: 5) { try daemon.endpoint("only").tokensTotal > 0 }
        }
    }

    @Test(arguments: FailoverTests.shapes) func answersAreKept(_ shape: FailoverTests.Shape) throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"], script: Self.packing)
        try RunningDaemon.run([endpoint], "cache_enabled: true\n") { daemon in
            let body = Chat.body("kept", stream: shape.streams)
            let first = try Self.plain(RawClient.post(port: daemon.port, shape.path, body, headers: Self.accepts))
            try eventually("it is kept") { try daemon.status().cache.entries == 1 }
            let second = try RawClient.post(port: daemon.port, shape.path, body, headers: Self.accepts)
            #expect(second.head["x-cache"] == "hit", "\(second.head.fields)")
            try #expect(Self.plain(second).contains(shape.streams ? "two" : "whole") && first.contains(shape.streams ? "two" : "whole"))
            // Who cannot unpack gets it in plain.
            let third = try RawClient.post(port: daemon.port, shape.path, body)
            #expect(third.head["x-cache"] == "hit" && third.head["content-encoding"] == nil)
            #expect(endpoint.requestCount == 1)
        }
    }

    @Test(arguments: [true, false]) func answersAreTranslated(_ streams: Bool) throws {
        let service = try FakeEndpoint("service", kind: .openAI, available: ["m"], script: Self.packing)
        try RunningDaemon.run([service]) { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body(stream: streams), headers: Self.accepts)
            #expect(answer.status == 200)
            let text = try Self.plain(answer)
            #expect(text.contains(#""done":true"#) && text.contains(streams ? "two" : "whole"), "\(text)")
        }
    }

    /// Some compress whatever the request says. A client that takes it gets it as it came.
    @Test func whatComesPackedAllTheSameIsPassedOn() throws {
        let packed = Gzip.packed(Array(#"{"model":"m","message":{"role":"assistant","content":"whole"},"done":true,"eval_count":7}"#.utf8))
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"]) { connection, _ in
            connection.send(
                Array("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: \(packed.count)\r\n\r\n".utf8)
                    + packed)
        }
        try RunningDaemon.run([endpoint]) { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body(), headers: Self.accepts)
            #expect(answer.status == 200)
            try #expect(Self.plain(answer).contains("whole"))
        }
    }

    /// What the router does not read is none of its business: the client's wish goes on.
    @Test func whatIsNotReadMayBePacked() throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"]) { connection, request in
            let body = Gzip.packed(Array("speech".utf8))
            guard request.head["accept-encoding"]?.contains("gzip") == true else { return connection.answer("speech") ? () : () }
            connection.send(
                Array("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
        }
        try RunningDaemon.run([endpoint]) { daemon in
            let answer = try RawClient.get(port: daemon.port, "/other/page?endpoint=only", headers: Self.accepts)
            #expect(answer.status == 200)
            try #expect(Self.plain(answer) == "speech")
        }
    }
}
