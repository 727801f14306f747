// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Core

/// What breaks without these: an answer that never ends, a connection that is used twice at once, a client told nothing.
@Suite struct UpstreamHandlerTests {
    /// Writes down what it is told.
    final class Recorder: UpstreamDelegate {
        var log: [String] = []

        func upstreamSentHead(_ head: ResponseHead) { log.append("head \(head.status)") }
        func upstreamSentChunk(_ framed: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
            log.append("chunk \(String(decoding: payload, as: UTF8.self))")
        }
        func upstreamSentBody(_ bytes: ByteBuffer) { log.append("body \(String(buffer: bytes))") }
        func upstreamReadCompleted() {}
        func upstreamEnded(trailers: HTTPHeaders?) { log.append("end" + (trailers.map { " \($0.first(name: "x-t") ?? "")" } ?? "")) }
        func upstreamFailed(_ failure: UpstreamFailure) {
            log.append("failed nothing=\(failure.nothingCameBack) reused=\(failure.connectionWasReused)")
        }
    }

    struct Connection {
        let channel = EmbeddedChannel()
        let pool = UpstreamPool(idleTimeout: .seconds(60), idleLimit: 2)
        let recorder = Recorder()
        let handler: UpstreamHandler

        init() throws {
            handler = UpstreamHandler(endpoint: EndpointID(1), pool: pool)
            let operations = channel.pipeline.syncOperations
            try operations.addHandler(handler)
            channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        }

        func send(_ method: HTTPMethod = .POST, body: String? = nil) {
            handler.send(
                method: method, head: ByteBuffer(string: "HEAD\r\n\r\n"), body: body.map { ByteBuffer(string: $0) }, tail: nil, delegate: recorder)
        }

        func receive(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

        func sent() throws -> String {
            var text = ""
            while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
            return text
        }
    }

    @Test func aRequestGoesOutAsItsBytesAndTheAnswerComesInParts() throws {
        let connection = try Connection()
        connection.send(body: "BODY")
        let sent = try connection.sent()
        try connection.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        try connection.receive("0\r\nX-T: t\r\n\r\n")
        #expect(sent == "HEAD\r\n\r\nBODY")
        #expect(connection.recorder.log == ["head 200", "chunk abc", "end t"])
        #expect(connection.pool.take(EndpointID(1)) === connection.handler)
    }

    @Test func anAnswerToHeadHasNoBody() throws {
        let connection = try Connection()
        connection.send(.HEAD)
        try connection.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        #expect(connection.recorder.log == ["head 200", "end"])
    }

    @Test func aConnectionThatTheEndpointEndsIsNotKept() throws {
        let connection = try Connection()
        connection.send()
        try connection.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        #expect(connection.recorder.log == ["head 200", "end"])
        #expect(connection.pool.take(EndpointID(1)) == nil)
        #expect(!connection.channel.isActive)
    }

    @Test func garbageIsAFailureAndNeverASecondTry() throws {
        let connection = try Connection()
        connection.send()
        try? connection.receive("I am no HTTP server\r\n\r\n")
        #expect(connection.recorder.log == ["failed nothing=false reused=false"])
    }

    /// Taken for the next request's answer, they would give one client what was meant for nobody.
    @Test func bytesBehindAnAnswerEndTheConnection() throws {
        let connection = try Connection()
        connection.send()
        try connection.receive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n")
        #expect(connection.recorder.log == ["head 200", "body ok", "end"])
        #expect(connection.pool.take(EndpointID(1)) == nil)
        #expect(!connection.channel.isActive)
    }

    @Test func bytesOnAnIdleConnectionEndIt() throws {
        let connection = try Connection()
        connection.send()
        try connection.receive("HTTP/1.1 204 No Content\r\n\r\n")
        try? connection.receive("HTTP/1.1 408 Request Timeout\r\n\r\n")
        #expect(connection.recorder.log == ["head 204", "end"])
        #expect(connection.pool.take(EndpointID(1)) == nil)
        #expect(!connection.channel.isActive)
    }

    @Test func anAnswerWithoutALengthEndsWithItsConnection() throws {
        let connection = try Connection()
        connection.send()
        try connection.receive("HTTP/1.1 200 OK\r\n\r\nab")
        connection.channel.pipeline.fireChannelInactive()
        #expect(connection.recorder.log == ["head 200", "body ab", "end"])
        #expect(connection.pool.take(EndpointID(1)) == nil)
    }

    @Test func aHeadInPiecesIsOneHead() throws {
        let connection = try Connection()
        connection.send()
        for byte in "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx" { try connection.receive(String(byte)) }
        #expect(connection.recorder.log == ["head 200", "body x", "end"])
    }

    @Test func aLostConnectionTellsWhatHadComeBack() throws {
        let before = try Connection()
        before.send()
        before.channel.pipeline.fireChannelInactive()
        let after = try Connection()
        after.send()
        try after.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        try? after.channel.close().wait()
        #expect(before.recorder.log == ["failed nothing=true reused=false"])
        #expect(after.recorder.log.prefix(2) == ["head 200", "body ab"])
        #expect(after.recorder.log.last == "failed nothing=false reused=false")
    }

    @Test func aReusedConnectionThatIsGoneAsksForAnother() throws {
        let connection = try Connection()
        connection.send()
        try connection.receive("HTTP/1.1 204 No Content\r\n\r\n")
        let again = connection.pool.take(EndpointID(1))
        connection.send()
        connection.channel.pipeline.fireChannelInactive()
        #expect(again === connection.handler)
        #expect(connection.recorder.log.last == "failed nothing=true reused=true")
    }

    @Test func aCancelledRequestIsToldNothing() throws {
        let connection = try Connection()
        connection.send()
        connection.handler.cancel()
        #expect(connection.recorder.log.isEmpty)
        #expect(!connection.channel.isActive)
    }

    @Test func readsStopWhileTheClientIsSlow() throws {
        final class ReadCounter: ChannelOutboundHandler {
            typealias OutboundIn = Never
            var reads = 0
            func read(context: ChannelHandlerContext) { reads += 1 }
        }
        let connection = try Connection()
        let counter = ReadCounter()
        try connection.channel.pipeline.syncOperations.addHandler(counter, position: .first)
        connection.send()
        connection.handler.pauseReading()
        connection.channel.read()
        let paused = counter.reads
        connection.handler.resumeReading()
        #expect(paused == 0)
        #expect(counter.reads == 1)
    }

    @Test func thePoolKeepsNoMoreThanItsLimitAndNothingOld() throws {
        let connection = try Connection()
        connection.send()
        try connection.receive("HTTP/1.1 204 No Content\r\n\r\n")
        connection.pool.prune(now: .now() + .seconds(30))
        let kept = connection.channel.isActive
        connection.pool.prune(now: .now() + .seconds(61))
        #expect(kept)
        #expect(!connection.channel.isActive)
    }
}
