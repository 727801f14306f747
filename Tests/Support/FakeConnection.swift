// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Synchronization

/// What a fake endpoint was asked, as it came.
public struct ReceivedRequest: Sendable {
    public let head: MessageHead
    /// Without its framing.
    public let body: [UInt8]
    public let trailers: [String]

    public var method: String { String(head.firstLine.split(separator: " ").first ?? "") }
    public var target: String { String(head.firstLine.split(separator: " ").dropFirst().first ?? "") }
    public var path: String { String(target.prefix { $0 != "?" }) }
    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The JSON body's member, if it is a text.
    public func string(_ key: String) -> String? { json[key] as? String }

    public var json: [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
    }
}

/// The endpoint's side of one connection, as a script sees it. Used from the connection's own thread.
public final class FakeConnection: Sendable {
    public let socket: TCPSocket
    /// Counts from one per endpoint, in the order in which they were accepted.
    public let number: Int

    public init(socket: TCPSocket, number: Int) {
        self.socket = socket
        self.number = number
    }

    public var isOpen: Bool { socket.isOpen }

    /// - Returns: false if the peer is gone; a script may then end.
    @discardableResult
    public func send(_ bytes: [UInt8], within seconds: Double = 60) -> Bool {
        do {
            try socket.send(bytes, until: Deadline(seconds))
            return true
        } catch {
            return false
        }
    }

    @discardableResult
    public func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// `text` as one chunk of a chunked body.
    @discardableResult
    public func sendChunk(_ text: String) -> Bool { send(Self.chunk(Array(text.utf8))) }

    public static func chunk(_ bytes: [UInt8]) -> [UInt8] {
        Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + [13, 10]
    }

    @discardableResult
    public func sendLastChunk() -> Bool { send("0\r\n\r\n") }

    /// The head of a streamed answer.
    @discardableResult
    public func startStream(_ contentType: String = "application/x-ndjson", status: String = "200 OK") -> Bool {
        send("HTTP/1.1 \(status)\r\nContent-Type: \(contentType)\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    /// A whole counted answer.
    @discardableResult
    public func answer(
        _ body: String, status: String = "200 OK", contentType: String = "application/json; charset=utf-8", headers: [String] = []
    ) -> Bool {
        let extra = headers.map { $0 + "\r\n" }.joined()
        return send("HTTP/1.1 \(status)\r\nContent-Type: \(contentType)\r\n\(extra)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    public func close() { socket.close() }
    public func reset() { socket.reset() }

    /// Waits until the peer closes the connection or this endpoint dies.
    ///
    /// - Returns: whether that happened in time.
    @discardableResult
    public func waitForPeerToLeave(within seconds: Double = 20) -> Bool {
        let deadline = Deadline(seconds)
        while !socket.peerIsGone {
            if deadline.hasPassed { return false }
            usleep(5_000)
        }
        return true
    }

    /// Waits, but not longer than the peer.
    ///
    /// - Returns: false if the peer is gone.
    public func pause(_ seconds: Double) -> Bool { !waitForPeerToLeave(within: seconds) }
}
