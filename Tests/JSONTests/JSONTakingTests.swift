// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import TestSupport
import Testing

@testable import JSON

/// Values taken one after the other. What breaks without these: a frame of the control socket is read wrong, or damaged bytes are
/// taken for one.
@Suite struct JSONTakingTests {
    private static let strict = JSONCursor.Rules(maxDepth: 8, loneSurrogates: .refused)

    private func take<Result>(_ text: String, _ body: (inout JSONCursor) throws(JSONError) -> Result) throws(JSONError) -> Result {
        let result = Array(text.utf8).withUnsafeBytes { bytes in
            Swift.Result { () throws(JSONError) in
                var cursor = JSONCursor(bytes, rules: Self.strict)
                let result = try body(&cursor)
                try cursor.takeEnd()
                return result
            }
        }
        return try result.get()
    }

    private func cause(_ text: String, _ body: (inout JSONCursor) throws(JSONError) -> Void) -> JSONError.Cause? {
        do {
            try take(text, body)
            return nil
        } catch {
            return error.cause
        }
    }

    @Test func nestedContainersAreTakenInOrder() throws {
        var found: [String] = []
        try take(#" { "a" : [ 1 , [] , "x\n" ] , "b\u0041" : { } , "c":null} "#) { (cursor) throws(JSONError) in
            try cursor.takeObject { (key, cursor) throws(JSONError) in
                found.append(cursor.text(between: key))
                if cursor.isKey(key, "a") {
                    try cursor.takeArray { (cursor) throws(JSONError) in
                        let value = try cursor.next()
                        found.append(cursor.string(value) ?? "\(value.kind)")
                    }
                } else if try !cursor.takeNull() {
                    try cursor.takeObject { (_, _) throws(JSONError) in found.append("a member") }
                }
            }
        }
        #expect(found == ["a", "number", "array", "x\n", "bA", "c"])
    }

    @Test(arguments: ["[1,]", "[,1]", "[1 2]", "[1}", "[", "[1", "[1] x", "x", "", "[1,,2]"])
    func arraysThatAreNoneAreSyntax(text: String) {
        let cause = cause(text) { (cursor) throws(JSONError) in
            try cursor.takeArray { (cursor) throws(JSONError) in _ = try cursor.takeInteger() }
        }
        #expect(cause == .syntax)
    }

    @Test(arguments: [#"{"a":1,}"#, #"{,"a":1}"#, #"{"a" 1}"#, #"{"a":1 "b":2}"#, #"{1:2}"#, #"{"a":}"#, "{", #"{"a"#])
    func objectsThatAreNoneAreSyntax(text: String) {
        let cause = cause(text) { (cursor) throws(JSONError) in
            try cursor.takeObject { (_, cursor) throws(JSONError) in _ = try cursor.takeInteger() }
        }
        #expect(cause == .syntax)
    }

    @Test func otherValuesThanAskedForAreMismatches() {
        #expect(cause("[]") { (cursor) throws(JSONError) in _ = try cursor.takeText() } == .mismatch)
        #expect(cause("1") { (cursor) throws(JSONError) in _ = try cursor.takeBool() } == .mismatch)
        #expect(cause("1.5") { (cursor) throws(JSONError) in _ = try cursor.takeInteger() } == .mismatch)
        #expect(cause("99999999999999999999") { (cursor) throws(JSONError) in _ = try cursor.takeInteger() } == .mismatch)
        #expect(cause("1e999") { (cursor) throws(JSONError) in _ = try cursor.takeDouble() } == .mismatch)
        #expect(cause("\"1\"") { (cursor) throws(JSONError) in _ = try cursor.takeDouble() } == .mismatch)
        #expect(cause("{}") { (cursor) throws(JSONError) in try cursor.takeArray { (_) throws(JSONError) in } } == .mismatch)
        #expect(cause("null") { (cursor) throws(JSONError) in try cursor.takeObject { (_, _) throws(JSONError) in } } == .mismatch)
    }

    /// Breaks when a container that has been left still counts as open, or one that is open does not.
    @Test func depthIsCountedThroughBothWaysOfReading() throws {
        let brothers = "[" + Array(repeating: "[[]]", count: 50).joined(separator: ",") + "]"
        try take(brothers) { (cursor) throws(JSONError) in
            try cursor.takeArray { (cursor) throws(JSONError) in try cursor.takeArray { (cursor) throws(JSONError) in _ = try cursor.next() } }
        }
        for (depth, isFine) in [(8, true), (9, false)] {
            let text = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            let cause = cause(text) { (cursor) throws(JSONError) in
                try cursor.takeArray { (cursor) throws(JSONError) in try cursor.takeArray { (cursor) throws(JSONError) in _ = try cursor.next() } }
            }
            #expect(cause == (isFine ? nil : .depth))
        }
    }

    @Test(arguments: [#""\ud83d""#, #""\ud83dx""#, #""\ud83d\n""#, #""\ud83d\u0041""#, #""\ude00""#, #""\ud83d\ud83d\ude00""#])
    func loneSurrogatesAreRefusedOnWish(text: String) throws {
        #expect(cause(text) { (cursor) throws(JSONError) in _ = try cursor.takeText() } == .syntax)
        #expect(cause(text) { (cursor) throws(JSONError) in _ = try cursor.next() } == .syntax)
        #expect(try take(#""\ud83d\ude00 \u00e9""#) { (cursor) throws(JSONError) in try cursor.takeText() } == "\u{1F600} é")
    }

    /// Differential: short numbers are read by hand, long ones by the library.
    @Test func numbersAreReadAsTheLibraryReadsThem() throws {
        var random = SplitMix(seed: 7)
        for _ in 0..<20_000 {
            let digits = (0..<Int.random(in: 1...17, using: &random)).map { _ in "\(Int.random(in: 0...9, using: &random))" }.joined()
            var text = digits.drop { $0 == "0" }.isEmpty ? "0" : String(digits.drop { $0 == "0" })
            if Bool.random(using: &random) { text = "\(text.prefix(5)).\(digits)" }
            if Bool.random(using: &random) { text = "-\(text)" }
            if Int.random(in: 0..<4, using: &random) == 0 { text += "e\(Int.random(in: -20...20, using: &random))" }
            let number = try take(text) { (cursor) throws(JSONError) in try cursor.takeDouble() }
            #expect(number == Double(text), "\(text)")
        }
    }
}
