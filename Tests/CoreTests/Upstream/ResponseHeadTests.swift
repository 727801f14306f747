// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What the router must know of an answer's body before it passes. What breaks without these: tokens that nobody counts, or compressed
/// bytes that are taken for text and kept by the cache.
@Suite struct ResponseHeadTests {
    @Test(
        arguments: [
            ("Content-Type: application/x-ndjson", StreamFraming.newlineJSON, false),
            ("content-type:  application/x-ndjson; charset=utf-8", .newlineJSON, false),
            ("CONTENT-TYPE: text/event-stream", .serverSentEvents, false),
            ("Content-Type: application/json", nil, false),
            ("X-Content-Type: text/event-stream", nil, false),
            ("Server: x", nil, false),
            // The first one counts, as it does for clients.
            ("Content-Type: application/json\r\nContent-Type: text/event-stream", nil, false),
            ("Content-Encoding: gzip\r\nContent-Type: text/event-stream", .serverSentEvents, true),
            ("Content-Type: application/json\r\ncontent-encoding: br", nil, true),
            ("Content-Encoding: Identity", nil, false),
        ] as [(String, StreamFraming?, Bool)])
    func aHeadSaysHowItsBodyIsRead(fields: String, framing: StreamFraming?, isEncoded: Bool) throws {
        let head = try ResponseHead(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\(fields)\r\n\r\n"))
        #expect(head.streamFraming == framing)
        #expect(head.isEncoded == isEncoded)
    }
}
