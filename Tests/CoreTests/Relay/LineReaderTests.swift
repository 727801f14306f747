// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import TestSupport
import Testing

@testable import Core

/// What breaks without these: a line of progress or of an answer is lost, doubled or joined with another, depending on how the network
/// cut it.
@Suite struct LineReaderTests {
    /// The lines of a text that comes in these pieces; nil for one that is too long, the last one marked where its end is missing.
    private func lines(_ pieces: [[UInt8]], limit: Int = 12, ends: LineReader.Ends = .newline) -> [String?] {
        var reader = LineReader(limit: limit, ends: ends)
        var found: [String?] = []
        func add(_ line: LineReader.Line, _ mark: String = "") {
            switch line {
            case .whole(let bytes): found.append(String(decoding: bytes.copy, as: UTF8.self) + mark)
            case .tooLong: found.append(nil)
            }
        }
        for piece in pieces {
            piece.withUnsafeBytes { bytes in
                var rest = bytes
                while let line = reader.next(&rest) { add(line) }
                #expect(rest.isEmpty)
            }
        }
        let isMidLine = reader.isMidLine
        let last = reader.unfinished
        #expect(isMidLine == (last != nil))
        if let last { add(last, "…") }
        return found
    }

    private static let corpus: [(text: String, newline: [String?], either: [String?])] = [
        ("", [], []),
        ("a", ["a…"], ["a…"]),
        ("a\n", ["a"], ["a"]),
        ("a\r\nb\n\r\n\nc", ["a", "b", "", "", "c…"], ["a", "b", "", "", "c…"]),
        ("a\rb\r\rc\r", ["a\rb\r\rc…"], ["a", "b", "", "c"]),
        ("a\n\rb\r\n", ["a", "\rb"], ["a", "", "b"]),
        ("\r\n\r\n", ["", ""], ["", ""]),
        ("{\"a\":\"é\"}\n{}\r\n", ["{\"a\":\"é\"}", "{}"], ["{\"a\":\"é\"}", "{}"]),
        ("0123456789ab\n0123456789abc\nx\n", ["0123456789ab", nil, "x"], ["0123456789ab", nil, "x"]),
        ("0123456789abcdefghijklmnopqrstuvwxyz", [nil], [nil]),
    ]

    @Test(arguments: corpus.indices) func everySplitGivesTheSame(row: Int) {
        let (text, newline, either) = Self.corpus[row]
        let bytes = Array(text.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let pieces = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
                #expect(lines(pieces) == newline, "cut at \(first) and \(second)")
                #expect(lines(pieces, ends: .newlineOrReturn) == either, "cut at \(first) and \(second)")
            }
        }
        #expect(lines(bytes.map { [$0] }) == newline)
        #expect(lines(bytes.map { [$0] }, ends: .newlineOrReturn) == either)
    }

    /// Breaks when a whole line is copied: the answers of a fleet pass here.
    @Test func aLineWithinOneBufferIsNotCopied() {
        Array("one\ntwo\n".utf8).withUnsafeBytes { bytes in
            var reader = LineReader(limit: 100)
            var rest = bytes
            for _ in 0..<2 {
                guard case .whole(.inPlace)? = reader.next(&rest) else {
                    Issue.record("a copy")
                    return
                }
            }
        }
    }

    @Test func aLineBeyondTheLimitIsNotKept() {
        var reader = LineReader(limit: 10)
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1000)
        piece.withUnsafeBytes { bytes in
            for _ in 0..<1000 {
                var rest = bytes
                #expect(reader.next(&rest) == nil)
            }
        }
        guard case .tooLong? = reader.unfinished else {
            Issue.record("a million bytes were kept")
            return
        }
    }
}
