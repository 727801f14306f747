// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What breaks without these: a request goes to the model of a nested object, of a first duplicate, or to none.
@Suite struct RequestFactsTests {
    struct Row: Sendable, CustomStringConvertible {
        var body: String
        var model: String
        var stream: Bool?
        var description: String { body }
    }

    @Test(arguments: [
        Row(body: #"{"model":"m"}"#, model: "m"),
        Row(body: #"{"messages":[{"model":"inner"}],"model":"m"}"#, model: "m"),
        Row(body: #"{"options":{"model":"inner","stream":true},"model":"m","stream":false}"#, model: "m", stream: false),
        Row(body: #"{"model":"first","model":"last"}"#, model: "last"),
        Row(body: #"{"MODEL":"m","Stream":true}"#, model: "m", stream: true),
        Row(body: #"{"model":"first","Model":"last"}"#, model: "last"),
        Row(body: #"{"\u006dodel":"m"}"#, model: "m"),
        Row(body: #"{"model":"\u006d\u00e9"}"#, model: "mé"),
        Row(body: #"{"model":"mé日本"}"#, model: "mé日本"),
        Row(body: #"{"name":"n"}"#, model: "n"),
        Row(body: #"{"name":"n","model":"m"}"#, model: "m"),
        Row(body: #"{"model":"","name":"n"}"#, model: "n"),
        Row(body: #"{"model":"m","model":null}"#, model: "m"),
        Row(body: #"{"model":"m","stream":null}"#, model: "m"),
        Row(body: #" { "model" : "m" } trailing "#, model: "m"),
        Row(body: #"{"model":"m","ſtream":true}"#, model: "m", stream: true),
        Row(body: #"{"prompt":"\"model\":\"x\"","model":"m"}"#, model: "m"),
    ])
    func readsAsOllamaReads(_ row: Row) throws {
        let facts = try RequestFacts.read(ByteBuffer(string: row.body))
        #expect(facts.model == row.model)
        #expect(facts.stream == row.stream)
    }

    @Test func theRangeIsThatOfTheValueInForce() throws {
        let body = #"{"model":"first","x":1,"model":"läst"}"#
        let facts = try RequestFacts.read(ByteBuffer(string: body))
        let bytes = Array(body.utf8)[facts.modelRange]
        #expect(String(decoding: bytes, as: UTF8.self) == #""läst""#)
    }

    @Test(arguments: [
        ("", RouterError.missingBody), (" \n", .missingBody), ("{}", .missingModel), ("null", .missingModel),
        (#"{"model":""}"#, .missingModel), (#"{"model":null}"#, .missingModel),
        (#"{"model":7}"#, .invalidJSON("model is no string (at byte 9)")),
        (#"{"model":"m""#, .invalidJSON("expected ',' or '}' at byte 12, found the end")),
        ("[1]", .invalidJSON("expected an object at byte 0, found '['")),
    ])
    func saysWhatIsWrong(_ body: String, _ error: RouterError) {
        #expect(throws: error) { try RequestFacts.read(ByteBuffer(string: body)) }
    }

    @Test func anAbsentBodyIsMissing() {
        #expect(throws: RouterError.missingBody) { try RequestFacts.read(nil) }
    }

    /// The reader keeps offsets into the readable bytes, whatever was read of the buffer before.
    @Test func offsetsCountFromTheReaderIndex() throws {
        var buffer = ByteBuffer(string: #"junk{"model":"m"}"#)
        buffer.moveReaderIndex(forwardBy: 4)
        #expect(try RequestFacts.read(buffer).modelRange == 9..<12)
    }

    @Test(
        arguments: [
            (#"{"model":"m","stream":true}"#, #"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#),
            (#" { "model":"m","stream":true,"stream_options":{}}"#, #" { "model":"m","stream":true,"stream_options":{"include_usage":true}}"#),
            (
                #"{"model":"m","stream":true,"stream_options":{"x":1}}"#,
                #"{"model":"m","stream":true,"stream_options":{"include_usage":true,"x":1}}"#
            ),
            (#"{"model":"m","stream":true,"stream_options":null}"#, #"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#),
            (
                #"{"model":"m","stream":true,"stream_options":{"include_usage":false}}"#,
                #"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#
            ),
            (#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#, nil), (#"{"model":"m","stream":false}"#, nil),
            (#"{"model":"m"}"#, nil),
        ] as [(String, String?)])
    func tokenCountsAreAskedForWhereTheClientHasNot(_ body: String, _ edited: String?) throws {
        let buffer = ByteBuffer(string: body)
        let edit = try RequestFacts.read(buffer).usageEdit
        #expect(edit.map { String(buffer: BodyEdit.apply([$0], to: buffer)) } == edited)
    }

    @Test func editsStandWhereTheyBelongWhateverTheirOrder() {
        let body = ByteBuffer(string: "0123456789")
        let edits = [BodyEdit(range: 7..<9, text: "x"), BodyEdit(range: 0..<0, text: "<"), BodyEdit(range: 2..<3, text: "")]
        #expect(String(buffer: BodyEdit.apply(edits, to: body)) == "<013456x9")
    }
}
