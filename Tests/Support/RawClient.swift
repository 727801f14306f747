// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// An answer, whole, as it came.
public struct RawResponse: Sendable {
    public let head: MessageHead
    /// Without its framing.
    public let body: [UInt8]
    /// With its framing.
    public let rawBody: [UInt8]
    public let trailers: [String]
    /// `100 Continue` and its like, which came before.
    public let interim: [MessageHead]
    /// Whether the connection ended before the body did.
    public let isCut: Bool

    public var status: Int { head.status }
    public var text: String { String(decoding: body, as: UTF8.self) }
}

/// A blocking HTTP/1.x client that sends exactly what it is given and shows exactly what came back.
public final class RawClient {
    public let socket: TCPSocket
    private var queue = ByteQueue()
    private var decoder = BodyDecoder(.none)

    /// - Parameters:
    ///   - host: the last byte of the client's own address, 127.0.0.x.
    ///   - receiveBuffer: bytes that the kernel keeps for this side while it does not read.
    public init(port: Int, from host: UInt8 = 1, receiveBuffer: Int? = nil) throws {
        socket = try TCPSocket.connected(to: port, from: host, receiveBuffer: receiveBuffer)
    }

    deinit { socket.close() }

    /// One request on a connection of its own.
    public static func exchange(port: Int, _ request: [UInt8], method: String = "POST", within seconds: Double = 20) throws -> RawResponse {
        let client = try RawClient(port: port)
        try client.send(request)
        return try client.readResponse(method: method, within: seconds)
    }

    /// A usual request with a counted body.
    public static func request(
        _ method: String, _ path: String, body: String? = nil, headers: [String] = [], version: String = "HTTP/1.1"
    ) -> [UInt8] {
        var text = "\(method) \(path) \(version)\r\nHost: test\r\n"
        for header in headers { text += header + "\r\n" }
        if let body { text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
        return Array((text + "\r\n" + (body ?? "")).utf8)
    }

    public static func get(port: Int, _ path: String, headers: [String] = []) throws -> RawResponse {
        try exchange(port: port, request("GET", path, headers: headers), method: "GET")
    }

    public static func post(port: Int, _ path: String, _ body: String, headers: [String] = [], within seconds: Double = 20) throws -> RawResponse {
        try exchange(port: port, request("POST", path, body: body, headers: headers), within: seconds)
    }

    public func send(_ bytes: [UInt8], within seconds: Double = 20) throws { try socket.send(bytes, until: Deadline(seconds)) }

    public func send(_ text: String) throws { try send(Array(text.utf8)) }

    // MARK: Whole answers

    /// - Parameter method: of the request, because the answer to a HEAD has no body.
    public func readResponse(method: String = "POST", within seconds: Double = 20) throws -> RawResponse {
        let deadline = Deadline(seconds)
        var interim: [MessageHead] = []
        var head = try readHead(method: method, until: deadline)
        while head.status / 100 == 1 {
            interim.append(head)
            head = try readHead(method: method, until: deadline)
        }
        var body: [UInt8] = []
        var isCut = false
        do {
            while let bytes = try readSome(until: deadline) { body += bytes }
        } catch SocketError.closed {
            isCut = true
        } catch SocketError.broken {
            isCut = true
        }
        return RawResponse(head: head, body: body, rawBody: decoder.raw, trailers: decoder.trailers, interim: interim, isCut: isCut)
    }

    // MARK: Piece by piece

    /// The head of the next answer, an interim one included.
    public func readHead(method: String = "POST", until deadline: Deadline = .generous) throws -> MessageHead {
        while true {
            if let raw = queue.takeHead() {
                let head = try MessageHead(raw: raw)
                decoder = BodyDecoder(Self.framing(head, method))
                return head
            }
            queue.append(try socket.receive(until: deadline))
        }
    }

    /// Some more of the body, at least one byte; nil at its end.
    public func readSome(limit: Int = 256 * 1024, until deadline: Deadline = .generous) throws -> [UInt8]? {
        while true {
            while let bytes = try decoder.next(&queue) {
                if !bytes.isEmpty { return bytes }
            }
            if decoder.isDone { return nil }
            do {
                queue.append(try socket.receive(limit: limit, until: deadline))
            } catch SocketError.closed where decoder.endsByClose {
                decoder.finish()
                return nil
            }
        }
    }

    /// What is left of the body, without its framing; nothing where the body ended long ago.
    public func readRest(within seconds: Double = 20) throws -> String {
        let deadline = Deadline(seconds)
        var body: [UInt8] = []
        while let bytes = try readSome(until: deadline) { body += bytes }
        return String(decoding: body, as: UTF8.self)
    }

    /// Body bytes until `text` is among them.
    @discardableResult
    public func read(upTo text: String, within seconds: Double = 20) throws -> String {
        let deadline = Deadline(seconds)
        var body = ""
        while !body.contains(text) {
            do {
                guard let more = try readSome(until: deadline) else { throw TestFailure("the body ended") }
                body += String(decoding: more, as: UTF8.self)
            } catch {
                throw TestFailure("\(error) before '\(text)'; last came: \(body.suffix(300))")
            }
        }
        return body
    }

    /// Body bytes until they end with `text`.
    public func read(until text: String, within seconds: Double = 20) throws -> String {
        let deadline = Deadline(seconds)
        var body: [UInt8] = []
        while !body.suffix(text.utf8.count).elementsEqual(text.utf8) {
            guard let more = try readSome(until: deadline) else {
                throw TestFailure("the body ended before '\(text)': \(String(decoding: body.suffix(200), as: UTF8.self))")
            }
            body += more
        }
        return String(decoding: body, as: UTF8.self)
    }

    /// Whether the connection is ended by the other side in time; bytes that come before are thrown away.
    public func isClosed(within seconds: Double = 20) -> Bool {
        let deadline = Deadline(seconds)
        while true {
            do {
                _ = try socket.receive(until: deadline)
            } catch SocketError.timedOut {
                return false
            } catch {
                return true
            }
        }
    }

    public func endSending() { socket.endSending() }
    public func reset() { socket.reset() }
    public func close() { socket.close() }

    private static func framing(_ head: MessageHead, _ method: String) -> BodyDecoder.Framing {
        if method == "HEAD" || head.status / 100 == 1 || head.status == 204 || head.status == 304 { return .none }
        if head.isChunked { return .chunked }
        if let length = head.contentLength { return .counted(length) }
        return .untilClose
    }
}
