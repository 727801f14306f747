// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import JSON

/// What breaks without these: a translated request says something else than the client did.
@Suite struct JSONValueTests {
    @Test(arguments: [
        "null", "true", "-1.50e+3", #""a\"\\\n\u0001ü""#, "[]", "{}", #"[1,[2,{"a":null}],"x"]"#, #"{"b":1,"a":{"z":[],"y":12345678901234567890}}"#,
    ])
    func whatIsReadIsWrittenAsItWas(_ text: String) throws {
        let value = try JSONValue(parsing: text.utf8)
        #expect(value.text == text)
        #expect(try JSONValue(parsing: " \n\(text) ".utf8) == value)
    }

    @Test func membersAreFoundSetAndRemovedInPlace() throws {
        var value = try JSONValue(parsing: #"{"a":1,"b":{"c":"x"},"a":2}"#.utf8)
        #expect(value["a"]?.integer == 2, "the last of two counts")
        #expect(value["b"]?["c"]?.string == "x")
        value["b"]?["c"] = 7
        value["d"] = .array([true, nil])
        #expect(value["b"]?["c"] == 7)
        value["a"] = nil
        #expect(value.text == #"{"b":{"c":7},"d":[true,null]}"#)
    }

    @Test func literalsLeaveOutWhatIsNil() {
        let missing: JSONValue? = nil
        let value: JSONValue = ["a": missing, "b": .string("x"), "c": .double(0.5), "d": .double(.nan), "e": .double(3)]
        #expect(value.text == #"{"b":"x","c":0.5,"d":null,"e":3}"#)
    }

    @Test func depthIsBounded() throws {
        let deep = String(repeating: "[", count: 300) + String(repeating: "]", count: 300)
        #expect(throws: JSONError.self) { try JSONValue(parsing: deep.utf8) }
        let fine = String(repeating: "[", count: 250) + String(repeating: "]", count: 250)
        #expect(try JSONValue(parsing: fine.utf8).text == fine)
    }

    @Test(arguments: ["", "{", #"{"a":}"#, "[1,]", "nul", #""\x""#])
    func whatIsNoJSONIsRefused(_ text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: text.utf8) }
    }
}
