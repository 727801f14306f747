// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport

/// One request and what the endpoint answers to it, both to the byte.
struct Exchange: Sendable {
    var name: String
    var kind: FakeEndpoint.Kind = .ollama
    var method = "POST"
    var path: String
    var headers: [String] = ["Content-Type: application/json"]
    var body: [UInt8]
    /// Sizes of the request's chunks; nil for a counted body.
    var chunks: [Int]?
    var requestTrailers: [String] = []
    /// Pieces as they are written to the socket; nil for the fake's own model server.
    var answer: [[UInt8]]?
    /// The answer's end is the connection's.
    var closes = false

    /// The router reads the answer on its way, and asks for it in plain.
    var answerIsRead: Bool { !["/api/show", "/tokenize", "/v1/audio/transcriptions"].contains(path) }

    /// The request's bytes, with its number, by which the fake finds the exchange again.
    func request(number: Int) -> [UInt8] {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: anywhere\r\nX-Exchange: \(number)\r\n"
        for header in headers { head += header + "\r\n" }
        guard let chunks else { return Array((head + "Content-Length: \(body.count)\r\n\r\n").utf8) + body }
        head += "Transfer-Encoding: chunked\r\n\r\n"
        var bytes = Array(head.utf8)
        var position = 0
        var turn = 0
        while position < body.count {
            let size = min(chunks[turn % chunks.count], body.count - position)
            bytes += FakeConnection.chunk(Array(body[position..<position + size]))
            position += size
            turn += 1
        }
        bytes += Array("0\r\n".utf8)
        for trailer in requestTrailers { bytes += Array((trailer + "\r\n").utf8) }
        return bytes + [13, 10]
    }
}

/// Fields that are about one hop (RFC 9110, section 7.6.1), or say how the body is delimited on it.
private let hopByHop: Set<String> = [
    "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "content-length",
    // The router asks for no leave to send a body, and names the endpoint by its own address.
    "expect", "host",
]

/// A message as both ends of the path must see it: all but the hops' own.
struct EndToEnd: Equatable, CustomStringConvertible {
    var firstLine: String
    var fields: [MessageHead.Field]
    /// What the hop's framing fields say, which may stand elsewhere among the others.
    var contentLength: String?
    var body: [UInt8]
    var trailers: [String]
    var isCut = false

    init(_ answer: RawResponse) {
        firstLine = answer.head.firstLine
        fields = answer.head.fields.filter { !hopByHop.contains($0.name.lowercased()) }
        contentLength = answer.head["content-length"]
        body = answer.body
        trailers = answer.trailers
        isCut = answer.isCut
    }

    init(_ request: ReceivedRequest) {
        firstLine = request.head.firstLine
        fields = request.head.fields.filter { !hopByHop.contains($0.name.lowercased()) }
        contentLength = request.head["content-length"]
        body = request.body
        trailers = request.trailers
    }

    var description: String {
        let shown = body.count > 300 ? "\(body.count) bytes" : String(decoding: body, as: UTF8.self)
        return "\(firstLine) \(fields) length=\(contentLength ?? "none") trailers=\(trailers) cut=\(isCut) \(shown)"
    }
}
