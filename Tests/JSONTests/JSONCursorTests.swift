// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport
import Testing

@testable import JSON

/// Reads a document whole, through the cursor alone.
private func tree(_ text: [UInt8]) throws -> Tree {
    // In a debug build the buffer checks every access against these bounds.
    try text.withUnsafeBytes { bytes in
        var cursor = JSONCursor(bytes)
        return try tree(of: try cursor.next(), in: cursor)
    }
}

private func tree(of value: JSONCursor.Value, in cursor: JSONCursor) throws -> Tree {
    switch value.kind {
    case .object:
        var members = try cursor.members(of: value)
        var result: [String: Tree] = [:]
        while let member = try members.next() { result[cursor.key(member)] = try tree(of: member.value, in: cursor) }
        #expect(members.end == value.range.upperBound)
        return .object(result)
    case .array:
        var elements = try cursor.elements(of: value)
        var result: [Tree] = []
        while let element = try elements.next() { result.append(try tree(of: element, in: cursor)) }
        #expect(elements.end == value.range.upperBound)
        return .array(result)
    case .string: return .string(try #require(cursor.string(value)))
    case .number: return .number(try #require(cursor.double(value)))
    case .bool: return .bool(try #require(cursor.bool(value) as Bool?))
    case .null: return .null
    }
}

private enum Tree: Equatable {
    case object([String: Tree]), array([Tree]), string(String), number(Double), bool(Bool), null

    /// As Foundation reads it.
    init(_ any: Any) {
        switch any {
        case let object as [String: Any]: self = .object(object.mapValues(Tree.init))
        case let array as [Any]: self = .array(array.map(Tree.init))
        case let string as String: self = .string(string)
        case let number as NSNumber where String(cString: number.objCType) == "c": self = .bool(number.boolValue)
        case let number as NSNumber: self = .number(number.doubleValue)
        default: self = .null
        }
    }
}

private let documents = [
    #"{"model":"llama3.2:latest","stream":true,"options":{"num_ctx":4096,"temperature":0.7,"stop":["a","b"]}}"#,
    #" [ 1 , -2.5e+3 , 0 , -0 , 1E9, 0.125 , true , false , null , "" , {} , [ ] ] "#,
    #"{"a":{"b":[{"c":[[[]]]},{"d":null}]},"":"empty key","\u0061b":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}"#,
    "{\"unicode\":\"\u{e9}\u{4e2d}\u{1F600} and 16 plain bytes\",\"n\":[0,10,200]}",
    #""just a string with 8+ bytes and \\ an escape""#,
    "\t\r\n 12345.678e-2",
    "true", "false", "null", "{}", "[]", #""""#,
]

private func error(_ text: String) -> JSONError? {
    do {
        _ = try tree(Array(text.utf8))
        return nil
    } catch {
        return error as? JSONError
    }
}

private func withFirstMember<Result>(_ text: String, _ body: (JSONCursor, JSONCursor.Member) -> Result) throws -> Result {
    try Array(text.utf8).withUnsafeBytes { bytes in
        let cursor = JSONCursor(bytes)
        var members = try cursor.members()
        return body(cursor, try #require(try members.next()))
    }
}

@Suite struct JSONCursorTests {
    /// Breaks when any value is found at the wrong place or decoded otherwise than a known-good parser does.
    @Test(arguments: documents) func readsWhatFoundationReads(document: String) throws {
        let ours = try tree(Array(document.utf8))
        let theirs = try JSONSerialization.jsonObject(with: Data(document.utf8), options: .fragmentsAllowed)
        #expect(ours == Tree(theirs))
    }

    /// Breaks when a cut document passes as whole, or a cut is reported as bad syntax rather than as the end.
    @Test(arguments: documents) func everyPrefixEndsTooEarly(document: String) throws {
        let bytes = Array(document.utf8)
        let whole = try bytes.withUnsafeBytes { raw in
            var cursor = JSONCursor(raw)
            return try cursor.next()
        }
        guard whole.kind != .number else { return }
        for count in 0..<whole.range.upperBound {
            let failure = #expect(throws: JSONError.self) { try tree(Array(bytes[..<count])) }
            #expect(failure?.found == nil)
            #expect(failure?.offset == count)
        }
    }

    @Test(arguments: [
        ("", 0, JSONError.Expected.value), ("  x", 2, .value), ("{1:2}", 1, .keyOrBrace), ("{\"a\" 1}", 5, .colon),
        ("{\"a\":1,}", 7, .key), ("{\"a\":1 \"b\":2}", 7, .commaOrBrace), ("[1,]", 3, .value), ("[1 2]", 3, .commaOrBracket),
        ("[1}", 2, .commaOrBracket), ("{\"a\":[}", 6, .value), ("01x", 99, .value), ("[01]", 2, .commaOrBracket), ("-", 1, .digit),
        ("[1.]", 3, .digit), ("[1e]", 3, .digit), ("[+1]", 1, .value), ("[.5]", 1, .value), ("tru ", 3, .literal), ("[nul]", 4, .literal),
        ("\"a\nb\"", 2, .escapedControl), ("\"12345678\u{1}\"", 9, .escapedControl), ("\"\\x\"", 2, .escape), ("\"\\u12g4\"", 5, .hexDigit),
        ("'a'", 0, .value), ("\u{feff}{}", 0, .value), ("[NaN]", 1, .value),
    ])
    func saysWhereAndWhatWasExpected(text: String, offset: Int, expected: JSONError.Expected) {
        // Trailing data after the first value is ignored, so "01x" is the number 0.
        guard offset != 99 else { return #expect(error(text) == nil) }
        let failure = error(text)
        #expect(failure?.offset == offset)
        #expect(failure?.expected == expected)
    }

    @Test func errorsReadAsSentences() {
        #expect(error("[1 2]")?.description == "expected ',' or ']' at byte 3, found '2'")
        #expect(error("[1")?.description == "expected ',' or ']' at byte 2, found the end")
        #expect(error("[\u{1}]")?.description == "expected a value at byte 1, found byte 0x01")
    }

    /// Breaks when depth recurses (a stack overflow), or when the limit differs from Go's.
    @Test(arguments: ["[", "{\"a\":"]) func nestsTenThousandLevelsAndNoMore(open: String) throws {
        let close = open == "[" ? "]" : "}"
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)).utf8)
        }
        try nested(10_000).withUnsafeBytes { bytes in
            var cursor = JSONCursor(bytes)
            let value = try cursor.next()
            #expect(value.range == 0..<bytes.count)
        }
        nested(10_001).withUnsafeBytes { bytes in
            let failure = #expect(throws: JSONError.self) {
                var cursor = JSONCursor(bytes)
                _ = try cursor.next()
            }
            #expect(failure?.expected == .lessDepth)
            // Entered one by one, the outer level counts too.
            #expect(throws: JSONError.self) {
                if open == "[" {
                    var elements = try JSONCursor(bytes).elements()
                    _ = try elements.next()
                } else {
                    var members = try JSONCursor(bytes).members()
                    _ = try members.next()
                }
            }
        }
    }

    /// Breaks when the kinds of open containers get mixed up where the stack leaves its register.
    @Test func mixedNestingOfEveryDepthUpTo200() throws {
        for depth in 0...200 {
            var text = "7"
            for level in 0..<depth { text = level % 3 == 0 ? "{\"k\":[0],\"v\":\(text),\"w\":[{}]}" : "[1,\(text),{}]" }
            let whole = text
            try Array(whole.utf8).withUnsafeBytes { bytes in
                var cursor = JSONCursor(bytes)
                let value = try cursor.next()
                #expect(value.range == 0..<bytes.count)
            }
        }
    }

    /// Breaks when the fast loop over strings misses the quote, a backslash or a control character at one of its eight places.
    @Test func stringsOfEveryLengthEndWhereTheyEnd() throws {
        for filler in ["a", "!", "#", "[", "]", "\u{7f}", "\u{80}", "\u{ff}", "\u{10ffff}"] {
            for count in 0..<40 {
                let text = String(repeating: filler, count: count)
                #expect(try tree(Array("\"\(text)\",\"".utf8)) == .string(text))
                #expect(try tree(Array("\"\(text)\\\"\\\\\(text)\"".utf8)) == .string("\(text)\"\\\(text)"))
                #expect(error("\"\(text)\u{1f}        \"")?.expected == .escapedControl)
            }
        }
    }

    @Test(arguments: [
        (#""\ud83d\ude00""#, "\u{1F600}"), (#""\ud83d""#, "\u{FFFD}"), (#""\ude00""#, "\u{FFFD}"), (#""\ud83dx""#, "\u{FFFD}x"),
        (#""\ud83d\n""#, "\u{FFFD}\n"), (#""\ud83d\u0041""#, "\u{FFFD}A"), (#""\ud83d\ud83d\ude00""#, "\u{FFFD}\u{1F600}"),
        (#""\ude00\ud83d""#, "\u{FFFD}\u{FFFD}"), (#""\u0000""#, "\0"), (#""\uABCD\uabcd""#, "\u{ABCD}\u{ABCD}"),
    ])
    func surrogatesAreJoinedOrReplaced(text: String, expected: String) throws {
        #expect(try tree(Array(text.utf8)) == .string(expected))
    }

    /// As Go: one U+FFFD for each byte that begins nothing valid (Swift's own repair makes one of several).
    @Test(
        arguments: [
            ([0xff], "\u{FFFD}"), ([0xe2, 0x82], "\u{FFFD}\u{FFFD}"), ([0x61, 0xc3], "a\u{FFFD}"), ([0xc0, 0x80], "\u{FFFD}\u{FFFD}"),
            ([0xed, 0xa0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"), ([0xf4, 0x90, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
            ([0xf0, 0x9f, 0x98, 0x80], "\u{1F600}"), ([0x80, 0x62], "\u{FFFD}b"), ([0xe2, 0x82, 0xac, 0xff], "\u{20AC}\u{FFFD}"),
        ] as [([UInt8], String)])
    func invalidUTF8IsReplacedByteByByte(bytes: [UInt8], expected: String) throws {
        #expect(try tree([0x22] + bytes + [0x22]) == .string(expected))
    }

    @Test(arguments: [
        #"{"model":1}"#, #"{"MODEL":1}"#, #"{"mOdEl":1}"#, #"{"\u006dodel":1}"#, #"{"\u004Dode\u006c":1}"#,
    ])
    func keysMatchInEitherCaseAndEscaped(text: String) throws {
        #expect(try withFirstMember(text) { $0.keyMatches($1, "model") })
        #expect(try withFirstMember(text) { !$0.keyMatches($1, "mode") })
        #expect(try withFirstMember(text) { !$0.keyMatches($1, "models") })
    }

    @Test(arguments: [#"{"\u212aeep":1}"#, "{\"\u{212a}eep\":1}", #"{"KEEP":1}"#]) func kelvinSignIsTheLetterK(text: String) throws {
        #expect(try withFirstMember(text) { $0.keyMatches($1, "keep") })
    }

    @Test(arguments: [#"{"\u017ftream":1}"#, "{\"\u{17f}tream\":1}", #"{"Stream":1}"#]) func longSIsTheLetterS(text: String) throws {
        #expect(try withFirstMember(text) { $0.keyMatches($1, "stream") })
    }

    @Test(arguments: [
        #"{"mod\u00e9l":1}"#, "{\"mod\u{e9}l\":1}", #"{"model\u0000":1}"#, #"{"\ud83dmodel":1}"#, #"{"":1}"#, #"{"m-del":1}"#, #"{"m/del":1}"#,
    ])
    func otherKeysDoNotMatch(text: String) throws {
        #expect(try withFirstMember(text) { !$0.keyMatches($1, "model") })
    }

    @Test func escapedSeparatorsInKeysMatchThemselves() throws {
        #expect(try withFirstMember(#"{"a\/b":1}"#) { $0.keyMatches($1, "a/b") })
        #expect(try withFirstMember(#"{"keep\u005falive":1}"#) { $0.keyMatches($1, "keep_alive") })
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("42", 42), ("-7", -7), ("9223372036854775807", Int.max), ("-9223372036854775808", Int.min),
            ("9223372036854775808", nil), ("-9223372036854775809", nil), ("1.0", nil), ("1e2", nil), ("\"1\"", nil), ("99999999999999999999", nil),
        ] as [(String, Int?)])
    func integersAreExactOrNothing(text: String, expected: Int?) throws {
        let value = try withFirstMember("{\"n\":\(text)}") { $0.integer($1.value) }
        #expect(value == expected)
    }

    @Test func wrongKindsDecodeToNothing() throws {
        try withFirstMember(#"{"a":"x"}"#) {
            #expect($0.integer($1.value) == nil)
            #expect($0.double($1.value) == nil)
            #expect($0.bool($1.value) == nil)
        }
        try withFirstMember(#"{"a":null}"#) { #expect($0.string($1.value) == nil) }
    }

    @Test func duplicatesComeInOrderAndRangesAreExact() throws {
        let text = Array(#"{ "a" : 1 , "a" : [2] }xyz"#.utf8)
        try text.withUnsafeBytes { bytes in
            var members = try JSONCursor(bytes).members()
            let first = try #require(try members.next())
            let second = try #require(try members.next())
            let none = try members.next()
            #expect(none == nil)
            #expect(String(decoding: bytes[first.value.range], as: UTF8.self) == "1")
            #expect(String(decoding: bytes[second.value.range], as: UTF8.self) == "[2]")
            #expect(String(decoding: bytes[first.key], as: UTF8.self) == "a")
            #expect(members.end == bytes.count - 3)
        }
    }

    /// Breaks when damaged bytes trap, are read beyond their end, or are accepted although Foundation refuses them.
    @Test func mutatedDocumentsNeverTrap() throws {
        var random = SplitMix(seed: 0x5eed)
        let alphabet = Array("{}[]\",:\\u0123456789abcdefeE+-. \ntrueflsn".utf8) + [0x00, 0x1f, 0x80, 0xc3, 0xe2, 0xf0, 0xff]
        var accepted = 0
        for document in documents {
            for _ in 0..<1500 {
                var bytes = Array(document.utf8)
                for _ in 0...Int(random.next() % 3) {
                    let place = Int(random.next() % UInt64(max(1, bytes.count)))
                    let byte = alphabet[Int(random.next() % UInt64(alphabet.count))]
                    switch random.next() % 4 {
                    case 0 where !bytes.isEmpty: bytes[place] = byte
                    case 1 where !bytes.isEmpty: bytes.remove(at: place)
                    case 2: bytes.insert(byte, at: place)
                    default: bytes.removeSubrange(place..<min(bytes.count, place + Int(random.next() % 5)))
                    }
                }
                guard let ours = try? tree(bytes) else { continue }
                accepted += 1
                // What follows the first value is not ours to judge; what we took must be good to a strict parser too.
                let end = try bytes.withUnsafeBytes { raw in
                    var cursor = JSONCursor(raw)
                    return try cursor.next().range.upperBound
                }
                guard String(validating: bytes[..<end], as: UTF8.self) != nil else { continue }
                let theirs = try? JSONSerialization.jsonObject(with: Data(bytes[..<end]), options: .fragmentsAllowed)
                // Foundation refuses lone surrogates and huge numbers, which Go takes.
                if let theirs, !hasDuplicateKeys(bytes) { #expect(ours == Tree(theirs), "\(String(decoding: bytes, as: UTF8.self))") }
            }
        }
        // Otherwise the mutations are too wild to test what lies behind the first error.
        #expect(accepted > 1000)
    }
}

private func hasDuplicateKeys(_ bytes: [UInt8]) -> Bool {
    func check(_ value: JSONCursor.Value, _ cursor: JSONCursor) throws -> Bool {
        var seen: Set<String> = []
        if value.kind == .object {
            var members = try cursor.members(of: value)
            while let member = try members.next() {
                if !seen.insert(cursor.key(member)).inserted { return true }
                if try check(member.value, cursor) { return true }
            }
        } else if value.kind == .array {
            var elements = try cursor.elements(of: value)
            while let element = try elements.next() {
                if try check(element, cursor) { return true }
            }
        }
        return false
    }
    return bytes.withUnsafeBytes { raw in
        var cursor = JSONCursor(raw)
        return (try? check(try cursor.next(), cursor)) ?? false
    }
}
