// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The framing of the control socket: one JSON object per line, each line ended by a newline.
///
/// A frame never contains a newline itself (JSON escapes them), so that `nc -U` and `jq` are a
/// complete client.
public struct FrameReader: Sendable {
    /// The longest line that is accepted, in bytes. A status with 1,000 models is about 200 kB.
    public static let maximumLength = 16 * 1024 * 1024

    public enum Failure: Error, Equatable {
        /// A line grew beyond `maximumLength` without an end.
        case lineTooLong
    }

    private var buffer: [UInt8] = []
    private var searched = 0

    public init() {}

    public mutating func append(_ bytes: some Sequence<UInt8>) {
        buffer.append(contentsOf: bytes)
    }

    /// The next whole line without its newline, or nil if more bytes are needed. Empty lines are passed over.
    public mutating func next() throws(Failure) -> Data? {
        while true {
            guard let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) else {
                searched = buffer.count
                if buffer.count > Self.maximumLength { throw .lineTooLong }
                return nil
            }
            var line = buffer[..<end]
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            let frame = Data(line)
            buffer.removeSubrange(...end)
            searched = 0
            if !frame.isEmpty { return frame }
        }
    }
}

/// How every message is spelled: snake_case keys in sorted order, so that output is stable.
public enum Wire {
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
