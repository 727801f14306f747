// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// JSON text set in lines for people. It keeps the order and the spelling, and garbage passes as far as it goes.
public struct JSONLayout {
    public enum Piece: Equatable, Sendable {
        /// A bracket, a comma, or a colon with the space after it.
        case punctuation(String)
        /// A member's key, without its quotes.
        case name(String)
        /// A string, with its quotes.
        case string(String)
        /// Any other value.
        case plain(String)

        /// As it stands in a document.
        public var text: String {
            switch self {
            case .punctuation(let text), .string(let text), .plain(let text): text
            case .name(let text): "\"\(text)\""
            }
        }
    }

    public struct Line: Equatable, Sendable {
        public var depth: Int
        public var pieces: [Piece] = []

        /// The line with its indentation, two spaces for each level.
        public var text: String { String(repeating: "  ", count: depth) + pieces.map(\.text).joined() }
    }

    /// Garbage may open a thousand brackets; a page is not that wide.
    public static let maxDepth = 20

    public static func lines(_ text: String) -> [Line] {
        var layout = JSONLayout(bytes: Array(text.utf8))
        while layout.offset < layout.bytes.count { layout.takePiece() }
        if layout.line != Line(depth: 0) { layout.lines.append(layout.line) }
        return layout.lines
    }

    private let bytes: [UInt8]
    private var offset = 0
    private var lines: [Line] = []
    private var line = Line(depth: 0)
    private var depth = 0

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func takePiece() {
        let byte = bytes[offset]
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            offset += 1
            // Brackets with nothing in them stay together. The one that closes is the other two places on in ASCII.
            if nextInk() == byte + 2 {
                line.pieces.append(.punctuation(byte == UInt8(ascii: "{") ? "{}" : "[]"))
                offset += 1
            } else {
                line.pieces.append(.punctuation(byte == UInt8(ascii: "{") ? "{" : "["))
                depth += 1
                newLine()
            }
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            offset += 1
            depth = max(0, depth - 1)
            newLine()
            line.pieces.append(.punctuation(byte == UInt8(ascii: "}") ? "}" : "]"))
        case UInt8(ascii: ","):
            offset += 1
            line.pieces.append(.punctuation(","))
            newLine()
        case UInt8(ascii: ":"):
            offset += 1
            line.pieces.append(.punctuation(": "))
        case UInt8(ascii: "\""): takeString()
        case let byte where Self.isBlank(byte): offset += 1
        default:
            let start = offset
            while offset < bytes.count, !Self.isBlank(bytes[offset]), !",:{}[]\"".utf8.contains(bytes[offset]) { offset += 1 }
            line.pieces.append(.plain(String(decoding: bytes[start..<offset], as: UTF8.self)))
        }
    }

    private mutating func takeString() {
        let start = offset
        offset += 1
        while offset < bytes.count, bytes[offset] != UInt8(ascii: "\"") { offset += bytes[offset] == UInt8(ascii: "\\") ? 2 : 1 }
        offset = min(offset + 1, bytes.count)
        let end = offset
        if nextInk() == UInt8(ascii: ":") {
            line.pieces.append(.name(String(decoding: bytes[start + 1..<max(start + 1, end - 1)], as: UTF8.self)))
        } else {
            line.pieces.append(.string(String(decoding: bytes[start..<end], as: UTF8.self)))
        }
    }

    /// Passes over white space; the byte after it.
    private mutating func nextInk() -> UInt8? {
        while offset < bytes.count, Self.isBlank(bytes[offset]) { offset += 1 }
        return offset < bytes.count ? bytes[offset] : nil
    }

    private mutating func newLine() {
        lines.append(line)
        line = Line(depth: min(depth, Self.maxDepth))
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
