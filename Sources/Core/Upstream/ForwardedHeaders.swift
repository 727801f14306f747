// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// Heads as they go on: hop-by-hop fields dropped (RFC 9110, section 7.6.1), keys swapped, all else as it came.
enum ForwardedHeaders {
    /// How the body of a message is delimited on its next hop.
    enum Framing: Equatable {
        case none
        case counted(Int)
        case chunked
    }

    /// What becomes of the answer here, which decides how it may be encoded.
    enum AnswerUse {
        /// It goes on unread: the client's own wish counts.
        case passedOn
        /// It goes on and is read on the way, for token counts and the cache: it shall come in plain.
        case read
        /// The request is JSON of ours, and so is what becomes of the answer.
        case translated
    }

    /// The request's head for the endpoint, in bytes.
    ///
    /// - Parameters:
    ///   - dropsAuthorization: the client's key was for this router, and is nobody else's business.
    ///   - path: the path and query to send, without the endpoint's base path.
    static func writeRequest(
        _ head: HTTPRequestHead, method: HTTPMethod? = nil, path: Substring, endpoint shared: SharedEndpoint, framing: Framing,
        dropsAuthorization: Bool, answer: AnswerUse = .passedOn, into buffer: inout ByteBuffer
    ) {
        buffer.writeString((method ?? head.method).rawValue)
        buffer.writeStaticString(" ")
        let (prefix, rest) = shared.endpoint.address.path(for: path)
        buffer.writeString(prefix)
        buffer.writeSubstring(rest)
        buffer.writeStaticString(" HTTP/1.1\r\nHost: ")
        buffer.writeString(shared.endpoint.address.authority)
        buffer.writeStaticString("\r\n")
        let key = shared.endpoint.key
        let named = namedByConnection(head.headers)
        var asksForEncoding = false
        for (name, value) in head.headers {
            switch HeaderClass(name) {
            case .hopByHop, .framing, .host, .expect: continue
            case .authorization where dropsAuthorization || key != nil: continue
            case .contentType where answer == .translated: continue
            case .acceptEncoding where answer != .passedOn:
                asksForEncoding = true
                continue
            case .authorization, .contentType, .acceptEncoding, .other: break
            }
            if let named, named.contains(where: { name.caseInsensitiveEquals($0) }) { continue }
            write(name, value, into: &buffer)
        }
        if let key {
            buffer.writeStaticString("Authorization: Bearer ")
            buffer.writeString(key.exposed)
            buffer.writeStaticString("\r\n")
        }
        // Said aloud, as silence means that any encoding will do (RFC 9110, section 12.5.3). Who has not asked keeps silent.
        if asksForEncoding { buffer.writeStaticString("Accept-Encoding: identity\r\n") }
        if answer == .translated { buffer.writeStaticString("Content-Type: application/json\r\n") }
        write(framing, into: &buffer)
        buffer.writeStaticString("\r\n")
    }

    static func write(_ framing: Framing, into buffer: inout ByteBuffer) {
        switch framing {
        case .none: break
        case .counted(let length):
            buffer.writeStaticString("Content-Length: ")
            buffer.writeString(String(length))
            buffer.writeStaticString("\r\n")
        case .chunked:
            buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
        }
    }

    static func write(_ name: String, _ value: String, into buffer: inout ByteBuffer) {
        // One reservation in place of four.
        let size = name.utf8.count + value.utf8.count + 4
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
            var end = 0
            func put(_ byte: UInt8) {
                space[end] = byte
                end += 1
            }
            func put(_ text: String) {
                var text = text
                text.withUTF8 { UnsafeMutableRawBufferPointer(rebasing: space[end...]).copyMemory(from: UnsafeRawBufferPointer($0)) }
                end += text.utf8.count
            }
            put(name)
            put(UInt8(ascii: ":"))
            put(UInt8(ascii: " "))
            put(value)
            put(UInt8(ascii: "\r"))
            put(UInt8(ascii: "\n"))
            return end
        }
    }

    /// Fields that `Connection` names besides the usual ones are hop-by-hop too. Nil, without allocating, in the usual case.
    private static func namedByConnection(_ headers: HTTPHeaders) -> [Substring]? {
        var named: [Substring]?
        for (name, value) in headers where name.equalsIgnoringCase("connection") {
            for token in value.split(separator: ",") {
                let token = token.trimmingSpaces()
                if token.caseInsensitiveEquals("close") || token.caseInsensitiveEquals("keep-alive") { continue }
                named = (named ?? []) + [token]
            }
        }
        return named
    }
}

/// What a header field is to a proxy. Told by length first, so that most fields cost one comparison of integers.
enum HeaderClass {
    case hopByHop, framing, host, expect, authorization, contentType, acceptEncoding, other

    /// It is no business of whoever comes behind the next hop.
    var isOfOneHop: Bool { self == .hopByHop || self == .framing }

    init(_ name: String) {
        var name = name
        self = name.withUTF8 { HeaderClass(UnsafeRawBufferPointer($0)) }
    }

    init(_ name: UnsafeRawBufferPointer) {
        switch name.count {
        case 2: self = name.equalsIgnoringCase("te") ? .hopByHop : .other
        case 4: self = name.equalsIgnoringCase("host") ? .host : .other
        case 6: self = name.equalsIgnoringCase("expect") ? .expect : .other
        case 7: self = name.equalsIgnoringCase("upgrade") ? .hopByHop : .other
        case 9: self = name.equalsIgnoringCase("x-api-key") ? .authorization : .other
        case 12: self = name.equalsIgnoringCase("content-type") ? .contentType : .other
        case 15: self = name.equalsIgnoringCase("accept-encoding") ? .acceptEncoding : .other
        case 10: self = name.equalsIgnoringCase("connection") || name.equalsIgnoringCase("keep-alive") ? .hopByHop : .other
        case 13: self = name.equalsIgnoringCase("authorization") ? .authorization : .other
        case 14: self = name.equalsIgnoringCase("content-length") ? .framing : .other
        case 16: self = name.equalsIgnoringCase("proxy-connection") ? .hopByHop : .other
        case 17: self = name.equalsIgnoringCase("transfer-encoding") ? .framing : .other
        case 18: self = name.equalsIgnoringCase("proxy-authenticate") ? .hopByHop : .other
        case 19: self = name.equalsIgnoringCase("proxy-authorization") ? .hopByHop : .other
        default: self = .other
        }
    }
}
