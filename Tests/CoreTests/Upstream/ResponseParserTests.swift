// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import Testing

@testable import Core

/// What breaks without these: one answer's end is taken for another's beginning, or garbage for an answer.
@Suite struct ResponseParserTests {
    /// What an answer comes to, however its bytes were divided.
    struct Reading: Equatable {
        var status: Int?
        var body = ""
        var trailers: [String] = []
        var isWhole = false
        var left = ""
        var fault: String?
    }

    /// Reads the pieces as the connection's handler does.
    static func read(_ pieces: [some Collection<UInt8>], method: HTTPMethod = .POST, closes: Bool = false) -> Reading {
        var parser = ResponseParser()
        parser.expectAnswer(to: method)
        var reading = Reading()
        var buffer = ByteBuffer()
        do throws(ResponseFault) {
            for piece in pieces {
                buffer.writeBytes(piece)
                while !reading.isWhole, let part = try parser.next(&buffer) {
                    switch part {
                    case .head(let head): reading.status = head.status
                    case .chunk(let length, let payload):
                        reading.body += String(
                            decoding: buffer.readableBytesView.prefix(payload.upperBound).dropFirst(payload.lowerBound), as: UTF8.self)
                        buffer.moveReaderIndex(forwardBy: length)
                    case .fragment(let length): reading.body += buffer.readString(length: length) ?? ""
                    case .end(let trailers):
                        reading.trailers = trailers?.map { "\($0.name)=\($0.value)" } ?? []
                        reading.isWhole = true
                    }
                }
            }
            if closes, parser.connectionEnded() { reading.isWhole = true }
        } catch {
            reading.fault = error.reason
        }
        reading.left = String(buffer: buffer)
        return reading
    }

    struct Row: Sendable, CustomStringConvertible {
        var name: String
        var text: String
        var method: HTTPMethod = .POST
        var closes = false
        var reading: Reading
        var description: String { name }
    }

    static let good = "HTTP/1.1 200 OK\r\n"
    static let chunked = good + "Transfer-Encoding: chunked\r\n\r\n"

    static let rows: [Row] = [
        Row(name: "counted", text: good + "Content-Length: 5\r\n\r\nhello", reading: Reading(status: 200, body: "hello", isWhole: true)),
        Row(name: "counted, empty", text: good + "Content-Length: 0\r\n\r\n", reading: Reading(status: 200, isWhole: true)),
        Row(
            name: "the same length twice", text: good + "Content-Length: 1\r\ncontent-length:1\r\n\r\nx",
            reading: Reading(status: 200, body: "x", isWhole: true)),
        Row(name: "counted, cut", text: good + "Content-Length: 5\r\n\r\nhel", reading: Reading(status: 200, body: "hel")),
        Row(name: "chunked", text: chunked + "5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n", reading: Reading(status: 200, body: "hello!", isWhole: true)),
        Row(
            name: "sizes in either case, with zeros", text: chunked + "0A\r\n0123456789\r\n00a\r\n0123456789\r\n000\r\n\r\n",
            reading: Reading(status: 200, body: "01234567890123456789", isWhole: true)),
        Row(
            name: "trailers", text: chunked + "1\r\nx\r\n0\r\nX-A: b\r\nX-C:d\r\n\r\n",
            reading: Reading(status: 200, body: "x", trailers: ["X-A=b", "X-C=d"], isWhole: true)),
        Row(name: "chunked, cut within a chunk", text: chunked + "5\r\nhe", reading: Reading(status: 200, body: "he")),
        Row(name: "chunked, cut within a size", text: chunked + "5\r\nhello\r\n1", reading: Reading(status: 200, body: "hello", left: "1")),
        Row(
            name: "chunked in other letters", text: good + "TRANSFER-encoding: Chunked\r\n\r\n0\r\n\r\n", reading: Reading(status: 200, isWhole: true)
        ),
        Row(name: "until the connection ends", text: good + "\r\nhello", closes: true, reading: Reading(status: 200, body: "hello", isWhole: true)),
        Row(name: "HEAD", text: good + "Content-Length: 5\r\n\r\n", method: .HEAD, reading: Reading(status: 200, isWhole: true)),
        Row(name: "204", text: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", reading: Reading(status: 204, isWhole: true)),
        Row(name: "304", text: "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", reading: Reading(status: 304, isWhole: true)),
        Row(
            name: "100 and 103 first",
            text: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + good + "Content-Length: 0\r\n\r\n",
            reading: Reading(status: 200, isWhole: true)),
        Row(
            name: "bare line feeds", text: "HTTP/1.1 200 OK\nA: b\nContent-Length: 5\n\nhello",
            reading: Reading(status: 200, body: "hello", isWhole: true)),
        Row(
            name: "bare line feeds here and there", text: "HTTP/1.1 200 OK\nA: b\r\nContent-Length: 5\n\r\nhello",
            reading: Reading(status: 200, body: "hello", isWhole: true)),
        Row(
            name: "the first empty line is the end, a bare one too", text: good + "Content-Length: 8\r\n\nA: b\r\n\r\n",
            reading: Reading(status: 200, body: "A: b\r\n\r\n", isWhole: true)),
        Row(
            name: "100 and the answer, both with bare line feeds",
            text: "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\r\nx\r\n0\r\n\r\n",
            reading: Reading(status: 200, body: "x", isWhole: true)),
        Row(name: "no reason", text: "HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n", reading: Reading(status: 500, isWhole: true)),
        Row(
            name: "bytes behind it stay", text: good + "Content-Length: 1\r\n\r\nxHTTP",
            reading: Reading(status: 200, body: "x", isWhole: true, left: "HTTP")),
        Row(
            name: "an odd but legal header", text: good + "X-!#$%&'*+-.^_`|~: \u{e9}\t\"\r\nEmpty:\r\nContent-Length:0\r\n\r\n",
            reading: Reading(status: 200, isWhole: true)),
    ]

    @Test(arguments: rows) func anAnswerIsReadAsItsFramingSays(_ row: Row) {
        let bytes = Array(row.text.utf8)
        #expect(Self.read([bytes], method: row.method, closes: row.closes) == row.reading)
    }

    /// A read may end anywhere: between two bytes of a CRLF, within a size, within the head.
    @Test(arguments: rows) func everyDivisionIntoReadsMeansTheSame(_ row: Row) {
        let bytes = Array(row.text.utf8)
        for cut in 0...bytes.count {
            let reading = Self.read([bytes[..<cut], bytes[cut...]], method: row.method, closes: row.closes)
            #expect(reading == row.reading, "cut at \(cut)")
        }
        #expect(Self.read(bytes.map { CollectionOfOne($0) }, method: row.method, closes: row.closes) == row.reading)
    }

    static let faults: [(name: String, text: String, fault: String)] = [
        ("no HTTP", "I am no HTTP server\r\n\r\n", "no status line"),
        ("no HTTP, without an end", "SSH-2.0-OpenSSH_9.2", "no status line"),
        ("HTTP/2", "HTTP/2 200 OK\r\n\r\n", "no status line"),
        ("no code", "HTTP/1.1 OK okay\r\n\r\n", "no status code"),
        ("a long code", "HTTP/1.1 2000 OK\r\n\r\n", "no status code"),
        ("a code below 100", "HTTP/1.1 099 OK\r\n\r\n", "no status code"),
        ("101", "HTTP/1.1 101 Switching\r\n\r\n", "it changes to another protocol, unasked"),
        ("a carriage return alone at the end of a head's lines", "HTTP/1.1 200 OK\rA: b\r\r", "a control character in a header"),
        ("a line feed behind a chunk", chunked + "1\r\nx\n", "a chunk is longer than its size says"),
        ("a line feed for the end of trailers", chunked + "0\r\n\n", "a header line does not end with CRLF"),
        ("line feeds in trailers", chunked + "0\r\nA: b\n", "a header line does not end with CRLF"),
        (
            "bare line feeds, chunks with line feeds", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\nx\n0\n\n",
            "a chunk's size is not followed by CRLF"
        ),
        ("bare line feeds, a folded line", "HTTP/1.1 200 OK\nA: b\n c\n\n", "a header line without a name"),
        ("bare line feeds, two lengths", "HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 2\n\n", "two different Content-Lengths"),
        ("two carriage returns", "HTTP/1.1 200 OK\r\r\n\r\n", "a control character in the status line"),
        ("a blank before the colon", good + "A : b\r\n\r\n", "a header line without a name"),
        ("a folded line", good + "A: b\r\n c\r\n\r\n", "a header line without a name"),
        ("no colon", good + "abc\r\n\r\n", "a header line without a name"),
        ("a zero byte", good + "A: b\u{0}c\r\n\r\n", "a control character in a header"),
        ("a bare carriage return", good + "A: b\rc: d\r\n\r\n", "a control character in a header"),
        ("two lengths", good + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "two different Content-Lengths"),
        ("a signed length", good + "Content-Length: +1\r\n\r\n", "a Content-Length that is no number"),
        ("a list of lengths", good + "Content-Length: 1, 1\r\n\r\n", "a Content-Length that is no number"),
        ("an endless length", good + "Content-Length: 99999999999999999999\r\n\r\n", "a Content-Length that is no number"),
        ("length and chunks", good + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "both Content-Length and Transfer-Encoding"),
        ("gzip, chunked", good + "Transfer-Encoding: gzip, chunked\r\n\r\n", "a Transfer-Encoding other than chunked"),
        ("chunked twice", good + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "a Transfer-Encoding other than chunked"),
        ("no size", chunked + "xyz\r\n", "no chunk size where one must be"),
        ("a negative size", chunked + "-1\r\n", "no chunk size where one must be"),
        ("a huge size", chunked + "fffffffffffffffff\r\n", "a chunk's size of more than 15 digits"),
        ("a size with a bare line feed", chunked + "1\nx\r\n", "a chunk's size is not followed by CRLF"),
        ("a chunk that is too long", chunked + "1\r\nxy\r\n0\r\n\r\n", "a chunk is longer than its size says"),
        ("a trailer that is none", chunked + "0\r\nx\r\n\r\n", "a header line without a name"),
        ("a head without an end", good + "A: " + String(repeating: "x", count: 70_000), "a head of more than 65536 bytes"),
        ("a size line without an end", chunked + "1;" + String(repeating: "x", count: 5000), "a chunk extension of more than 4096 bytes"),
        ("trailers without an end", chunked + "0\r\nA: " + String(repeating: "x", count: 20_000), "trailers of more than 16384 bytes"),
    ]

    @Test(arguments: faults) func whatIsNoAnswerIsAFaultThatSaysWhy(_ row: (name: String, text: String, fault: String)) {
        #expect(Self.read([Array(row.text.utf8)]).fault == row.fault)
    }

    /// Breaks when a head goes on to the client with line ends that its reader may understand otherwise, or when the next request is sent
    /// where readers may differ about the answer before it.
    @Test func aHeadWithBareLineFeedsIsMendedAndItsConnectionIsNotUsedAgain() throws {
        for (text, keepsAlive) in [("HTTP/1.1 200 OK\nA: b\r\nC: d\n\n", false), ("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n", true)] {
            var parser = ResponseParser()
            parser.expectAnswer(to: .GET)
            var buffer = ByteBuffer(string: text)
            guard case .head(let head)? = try parser.next(&buffer) else {
                Issue.record("no head")
                return
            }
            var out = ByteBuffer()
            head.writeStatusLine(version: .http1_1, into: &out)
            head.writeFields(into: &out)
            #expect(String(buffer: out) == "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n")
            #expect(head.keepsAlive == keepsAlive)
        }
    }

    /// Breaks when a head that can have no end is waited for: each of these is a fault with the byte that makes it one.
    @Test(arguments: faults) func aFaultIsToldWithItsByte(_ row: (name: String, text: String, fault: String)) {
        let bytes = Array(row.text.utf8)
        let dripped = Self.read(bytes.map { CollectionOfOne($0) })
        #expect(dripped.fault != nil)
    }

    @Test func bytesThatNobodyAskedForAreAFault() {
        var parser = ResponseParser()
        var buffer = ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n")
        #expect(throws: ResponseFault(reason: "bytes that nobody asked for")) { try parser.next(&buffer) }
    }

    /// A chunk of either side of the limit goes another way; both must give the same body.
    @Test(arguments: [1, ResponseParser.wholeChunk - 1, ResponseParser.wholeChunk, ResponseParser.wholeChunk + 1, 100_000])
    func chunksOfAnySizeAreWhole(_ size: Int) {
        let body = String(repeating: "x", count: size)
        let text = Self.chunked + String(size, radix: 16) + "\r\n" + body + "\r\n0\r\n\r\n"
        #expect(Self.read([Array(text.utf8)]) == Reading(status: 200, body: body, isWhole: true))
    }

    /// Whatever comes: an end in finite time, and never a byte of framing in a body that a stricter reader would refuse.
    @Test func damagedAnswersAreReadTheSameHoweverTheyAreDivided() {
        var generator = SplitMix64(seed: 7)
        func random(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }
        let noise = Array("\r\n:;0aF \t\u{0}xHTTP/1.1".utf8)
        var faults = 0
        for round in 0..<3000 {
            var bytes = Array(Self.rows[random(Self.rows.count)].text.utf8)
            for _ in 0...random(3) where !bytes.isEmpty {
                let position = random(bytes.count)
                switch random(3) {
                case 0: bytes.remove(at: position)
                case 1: bytes.insert(noise[random(noise.count)], at: position)
                default: bytes[position] = noise[random(noise.count)]
                }
            }
            let whole = Self.read([bytes])
            let dripped = Self.read(bytes.map { CollectionOfOne($0) })
            if whole.fault != nil { faults += 1 }
            // Where a fault is found the rest is not read, so only the verdict must agree.
            #expect((whole.fault == nil) == (dripped.fault == nil) && whole.isWhole == dripped.isWhole, "round \(round): \(bytes)")
            if whole.fault == nil { #expect(whole == dripped, "round \(round)") }
        }
        #expect(faults > 300, "damage that does no harm tests nothing")
    }
}
