// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import JSON
import Testing

/// What breaks without these: a body that the router writes is no JSON, or says something else than was meant.
@Suite struct JSONWriterTests {
    @Test func controlCharactersQuotesAndBackslashesAreEscapedAndNothingElse() {
        #expect(JSONText.quoted("a\u{1}\n\"\\é/😀\u{7f}") == #""a\u0001\n\"\\é/😀"# + "\u{7f}\"")
        #expect(JSONText.quoted("\u{8}\u{9}\u{a}\u{c}\u{d}\u{0}\u{1f}") == #""\b\t\n\f\r\u0000\u001f""#)
        #expect(JSONText.quoted("x-y".dropFirst(2)) == #""y""#)
        #expect(JSONText.quoted("") == #""""#)
    }

    @Test func everyScalarBelow300IsReadBackAsItWas() throws {
        let text = String(String.UnicodeScalarView((0..<300).compactMap(Unicode.Scalar.init)))
        let quoted = JSONText.quoted(text)
        #expect(try JSONValue(parsing: quoted.utf8) == .string(text))
        #expect(try JSONDecoder().decode(String.self, from: Data(quoted.utf8)) == text)
    }

    @Test func commasStandBetweenValuesOnly() {
        var writer = JSONWriter()
        writer.byte(UInt8(ascii: "["))
        for text in ["[", "{", ""] {
            writer.separate()
            writer.text(text)
        }
        writer.separate()
        writer.raw("{}")
        writer.separate()
        writer.value([[], [:], 1])
        writer.byte(UInt8(ascii: "]"))
        #expect(String(decoding: writer.bytes, as: UTF8.self) == #"["[","{","",{},[[],{},1]]"#)
    }

    @Test func furtherCharactersAreEscapedOnWish() {
        let json = JSONText.quoted("<b>\u{2028}😀")
        #expect(JSONText.escaping(json) { $0 == "<" || $0 == "\u{2028}" || $0 == "😀" } == #""\u003cb>\u2028😀""#)
    }
}
