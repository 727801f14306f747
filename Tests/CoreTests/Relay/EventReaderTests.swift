// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import TestSupport
import Testing

@testable import Core

/// What breaks without these: tokens of a stream are lost or garbled, depending on how a server writes its events and on how the network
/// cut them.
@Suite struct EventReaderTests {
    /// `name|data` of each event; `…` after one whose blank line is missing.
    private func events(_ pieces: [[UInt8]], limit: Int = 40) -> [String] {
        var reader = EventReader(limit: limit)
        var found: [String] = []
        func add(_ item: EventReader.Item, _ mark: String = "") {
            switch item {
            case .event(let event):
                let name = String(decoding: event.name.copy, as: UTF8.self)
                found.append("\(name)|\(String(decoding: event.data.copy, as: UTF8.self))\(mark)")
            case .tooLong: found.append("too long")
            }
        }
        for piece in pieces {
            piece.withUnsafeBytes { bytes in
                var rest = bytes
                while let item = reader.next(&rest) { add(item) }
                #expect(rest.isEmpty)
            }
        }
        if let last = reader.unfinished { add(last, "…") }
        return found
    }

    private static let corpus: [(text: String, events: [String])] = [
        ("data: {\"a\":1}\n\ndata:[DONE]\n\n", ["|{\"a\":1}", "|[DONE]"]),
        ("data: x\r\n\r\ndata: y\r\n\r\n", ["|x", "|y"]),
        ("data: x\r\rdata: y\r\r", ["|x", "|y"]),
        ("data: x\r\n\ndata: y\n\r\n", ["|x", "|y"]),
        ("\u{FEFF}data: x\n\n\u{FEFF}data: y\n\n", ["|x"]),
        ("event: ping\ndata: {}\n\nevent:stop\nid: 7\nretry: 10\ndata: z\n\n", ["ping|{}", "stop|z"]),
        ("data: z\nevent: late\n\n", ["late|z"]),
        (": a comment\n\n:\n\ndata: x\n: within\n\n", ["|x"]),
        ("data: one\ndata: two\ndata:\ndata:  four\n\n", ["|one\ntwo\n\n four"]),
        ("data\n\ndata:\n\n", ["|", "|"]),
        ("event: alone\n\ndata: x\n\n", ["|x"]),
        ("datax: a\ndat: b\n data: c\nDATA: d\n\ndata: é😀\n\n", ["|é😀"]),
        ("data: x", ["|x…"]), ("data: x\n", ["|x…"]), ("event: e\ndata: x\r\n", ["e|x…"]), ("event: e", ["e|…"]), (": c", []), ("\n\n\n", []),
        ("event: a\nevent: b\ndata: x\n\n", ["b|x"]),
        (
            "data: 0123456789012345678901234567890123456789\n\ndata: 01234567890123456789012345678901234567890\n\ndata: x\n\n",
            ["|0123456789012345678901234567890123456789", "too long", "|x"]
        ),
        ("data: 01234567890123456789\ndata: 01234567890123456789\ndata: x\n\ndata: y\n\n", ["too long", "|y"]),
        ("event: \(String(repeating: "n", count: 300))\ndata: x\n\ndata: y\n\n", ["too long", "|y"]),
    ]

    @Test(arguments: corpus.indices) func everySplitGivesTheSame(row: Int) {
        let (text, expected) = Self.corpus[row]
        let bytes = Array(text.utf8)
        #expect(events([bytes]) == expected)
        let step = max(1, bytes.count / 40)
        for first in 0...bytes.count {
            for second in stride(from: first, through: bytes.count, by: step) {
                let pieces = [Array(bytes[..<first]), Array(bytes[first..<second]), Array(bytes[second...])]
                #expect(events(pieces) == expected, "cut at \(first) and \(second)")
            }
        }
        #expect(events(bytes.map { [$0] }) == expected, "byte for byte")
    }

    /// Breaks when an event of one line is copied: every token of a stream passes here.
    @Test func anEventWithinOneBufferIsNotCopied() {
        Array("data: one\n\nevent: e\r\ndata: two\r\n\r\n".utf8).withUnsafeBytes { bytes in
            var reader = EventReader(limit: 100)
            var rest = bytes
            for _ in 0..<2 {
                guard case .event(let event)? = reader.next(&rest), case .inPlace = event.name, case .inPlace = event.data else {
                    Issue.record("a copy")
                    return
                }
            }
        }
    }

    @Test func knowsWhetherAnEventIsOpen() {
        for (text, isOpen) in [("data: x\n\n", false), ("data: x\n", true), ("da", true), ("event: x\n", true), (": c\n", false), ("", false)] {
            var reader = EventReader(limit: 100)
            Array(text.utf8).withUnsafeBytes { bytes in
                var rest = bytes
                while reader.next(&rest) != nil {}
            }
            #expect(reader.isMidEvent == isOpen, "\(text)")
        }
    }

    /// Damaged streams neither trap nor depend on how they are cut.
    @Test func garbageReadsTheSameInPiecesAndInOne() {
        var random = SplitMix(seed: 11)
        for _ in 0..<2000 {
            let garbage = (0..<60).map { _ in Array("data: event:\r\n\r\n\n\u{FEFF}x".utf8).randomElement(using: &random) ?? 0 }
            var pieces: [[UInt8]] = []
            var rest = garbage[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...min(9, rest.count), using: &random)
                pieces.append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            #expect(events(pieces) == events([garbage]))
        }
    }
}
