// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// One reply of a Redis server (the serialization protocol's version 2).
enum RESPValue: Sendable, Equatable {
    case simple(String)
    case error(String)
    case integer(Int)
    case bulk([UInt8])
    case array([RESPValue])
    case null

    var bytes: [UInt8]? {
        if case .bulk(let bytes) = self { return bytes }
        return nil
    }

    var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    var integer: Int? {
        if case .integer(let value) = self { return value }
        return text.flatMap { Int($0) }
    }

    var array: [RESPValue]? {
        if case .array(let elements) = self { return elements }
        return nil
    }

    var error: String? {
        if case .error(let message) = self { return message }
        return nil
    }
}

/// A command: its words, each of any bytes.
struct RedisCommand: Sendable, Equatable {
    var words: [[UInt8]]

    init(_ words: [String]) { self.words = words.map { Array($0.utf8) } }

    init(_ words: String...) { self.init(words) }

    func with(_ bytes: [UInt8]) -> RedisCommand {
        var command = self
        command.words.append(bytes)
        return command
    }

    func write(into buffer: inout ByteBuffer) {
        buffer.writeString("*\(words.count)\r\n")
        for word in words {
            buffer.writeString("$\(word.count)\r\n")
            buffer.writeBytes(word)
            buffer.writeStaticString("\r\n")
        }
    }
}

/// Bytes to replies. What is no reply ends the connection: behind it nothing can be trusted.
struct RESPDecoder: NIOSingleStepByteToMessageDecoder {
    typealias InboundOut = RESPValue

    struct Malformed: Error, CustomStringConvertible {
        var description: String
    }

    /// Longer than any entry.
    static let bulkLimit = 64 << 20
    private static let arrayLimit = 1 << 20
    private static let lineLimit = 64 * 1024
    private static let maxDepth = 4

    mutating func decode(buffer: inout ByteBuffer) throws -> RESPValue? {
        var ahead = buffer
        guard let value = try Self.read(&ahead, depth: 0) else { return nil }
        buffer = ahead
        return value
    }

    mutating func decodeLast(buffer: inout ByteBuffer, seenEOF: Bool) throws -> RESPValue? { try decode(buffer: &buffer) }

    private static func read(_ buffer: inout ByteBuffer, depth: Int) throws -> RESPValue? {
        guard depth < maxDepth else { throw Malformed(description: "arrays within arrays") }
        guard let line = try readLine(&buffer), let kind = line.first else { return nil }
        let rest = String(decoding: line.dropFirst(), as: UTF8.self)
        switch kind {
        case UInt8(ascii: "+"): return .simple(rest)
        case UInt8(ascii: "-"): return .error(rest)
        case UInt8(ascii: ":"): return .integer(try number(rest, .min ... .max))
        case UInt8(ascii: "$"):
            let length = try number(rest, -1...bulkLimit)
            if length < 0 { return .null }
            guard buffer.readableBytes >= length + 2, let bytes = buffer.readBytes(length: length) else { return nil }
            guard buffer.readBytes(length: 2) == [13, 10] else { throw Malformed(description: "a bulk string without its end") }
            return .bulk(bytes)
        case UInt8(ascii: "*"):
            let count = try number(rest, -1...arrayLimit)
            if count < 0 { return .null }
            var elements: [RESPValue] = []
            for _ in 0..<count {
                guard let element = try read(&buffer, depth: depth + 1) else { return nil }
                elements.append(element)
            }
            return .array(elements)
        default: throw Malformed(description: "a reply that begins with byte \(kind)")
        }
    }

    private static func number(_ text: String, _ range: ClosedRange<Int>) throws -> Int {
        guard let value = Int(text), range.contains(value) else { throw Malformed(description: "a number out of its range") }
        return value
    }

    /// A line without its end; nil until it is whole.
    private static func readLine(_ buffer: inout ByteBuffer) throws -> [UInt8]? {
        guard let end = buffer.readableBytesView.firstIndex(of: 10) else {
            if buffer.readableBytes > lineLimit { throw Malformed(description: "a line that does not end") }
            return nil
        }
        guard var line = buffer.readBytes(length: end - buffer.readerIndex + 1), line.count >= 3, line[line.count - 2] == 13 else {
            throw Malformed(description: "a line without its end")
        }
        line.removeLast(2)
        return line
    }
}
