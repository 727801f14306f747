// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import Testing

@testable import Core

/// What breaks without these: a hop-by-hop field reaches the other side, a key reaches a stranger, a field is lost.
@Suite struct ForwardedHeadersTests {
    static func endpoint(key: String? = nil, basePath: String = "") -> Endpoint {
        Endpoint(
            id: EndpointID(1), name: "gpu1",
            address: EndpointAddress(host: "10.0.0.1", port: 11434, basePath: basePath, url: "http://10.0.0.1:11434"),
            kind: .ollama, limit: 2, key: key.map { Secret($0) })
    }

    static func request(
        _ headers: HTTPHeaders, key: String? = nil, drops: Bool = false, basePath: String = "", answer: ForwardedHeaders.AnswerUse = .passedOn
    ) -> String {
        var buffer = ByteBuffer()
        ForwardedHeaders.writeRequest(
            HTTPRequestHead(version: .http1_1, method: .POST, uri: "/api/chat", headers: headers), path: "/api/chat?x=1",
            endpoint: SharedEndpoint(endpoint(key: key, basePath: basePath)), framing: .counted(5), dropsAuthorization: drops, answer: answer,
            into: &buffer)
        return String(buffer: buffer)
    }

    @Test func allButTheHopsOwnFieldsPassInTheirOrderAndSpelling() {
        let text = Self.request([
            "host": "router", "X-b": "2", "x-A": "1", "Connection": "keep-alive, X-Private", "X-Private": "no", "Keep-Alive": "timeout=5",
            "TE": "trailers", "Upgrade": "h2c", "Proxy-Authorization": "no", "Content-Length": "99", "Expect": "100-continue", "Accept": "*/*",
        ])
        #expect(
            text == "POST /api/chat?x=1 HTTP/1.1\r\nHost: 10.0.0.1:11434\r\nX-b: 2\r\nx-A: 1\r\nAccept: */*\r\nContent-Length: 5\r\n\r\n")
    }

    /// Breaks when an endpoint packs what the router reads: its tokens are not counted, and it is never kept.
    @Test func answersThatAreReadAreAskedForInPlain() {
        let wish: HTTPHeaders = ["A": "1", "accept-encoding": "gzip, br", "Accept-Encoding": "zstd", "Content-Type": "text/x"]
        #expect(Self.request(wish).contains("accept-encoding: gzip, br\r\nAccept-Encoding: zstd\r\n"))
        let read = Self.request(wish, answer: .read)
        #expect(read.contains("A: 1\r\nContent-Type: text/x\r\nAccept-Encoding: identity\r\n") && !read.contains("gzip") && !read.contains("zstd"))
        let translated = Self.request(wish, answer: .translated)
        #expect(translated.contains("A: 1\r\nAccept-Encoding: identity\r\nContent-Type: application/json\r\n"))
        #expect(!Self.request(["A": "1"], answer: .read).lowercased().contains("accept-encoding"))
    }

    @Test func theBasePathGoesBeforeThePath() {
        #expect(Self.request([:], basePath: "/ollama").hasPrefix("POST /ollama/api/chat?x=1 HTTP/1.1\r\n"))
    }

    @Test func theRoutersKeyStaysHere() {
        #expect(!Self.request(["Authorization": "Bearer router-key"], drops: true).contains("router-key"))
    }

    @Test func anEndpointsKeyReplacesTheClients() {
        let text = Self.request(["Authorization": "Bearer client"], key: "endpoint")
        #expect(text.contains("Authorization: Bearer endpoint\r\n"))
        #expect(!text.contains("client"))
    }

    @Test func withoutKeysTheClientsOwnPasses() {
        #expect(Self.request(["Authorization": "Bearer client"]).contains("Authorization: Bearer client\r\n"))
    }

    static func answer(_ head: String, framing: ForwardedHeaders.Framing = .chunked, version: HTTPVersion = .http1_1, closes: Bool = false) throws
        -> String
    {
        var buffer = ByteBuffer()
        AnswerHead(source: .endpoint(try ResponseHead(ByteBuffer(string: head))), framing: framing)
            .write(version: version, closes: closes, into: &buffer)
        return String(buffer: buffer)
    }

    @Test func anAnswerKeepsItsFieldsAndLosesTheHops() throws {
        let text = try Self.answer(
            "HTTP/1.1 299 Odd\r\nX-Y:  z \r\nTransfer-Encoding: chunked\r\nConnection: close, X-Hop\r\nSet-Cookie: a\r\nset-cookie: b\r\n"
                + "x-hop: 1\r\nKeep-Alive: timeout=5\r\nTrailer: X-T\r\nEmpty:\r\n\r\n")
        #expect(
            text == "HTTP/1.1 299 Odd\r\nX-Y:  z \r\nSet-Cookie: a\r\nset-cookie: b\r\nTrailer: X-T\r\nEmpty:\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    @Test func theStatusLineIsTheEndpointsInTheClientsVersion() throws {
        let plain = try Self.answer("HTTP/1.0 200 Fine\r\n\r\n", framing: .none, closes: true)
        let old = try Self.answer("HTTP/1.1 404\r\n\r\n", framing: .counted(3), version: .http1_0)
        #expect(plain == "HTTP/1.1 200 Fine\r\nConnection: close\r\n\r\n")
        #expect(old == "HTTP/1.0 404 \r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n")
    }

    @Test(arguments: [(1, "1"), (9, "9"), (10, "a"), (15, "f"), (16, "10"), (255, "ff"), (256, "100"), (65535, "ffff"), (20_000_000, "1312d00")])
    func chunkSizesAreHexadecimal(_ length: Int, _ text: String) {
        var buffer = ByteBuffer()
        ResponseSerializer.writeChunkSize(length, into: &buffer)
        #expect(String(buffer: buffer) == text + "\r\n")
    }
}
