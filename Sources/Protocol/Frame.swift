// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The framing of the control socket: one JSON object per line, each line ended by a newline.
///
/// A frame never contains a newline itself (JSON escapes them), so that `nc -U` and `jq` are a
/// complete client.
public struct FrameReader: Sendable {
    /// The longest line that a client accepts, in bytes. A status with 1,000 models is about 200 kB.
    public static let maximumLength = 16 * 1024 * 1024
    /// The longest call that the daemon accepts. A configuration of 1,000 endpoints, as `config.check` takes it, is about 300 kB.
    public static let maximumCallLength = 1024 * 1024

    public enum Failure: Error, Equatable {
        /// A line grew beyond the limit without an end. The rest of it is passed over; reading may go on.
        case lineTooLong
    }

    private let limit: Int
    private var buffer: [UInt8] = []
    /// Where the next line begins: lines are cut off the front of the buffer together, not one by one.
    private var start = 0
    private var searched = 0
    /// The rest of a line that was too long.
    private var isSkipping = false

    public init(maximumLength: Int = Self.maximumLength) {
        limit = maximumLength
    }

    public mutating func append(_ bytes: some Sequence<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            searched -= start
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole line without its newline, or nil if more bytes are needed. Empty lines are passed over.
    public mutating func next() throws(Failure) -> Data? {
        while true {
            guard let end = newline() else {
                searched = buffer.count
                if isSkipping {
                    empty()
                } else if buffer.count - start > limit {
                    isSkipping = true
                    empty()
                    throw .lineTooLong
                }
                return nil
            }
            var line = buffer[start..<end]
            start = end + 1
            searched = start
            if isSkipping {
                isSkipping = false
                continue
            }
            guard line.count <= limit else { throw .lineTooLong }
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if !line.isEmpty { return Data(line) }
        }
    }

    private func newline() -> Int? {
        buffer.withUnsafeBytes { bytes in
            guard searched < bytes.count, let base = bytes.baseAddress,
                let found = memchr(base + searched, Int32(UInt8(ascii: "\n")), bytes.count - searched)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }

    private mutating func empty() {
        buffer = []
        start = 0
        searched = 0
    }
}

/// How every message is spelled: snake_case keys in sorted order, so that output is stable.
public enum Wire {
    /// What is read without `Codable` is read as strictly as `JSONDecoder` reads, and nested no deeper than anything here is.
    static let rules = JSONCursor.Rules(maxDepth: 64, loneSurrogates: .refused)

    public static func encode(_ value: some Encodable, pretty: Bool = false) throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    /// One frame: the encoded value and its newline.
    public static func frame(_ value: some Encodable) throws -> Data {
        var data = try encode(value)
        data.append(UInt8(ascii: "\n"))
        return data
    }

    public static func decode<T: Decodable>(_ type: T.Type, from data: Data) throws -> T {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: data)
    }
}
