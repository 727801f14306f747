// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport

/// The exchanges that go to an endpoint directly and through the router.
enum ExchangeTable {
    static let model = "m1"

    private static func json(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static let plainBody = json(#"{"model":"m1","messages":[{"role":"user","content":"hi"}]}"#)

    // MARK: Routes

    private static let bodies: [(path: String, members: String)] = [
        ("/api/generate", #""prompt":"hi""#), ("/api/chat", #""messages":[{"role":"user","content":"hi"}]"#),
        ("/api/embed", #""input":["a","b"]"#), ("/api/embeddings", #""prompt":"a""#), ("/api/show", #""verbose":true"#),
        ("/v1/chat/completions", #""messages":[{"role":"user","content":"hi"}]"#), ("/v1/completions", #""prompt":"hi""#),
        ("/v1/embeddings", #""input":"a""#),
    ]

    /// Routes beyond those, by who speaks them, in the words that only the endpoint understands.
    private static let further: [(kinds: [FakeEndpoint.Kind], method: String, path: String, body: String)] = [
        ([.llamaServer], "POST", "/v1/responses", #"{"model":"m1","input":"x","stream":true}"#),
        ([.llamaServer], "POST", "/v1/messages", #"{"model":"m1","max_tokens":1,"messages":[],"stream":true}"#),
        ([.llamaServer], "POST", "/v1/messages/count_tokens", #"{"model":"m1","messages":[]}"#),
        ([.llamaServer, .openAI], "POST", "/v1/rerank", #"{"model":"m1","query":"a","documents":["b"],"top_n":1}"#),
        ([.llamaServer], "POST", "/tokenize", #"{"content":"x"}"#), ([.llamaServer], "POST", "/tokenize", #"{"model":"m1","content":"x"}"#),
        ([.llamaServer], "POST", "/detokenize", #"{"tokens":[1]}"#), ([.llamaServer], "POST", "/apply-template", #"{"messages":[]}"#),
        ([.llamaServer], "POST", "/infill", #"{"input_prefix":"a","input_suffix":"b"}"#), ([.llamaServer], "POST", "/completion", #"{"prompt":"x"}"#),
        ([.llamaServer], "GET", "/lora-adapters", ""), ([.llamaServer], "POST", "/slots/0?action=erase", ""),
        ([.llamaServer, .ollama, .openAI], "POST", "/v1/systemone", #"{"model":"m1","x":1}"#),
        ([.llamaServer, .ollama, .openAI], "POST", "/v1/some/new?route=1", #"{"model":"m1"}"#),
        ([.ollama], "POST", "/api/pull", #"{"model":"m1"}"#), ([.ollama], "POST", "/api/push", #"{"model":"m1","stream":false}"#),
        ([.ollama], "POST", "/api/create", #"{"model":"new","from":"m1","files":{}}"#),
        ([.ollama], "POST", "/api/copy", #"{"source":"m1","destination":"x"}"#), ([.ollama], "DELETE", "/api/delete", #"{"model":"m1"}"#),
        ([.ollama], "POST", "/api/me", ""), ([.ollama], "POST", "/api/signout", ""), ([.ollama], "DELETE", "/api/user/keys/abc", ""),
        ([.ollama], "POST", "/api/experimental/web_search", #"{"query":"x"}"#), ([.ollama], "GET", "/api/status", ""),
        ([.ollama], "POST", "/api/new-route", #"{"model":"m1"}"#),
    ]

    /// A form with a file, as speech goes to text.
    private static func transcription(_ kind: FakeEndpoint.Kind) -> Exchange {
        let file = String(repeating: "RIFF\u{1}", count: 5000)
        let form =
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n\(file)\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm1\r\n--b--\r\n"
        return Exchange(
            name: "speech of \(kind)", kind: kind, path: "/v1/audio/transcriptions", headers: ["Content-Type: multipart/form-data; boundary=b"],
            body: json(form))
    }

    /// Every native route, streamed and not, as a model server answers it.
    static func routes(_ kind: FakeEndpoint.Kind) -> [Exchange] {
        texts(kind) + [transcription(kind)]
            + further.enumerated().filter { $0.element.kinds.contains(kind) }.map { number, row in
                let body = "{\"own\":\"\(number)\"}"
                let answer = json("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
                return Exchange(
                    name: "\(row.method) \(row.path) of \(kind) (\(number))", kind: kind, method: row.method, path: row.path, body: json(row.body),
                    answer: [answer])
            }
    }

    private static func texts(_ kind: FakeEndpoint.Kind) -> [Exchange] {
        bodies.filter { kind == .ollama || $0.path.hasPrefix("/v1") }.flatMap { path, members in
            ["", #","stream":true"#, #","stream":false"#].map { stream in
                Exchange(
                    name: "\(path)\(stream) of \(kind)", kind: kind, path: path,
                    headers: ["Content-Type: application/json", "Authorization: Bearer of-the-client", "Accept: */*", "User-Agent: test/1"],
                    body: json(#"{"model":"m1",\#(members)\#(stream)}"#))
            }
        }
    }

    // MARK: Requests

    private static let oddBodies: [(name: String, text: String)] = [
        ("model last", #"{"messages":[],"stream":false,"model":"m1"}"#),
        ("an escaped key", #"{"\u006dodel":"m1","stream":false}"#),
        ("an escaped name", #"{"model":"\u006d1","stream":false}"#),
        ("keys in other letters", #"{"MODEL":"m1","Stream":false}"#),
        ("a key twice, the last one wins", #"{"model":"nowhere","model":"m1","stream":false}"#),
        ("both spellings, the last one wins", #"{"Model":"nowhere","model":"m1","stream":false}"#),
        ("a nested model", #"{"options":{"model":"nowhere","x":[{"model":"nowhere"}]},"model":"m1","stream":false}"#),
        ("a model within a text", #"{"prompt":"\"model\":\"nowhere\"","model":"m1","stream":false}"#),
        ("unicode and surrogate pairs", #"{"model":"m1","stream":false,"prompt":"\ud83d\ude00 ü 日本語 😀 \u0000"}"#),
        ("a lone surrogate", #"{"model":"m1","stream":false,"prompt":"\ud83d"}"#),
        ("large and odd numbers", #"{"model":"m1","stream":false,"a":1e400,"b":-0.0,"c":123456789012345678901234567890,"d":1E-5}"#),
        ("much white space", " \r\n\t{ \"model\" :\t\"m1\" ,\n\"stream\"\r\n: false } \n"),
        ("null members", #"{"model":"m1","stream":null,"options":null,"keep_alive":null}"#),
        ("deep nesting", #"{"model":"m1","stream":false,"x":"# + String(repeating: "[", count: 90) + String(repeating: "]", count: 90) + "}"),
        ("unknown members", #"{"model":"m1","stream":false,"":1,"🦙":{"a":[]},"think":"high","format":{"type":"object"}}"#),
        ("an empty text", #"{"model":"m1","prompt":"","stream":true}"#),
        // Ollama reads the first value and leaves the rest.
        ("bytes behind it", #"{"model":"m1","stream":false} {"model":"nowhere"} and more"#),
        ("escapes of every kind", #"{"model":"m1","stream":false,"prompt":"\"\\\/\b\f\n\r\t"}"#),
    ]

    static var requests: [Exchange] {
        var exchanges = oddBodies.map { Exchange(name: "body with \($0.name)", path: "/api/generate", body: json($0.text)) }
        exchanges.append(Exchange(name: "name for model", path: "/api/show", body: json(#"{"name":"m1","verbose":false}"#)))
        exchanges.append(Exchange(name: "a query", path: "/api/generate?a=b%20c&d&e=%F0%9F%A6%99", body: plainBody))
        exchanges.append(Exchange(name: "no content type", path: "/api/generate", headers: [], body: plainBody))
        exchanges.append(
            Exchange(
                name: "odd headers", path: "/api/generate",
                headers: [
                    "content-TYPE: text/plain", "X-Twice: 1", "x-twice: 2", "X-Empty:", "Cookie: a=b; c=d",
                    "X-Long: " + String(repeating: "y", count: 20_000),
                    "X-Utf8: \u{fc}ber", "Accept-Encoding: gzip, br", "Authorization: Basic Zm9v", "X-Forwarded-For: 10.0.0.1", "Via: 1.1 edge",
                    "TE: trailers", "Connection: X-Hop", "X-Hop: dropped",
                ], body: plainBody))
        exchanges.append(
            Exchange(
                name: "a wish for an encoding, of an answer that goes on unread", path: "/api/show",
                headers: ["Content-Type: application/json", "Accept-Encoding: gzip;q=0.5", "accept-encoding: br"], body: plainBody))
        exchanges.append(
            Exchange(
                name: "Expect: 100-continue", path: "/api/generate", headers: ["Content-Type: application/json", "Expect: 100-continue"],
                body: plainBody))
        exchanges.append(
            Exchange(
                name: "trailers of a request", path: "/api/generate", headers: ["Content-Type: application/json", "Trailer: X-Sum"], body: plainBody,
                chunks: [7], requestTrailers: ["X-Sum: abc"]))
        for size in [100, 1000, 16_383, 16_385, 65_537, 1_000_000, 20_000_000] {
            let body = padded(size)
            exchanges.append(Exchange(name: "a counted body of \(size)", path: "/api/generate", body: body))
            exchanges.append(
                Exchange(
                    name: "a chunked body of \(size)", path: "/api/generate", body: body, chunks: size < 2000 ? [1] : [1, 4096, 65_536, 300_000]))
        }
        return exchanges
    }

    /// A request of exactly so many bytes.
    private static func padded(_ size: Int) -> [UInt8] {
        let (start, end) = (json(#"{"stream":false,"prompt":""#), json(#"","model":"m1"}"#))
        return start + (0..<(size - start.count - end.count)).map { UInt8(ascii: "a") + UInt8($0 % 26) } + end
    }

    // MARK: Answers

    private static func exchange(_ name: String, _ head: String, _ pieces: [[UInt8]] = [], path: String = "/api/generate", closes: Bool = false)
        -> Exchange
    {
        Exchange(name: "answer: " + name, path: path, body: plainBody, answer: [Array(head.utf8)] + pieces, closes: closes)
    }

    private static let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    private static let stream = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
    private static let lines = json(#"{"response":"a","done":false}"# + "\n" + #"{"response":"","done":true,"eval_count":1}"# + "\n")

    static var answers: [Exchange] { statuses + shapes + sizes }

    private static var statuses: [Exchange] {
        let errors = [
            ("400 Bad Request", #"{"error":"invalid options: foo"}"#), ("401 Unauthorized", #"{"error":"no","signin_url":"https://x"}"#),
            ("404 Not Found", #"{"error":"model 'm1' not found"}"#), ("429 Too Many Requests", "slow down"), ("499 Odd", "request canceled"),
            ("500 Internal Server Error", "{not json"),
            ("503 Service Unavailable", #"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#),
            ("201 Created", "{}"), ("206 Partial Content", "x"), ("299 My Own Words, With Commas", "x"), ("400", "no reason"),
        ]
        return errors.map { status, body in
            exchange(
                status, "HTTP/1.1 \(status)\r\nContent-Type: text/x\r\nRetry-After: 7\r\nContent-Length: \(body.utf8.count)\r\n\r\n", [json(body)])
        } + [
            exchange("204", "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"), exchange("304", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"),
            exchange("100 and 103 before it", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 2\r\n\r\n{}"),
        ]
    }

    private static var shapes: [Exchange] {
        [
            exchange(
                "odd headers",
                ok
                    + "Set-Cookie: a=1\r\nset-cookie: b=2\r\nX-Empty:\r\nX-Spaces:  a  b\r\nX-Utf8: \u{fc}\r\nDate: never\r\nServer: me\r\nKeep-Alive: timeout=5\r\n"
                    + "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 2\r\n\r\n{}"),
            exchange("a stream of single bytes", stream, lines.map { FakeConnection.chunk([$0]) } + [json("0\r\n\r\n")]),
            exchange("a stream in one write", stream, [FakeConnection.chunk(lines) + json("0\r\n\r\n")]),
            exchange(
                "many chunks in one write", stream,
                [(0..<500).flatMap { FakeConnection.chunk(json("{\"n\":\($0),\"done\":false}\n")) } + FakeConnection.chunk(lines) + json("0\r\n\r\n")]
            ),
            exchange("chunks cut anywhere", stream, pieces(FakeConnection.chunk(lines) + json("0\r\n\r\n"), of: 3)),
            exchange(
                "chunk extensions", stream,
                [json("3;a=b\r\n{}\n\r\n4 ; c=\"d\"\r\n") + json("{} \n\r\n"), FakeConnection.chunk(lines) + json("0;x\r\n\r\n")]),
            exchange("trailers", stream, [FakeConnection.chunk(lines), json("0\r\nX-Sum: a\r\nx-sum: b\r\n\r\n")]),
            exchange(
                "a stream that ends with its connection", "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n", [lines], closes: true),
            exchange("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n", [json("{}")], closes: true),
            exchange("Connection: close", ok + "Connection: close\r\nContent-Length: 2\r\n\r\n", [json("{}")], closes: true),
            exchange("an encoded body", ok + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n", [[0x1f, 0x8b, 0x00]]),
            exchange("lines without their newline", stream, [FakeConnection.chunk(Array(lines.dropLast())) + json("0\r\n\r\n")]),
            exchange(
                "server-sent events with comments",
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n",
                [
                    FakeConnection.chunk(json(": ping\n\nid: 1\r\nevent: x\r\ndata: {\r\ndata: }\r\n\r\nretry: 5\n\ndata: [DONE]\n\n"))
                        + json("0\r\n\r\n")
                ],
                path: "/v1/chat/completions"),
        ]
    }

    private static var sizes: [Exchange] {
        [0, 1, 4095, 4096, 4097, 65_536, 1_000_000, 20_000_000].flatMap { size -> [Exchange] in
            let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            let chunks = stride(from: 0, to: size, by: 70_000).flatMap { FakeConnection.chunk(Array(body[$0..<min($0 + 70_000, size)])) }
            return [
                exchange("\(size) bytes, counted", ok + "Content-Length: \(size)\r\n\r\n", [body]),
                exchange("\(size) bytes, chunked", ok + "Transfer-Encoding: chunked\r\n\r\n", [chunks + json("0\r\n\r\n")]),
                exchange("\(size) bytes, until the connection ends", ok + "\r\n", [body], closes: true),
            ]
        }
    }

    private static func pieces(_ bytes: [UInt8], of size: Int) -> [[UInt8]] {
        stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
    }
}
