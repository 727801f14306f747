// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Bytes behind an answer must never become the next one's, which may be another client's.
@Suite struct UnaskedBytesTests {
    private static func body(_ number: Int) -> String { #"{"model":"m","prompt":"\#(number)","stream":false}"# }

    private static let extras = [
        "{\"n\":\"too long\"}", "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"n\":\"poison\"}", "\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
    ]

    /// Several requests over one client connection, which would all use one upstream connection.
    private static func askInTurn(_ daemon: RunningDaemon, _ between: (Int) throws -> Void = { _ in }) throws {
        let client = try daemon.client()
        for number in 0..<6 {
            try client.send(RawClient.request("POST", "/api/generate", body: body(number)))
            let answer = try client.readResponse()
            #expect(answer.text == "{\"n\":\(number)}")
            try between(number)
        }
        let counted = try daemon.waitUntilIdle().requests
        #expect(counted.completed == 6 && counted.failed == 0, "\(counted)")
    }

    /// In the same packet as the answer's end.
    @Test(arguments: extras) func bytesBehindAnAnswerSpoilItsConnection(_ extra: String) throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, request in
            let text = "{\"n\":\(request.string("prompt") ?? "")}"
            connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)\(extra)")
        }
        try RunningDaemon.run([endpoint]) { daemon in try Self.askInTurn(daemon) }
    }

    /// Behind a chunked answer, whose end is its last chunk.
    @Test(arguments: extras) func bytesBehindTheLastChunkSpoilItsConnection(_ extra: String) throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, request in
            let text = "{\"n\":\(request.string("prompt") ?? "")}"
            connection.startStream("application/json")
            connection.send(FakeConnection.chunk(Array(text.utf8)) + Array("0\r\n\r\n\(extra)".utf8))
        }
        try RunningDaemon.run([endpoint]) { daemon in try Self.askInTurn(daemon) }
    }

    /// Later, while the connection rests in the pool.
    @Test(arguments: extras) func bytesOnARestingConnectionSpoilIt(_ extra: String) throws {
        let answered = Gate()
        let left = Gate()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, request in
            connection.answer("{\"n\":\(request.string("prompt") ?? "")}")
            answered.pass()
            connection.send(extra)
            connection.waitForPeerToLeave()
            left.open()
        }
        try RunningDaemon.run([endpoint]) { daemon in
            try Self.askInTurn(daemon) { number in
                answered.open()
                #expect(left.pass(), "the connection of answer \(number) is closed")
            }
        }
    }
}
