// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// The part of an HTTP/1.x message before its body, as it came.
public struct MessageHead: Sendable {
    /// With the empty line that ends it.
    public let raw: [UInt8]
    /// Request line or status line.
    public let firstLine: String
    /// In order, names as they were written, values without surrounding blanks.
    public let fields: [Field]

    public struct Field: Sendable, Hashable, CustomStringConvertible {
        public let name: String
        public let value: String
        public var description: String { "\(name): \(value)" }
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public init(raw: [UInt8]) throws {
        self.raw = raw
        // Latin-1, so that no byte is lost.
        let text = String(String.UnicodeScalarView(raw.map { Unicode.Scalar($0) }))
        let lines = text.components(separatedBy: "\r\n")
        guard let first = lines.first, first.contains("HTTP/1.") else { throw TestFailure("not an HTTP head: \(text.prefix(200))") }
        firstLine = first
        fields = lines.dropFirst().filter { !$0.isEmpty }.map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return Field(String(parts[0]), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
        }
    }

    public subscript(_ name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// Of a status line.
    public var status: Int { Int(firstLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }

    public var isChunked: Bool { self["transfer-encoding"]?.lowercased().contains("chunked") ?? false }
    public var contentLength: Int? { self["content-length"].flatMap { Int($0) } }
}

/// Takes the body out of what follows a head, piece by piece.
struct BodyDecoder {
    enum Framing {
        case none
        case counted(Int)
        case chunked
        case untilClose
    }

    private enum Step {
        case counted(Int)
        case chunkSize
        case chunkData(Int)
        case chunkEnd
        case trailers
        case untilClose
        case done
    }

    private var step: Step
    private(set) var trailers: [String] = []
    /// The body with its framing, as it came.
    private(set) var raw: [UInt8] = []

    init(_ framing: Framing) {
        switch framing {
        case .none, .counted(0): step = .done
        case .counted(let length): step = .counted(length)
        case .chunked: step = .chunkSize
        case .untilClose: step = .untilClose
        }
    }

    var isDone: Bool { if case .done = step { true } else { false } }
    var endsByClose: Bool { if case .untilClose = step { true } else { false } }

    mutating func finish() { step = .done }

    /// Decoded bytes from the front of `queue`, or nil if it takes more to go on. An empty array is progress too.
    mutating func next(_ queue: inout ByteQueue) throws -> [UInt8]? {
        switch step {
        case .done: return nil
        case .untilClose:
            guard queue.count > 0 else { return nil }
            return take(queue.count, &queue)
        case .counted(let left):
            guard queue.count > 0 else { return nil }
            let bytes = take(min(left, queue.count), &queue)
            step = bytes.count == left ? .done : .counted(left - bytes.count)
            return bytes
        case .chunkSize:
            guard let line = takeLine(&queue) else { return nil }
            guard let size = Int(line.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces), radix: 16) else {
                throw TestFailure("bad chunk size '\(line)'")
            }
            step = size == 0 ? .trailers : .chunkData(size)
            return []
        case .chunkData(let left):
            guard queue.count > 0 else { return nil }
            let bytes = take(min(left, queue.count), &queue)
            step = bytes.count == left ? .chunkEnd : .chunkData(left - bytes.count)
            return bytes
        case .chunkEnd:
            guard let line = takeLine(&queue) else { return nil }
            guard line.isEmpty else { throw TestFailure("a chunk is longer than it says: '\(line)'") }
            step = .chunkSize
            return []
        case .trailers:
            guard let line = takeLine(&queue) else { return nil }
            if line.isEmpty { step = .done } else { trailers.append(line) }
            return []
        }
    }

    private mutating func take(_ count: Int, _ queue: inout ByteQueue) -> [UInt8] {
        let bytes = queue.take(count)
        raw += bytes
        return bytes
    }

    private mutating func takeLine(_ queue: inout ByteQueue) -> String? {
        guard let line = queue.takeLine() else { return nil }
        raw += line
        return String(decoding: line.dropLast(2), as: UTF8.self)
    }
}

/// Bytes that have come and are not used yet. Taking from its front does not move the rest.
struct ByteQueue {
    private var bytes: [UInt8] = []
    private var start = 0

    var count: Int { bytes.count - start }

    mutating func append(_ more: [UInt8]) {
        if start > 0 {
            bytes.removeFirst(start)
            start = 0
        }
        bytes += more
    }

    mutating func take(_ count: Int) -> [UInt8] {
        let taken = Array(bytes[start..<start + count])
        start += count
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: true)
            start = 0
        }
        return taken
    }

    /// Up to and with the first CR LF.
    mutating func takeLine() -> [UInt8]? { find([13, 10]).map { take($0) } }

    /// Up to and with the empty line.
    mutating func takeHead() -> [UInt8]? { find([13, 10, 13, 10]).map { take($0) } }

    /// How many bytes there are up to and with `pattern`, which ends with a line feed.
    private func find(_ pattern: [UInt8]) -> Int? {
        bytes.withUnsafeBytes { all in
            guard let base = all.baseAddress else { return nil }
            var from = start
            while from < all.count, let found = memchr(base + from, 10, all.count - from) {
                let end = UnsafeRawPointer(found) - base + 1
                if end - start >= pattern.count, all[(end - pattern.count)..<end].elementsEqual(pattern) { return end - start }
                from = end
            }
            return nil
        }
    }
}
