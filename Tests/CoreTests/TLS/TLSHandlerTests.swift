// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import Core

/// What breaks without these: bytes are lost or reordered around a handshake, or an end is taken for what it is not.
@Suite struct TLSHandlerTests {
    /// Client and server as two channels whose bytes go from one to the other by hand.
    private final class Pair {
        let authority: TestAuthority
        let client = EmbeddedChannel()
        let server = EmbeddedChannel()
        let clientEvents = Events()
        let serverEvents = Events()
        /// Bytes that go over at once.
        var piece = Int.max

        init(server names: String = "DNS:localhost", host: String = "localhost", connects: Bool = true) throws {
            authority = try TestAuthority()
            let certificate = try authority.certificate("server", names: names)
            let serverContext = try TLSContext(server: TLSServerSettings(certificate: certificate.certificate, key: certificate.key))
            let clientContext = try TLSContext(client: TLSClientSettings(caFile: authority.caFile))
            try client.pipeline.syncOperations.addHandlers(TLSHandler(client: clientContext, host: host), clientEvents)
            try server.pipeline.syncOperations.addHandlers(TLSHandler(server: serverContext), serverEvents)
            if connects { try connect() }
        }

        func connect() throws {
            server.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
            client.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
            try run()
        }

        /// Carries bytes until neither side has any.
        func run() throws {
            var moved = true
            while moved {
                moved = false
                for (from, to) in [(client, server), (server, client)] {
                    while var bytes = try from.readOutbound(as: ByteBuffer.self) {
                        moved = true
                        while let part = bytes.readSlice(length: min(piece, bytes.readableBytes)), part.readableBytes > 0 {
                            guard to.isActive else { break }
                            // Faults are told by `Events`.
                            _ = try? to.writeInbound(part)
                        }
                    }
                }
            }
        }
    }

    /// What the handler behind sees.
    private final class Events: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        var text = ""
        var wasActive = 0
        var errors: [String] = []
        var inputClosed = 0
        var reads = 0

        func channelActive(context: ChannelHandlerContext) { wasActive += 1 }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            reads += 1
            text += String(buffer: unwrapInboundIn(data))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { errors.append("\(error)") }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if let event = event as? ChannelEvent, event == .inputClosed { inputClosed += 1 }
        }
    }

    private final class KeepsOpen: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) { promise?.succeed(()) }
    }

    @Test(arguments: [1, 7, 1000, Int.max])
    func bytesComeThroughHoweverTheyAreCut(_ piece: Int) throws {
        let pair = try Pair(connects: false)
        pair.piece = piece
        // Before there is any connection: nothing is lost, and the order stays.
        pair.client.write(ByteBuffer(string: "first "), promise: nil)
        pair.client.writeAndFlush(ByteBuffer(string: "second "), promise: nil)
        try pair.connect()
        pair.client.writeAndFlush(ByteBuffer(string: "third"), promise: nil)
        pair.server.writeAndFlush(ByteBuffer(string: "back"), promise: nil)
        try pair.run()
        #expect(pair.serverEvents.text == "first second third" && pair.clientEvents.text == "back")
        #expect(pair.clientEvents.wasActive == 1 && pair.serverEvents.wasActive == 1, "active when the handshake is done, once")
        #expect(pair.clientEvents.errors.isEmpty && pair.serverEvents.errors.isEmpty)
    }

    @Test func aLargeWriteComesInPiecesOfAReadsWorth() throws {
        let pair = try Pair()
        let text = String(repeating: "0123456789abcdef", count: 65_536)
        pair.client.writeAndFlush(ByteBuffer(string: text), promise: nil)
        try pair.run()
        // What one read did not hand on waits for the next.
        while pair.serverEvents.text.utf8.count < text.utf8.count { pair.server.read() }
        #expect(pair.serverEvents.text == text && pair.serverEvents.reads > 1)
    }

    @Test func aCertificateForAnotherIsAnErrorAndNobodyIsActive() throws {
        let pair = try Pair(server: "DNS:elsewhere")
        #expect(pair.clientEvents.errors == ["its certificate is not trusted: it is not for localhost"])
        #expect(pair.clientEvents.wasActive == 0 && pair.serverEvents.wasActive == 0)
        #expect(!pair.client.isActive)
    }

    @Test func anEndInOrderIsNoFaultAndACutOneIs() throws {
        let good = try Pair()
        good.server.close(promise: nil)
        try good.run()
        #expect(good.clientEvents.errors.isEmpty && !good.client.isActive)
        let cut = try Pair()
        cut.client.pipeline.fireChannelInactive()
        #expect(cut.clientEvents.errors == ["the TLS connection was cut off"])
    }

    @Test func halfAnEndLeavesTheOtherHalf() throws {
        let pair = try Pair()
        try pair.server.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        pair.server.allowRemoteHalfClosure = true
        pair.client.writeAndFlush(ByteBuffer(string: "request"), promise: nil)
        // The embedded channel knows no half-closed state: the socket's part of it is left out.
        try pair.client.pipeline.syncOperations.addHandler(KeepsOpen(), position: .first)
        pair.client.close(mode: .output, promise: nil)
        try pair.run()
        #expect(pair.serverEvents.text == "request" && pair.serverEvents.inputClosed == 1 && pair.server.isActive)
        pair.server.writeAndFlush(ByteBuffer(string: "answer"), promise: nil)
        try pair.run()
        #expect(pair.clientEvents.text == "answer")
    }

    @Test func whatIsNoTLSIsToldAsSuch() throws {
        let pair = try Pair(connects: false)
        pair.server.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        _ = try? pair.server.writeInbound(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
        #expect(pair.serverEvents.errors.count == 1 && pair.serverEvents.errors.first?.hasPrefix("TLS handshake failed: ") == true)
        #expect(!pair.server.isActive)
    }

    @Test func filesThatCannotBeUsedAreNamed() throws {
        let authority = try TestAuthority()
        let one = try authority.certificate("one")
        let two = try authority.certificate("two")
        func fault(_ body: () throws(TLSError) -> TLSContext) -> String {
            do throws(TLSError) {
                _ = try body()
                return "none"
            } catch {
                return error.description
            }
        }
        #expect(fault { () throws(TLSError) in try TLSContext(client: .init(caFile: "/nowhere/ca.pem")) } == "/nowhere/ca.pem: no such file")
        #expect(fault { () throws(TLSError) in try TLSContext(client: .init(caFile: one.key)) }.hasPrefix("\(one.key): no certificates"))
        #expect(fault { () throws(TLSError) in try TLSContext(server: .init(certificate: one.certificate, key: two.key)) }.contains("two.key"))
        #expect(fault { () throws(TLSError) in try TLSContext(server: .init(certificate: one.certificate, key: one.key)) } == "none")
    }
}
