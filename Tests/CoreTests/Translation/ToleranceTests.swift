// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import JSON
import Testing

@testable import Core

/// What breaks without these: servers write chat completions in many ways, and a client of another dialect gets half of what they say, a
/// broken call of a tool, or an error as if it were an answer.
///
/// Each row is told to the clients of every dialect, streamed and whole, by a server that streams and by one that does not.
@Suite struct ToleranceTests {
    struct Row: Sendable, CustomStringConvertible {
        var name: String
        /// Items of the stream, without `[DONE]`.
        var items: [String]
        /// The same in one text; nil where a whole answer cannot be so.
        var whole: String?
        var text = ""
        var thinking = ""
        var calls: [String] = []
        var end = "stop"
        /// The stream lacks its `[DONE]`.
        var isCut = false
        var description: String { name }
    }

    private static func delta(_ delta: String, _ rest: String = #","finish_reason":null"#) -> String {
        #"{"choices":[{"index":0,"delta":\#(delta)\#(rest)}]}"#
    }

    private static func message(_ message: String, _ rest: String = #","finish_reason":"stop""#) -> String {
        #"{"choices":[{"index":0,"message":\#(message)\#(rest)}]}"#
    }

    private static let stop = delta("{}", #","finish_reason":"stop""#)
    private static let toolEnd = delta("{}", #","finish_reason":"tool_calls""#)

    private static func piece(_ index: Int?, id: String? = nil, name: String? = nil, _ arguments: String? = nil) -> String {
        let call: JSONValue = [
            "index": index.map(JSONValue.integer), "id": id.map(JSONValue.string),
            "function": ["name": name.map(JSONValue.string), "arguments": arguments.map(JSONValue.string)],
        ]
        return delta(#"{"tool_calls":[\#(call.text)]}"#)
    }

    static let calls: [Row] = [
        Row(
            name: "one index, different ids",
            items: [
                piece(0, id: "a", name: "f", ""), piece(0, nil), piece(0, #"{"x":1}"#), piece(0, id: "b", name: "g", ""), piece(0, #"{"y":2}"#),
                toolEnd,
            ], calls: [#"f({"x":1})"#, #"g({"y":2})"#], end: "calls"),
        Row(
            name: "one index, different ids, each whole",
            items: [piece(0, id: "a", name: "f", "{}"), piece(0, id: "b", name: "g", "{}"), toolEnd], calls: ["f({})", "g({})"], end: "calls"),
        Row(
            name: "a new id at index 0, its arguments at index 1",
            items: [
                piece(0, id: "a", name: "f", #"{"x":1}"#), piece(0, id: "b", name: "g", ""), piece(1, #"{"y""#), piece(1, ":2}"), toolEnd,
            ], calls: [#"f({"x":1})"#, #"g({"y":2})"#], end: "calls"),
        Row(
            name: "the name in each piece",
            items: [piece(0, id: "a", name: "read_file", ""), piece(0, name: "read_file", #"{"p""#), piece(0, name: "read_file", ":1}"), toolEnd],
            calls: [#"read_file({"p":1})"#], end: "calls"),
        Row(
            name: "the id in each piece, and no index",
            items: [piece(nil, id: "a", name: "f", ""), piece(nil, id: "a", #"{"x""#), piece(nil, id: "a", ":1}"), toolEnd], calls: [#"f({"x":1})"#],
            end: "calls"),
        Row(
            name: "the name in pieces", items: [piece(0, id: "a", name: "read", ""), piece(0, name: "_file"), piece(0, "{}"), toolEnd],
            calls: ["read_file({})"], end: "calls"),
        Row(
            name: "neither id nor index after the first", items: [piece(nil, name: "f", ""), piece(nil, #"{"x":"#), piece(nil, "1}"), toolEnd],
            calls: [#"f({"x":1})"#], end: "calls"),
        Row(
            name: "pieces in turns",
            items: [
                piece(0, id: "a", name: "f", #"{"x""#), piece(1, id: "b", name: "g", ""), piece(1, "{}"), piece(0, ":1}"), toolEnd,
            ], calls: [#"f({"x":1})"#, "g({})"], end: "calls"),
        Row(
            name: "two calls with one id, by their indices",
            items: [
                piece(0, id: "a", name: "f", #"{"x":"#), piece(0, "1}"), piece(1, id: "a", name: "g", #"{"y":"#), piece(1, "2}"), toolEnd,
            ], calls: [#"f({"x":1})"#, #"g({"y":2})"#], end: "calls"),
        Row(
            name: "text between the pieces of a call",
            items: [
                piece(0, id: "a", name: "f", #"{"x""#), delta(#"{"content":"well"}"#), piece(0, ":1}"), delta(#"{"reasoning":"hm"}"#), toolEnd,
            ], text: "well", thinking: "hm", calls: [#"f({"x":1})"#], end: "calls"),
        Row(
            name: "text between two calls",
            items: [
                piece(0, id: "a", name: "f", #"{"x":1}"#), delta(#"{"content":"and"}"#), piece(1, id: "b", name: "g", "{}"), toolEnd,
            ], text: "and", calls: [#"f({"x":1})"#, "g({})"], end: "calls"),
        Row(
            name: "thoughts, text and a call",
            items: [
                delta(#"{"reasoning_content":"hm"}"#), delta(#"{"content":"so"}"#), piece(0, id: "a", name: "f", "{}"), toolEnd,
            ], text: "so", thinking: "hm", calls: ["f({})"], end: "calls"),
        Row(
            name: "a call that ends with stop", items: [piece(0, id: "a", name: "f", "{}"), stop],
            whole: message(#"{"content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}"#), calls: ["f({})"], end: "calls"),
        Row(
            name: "a call cut by its length", items: [piece(0, id: "a", name: "f", #"{"x"#), delta("{}", #","finish_reason":"length""#)],
            end: "length"),
        Row(
            name: "arguments as an object", items: [delta(#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}}]}"#), toolEnd],
            whole: message(#"{"content":"","tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}}]}"#), calls: [#"f({"x":1})"#],
            end: "calls"),
        Row(
            name: "the older form",
            items: [delta(#"{"function_call":{"name":"f","arguments":""}}"#), delta(#"{"function_call":{"arguments":"{}"}}"#), stop],
            whole: message(#"{"content":null,"function_call":{"name":"f","arguments":"{}"}}"#, #","finish_reason":"function_call""#),
            calls: ["f({})"],
            end: "calls"),
        Row(
            name: "no arguments at all", items: [piece(0, id: "a", name: "f"), toolEnd],
            whole: message(#"{"content":null,"tool_calls":[{"id":"a","function":{"name":"f"}}]}"#), calls: ["f({})"], end: "calls"),
        Row(
            name: "two calls with one id, whole", items: [],
            whole: message(
                #"{"content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"a","function":{"name":"g","arguments":"{}"}}]}"#
            ),
            calls: ["f({})", "g({})"], end: "calls"),
        Row(
            name: "the stream ends within a call", items: [piece(0, id: "a", name: "f", #"{"x""#)],
            end: "failed: the endpoint's stream ended without a finish reason", isCut: true),
    ]

    static let texts: [Row] = [
        Row(
            name: "as OpenAI writes it",
            items: [delta(#"{"role":"assistant","content":""}"#), delta(#"{"content":"Hel\u006c"}"#), delta(#"{"content":"o \"\\\n"}"#), stop],
            whole: message(#"{"role":"assistant","content":"Hello \"\\\n"}"#), text: "Hello \"\\\n"),
        Row(
            name: "content as a list of parts",
            items: [
                delta(#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#),
                delta(#"{"content":[{"type":"text","text":"yes"}]}"#), stop,
            ], whole: message(#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"yes"}]}"#),
            text: "yes",
            thinking: "hm"),
        Row(
            name: "thinking in two words at once", items: [delta(#"{"reasoning":"hm","reasoning_content":"hm"}"#), delta(#"{"content":"a"}"#), stop],
            whole: message(#"{"reasoning":"hm","reasoning_content":"hm","content":"a"}"#), text: "a", thinking: "hm"),
        Row(
            name: "thinking and text in one item", items: [delta(#"{"reasoning":"hm","content":"a"}"#), stop],
            whole: message(#"{"reasoning":"hm","content":"a"}"#), text: "a", thinking: "hm"),
        Row(
            name: "thinking in details",
            items: [delta(#"{"reasoning_details":[{"type":"reasoning.text","text":"hm"}]}"#), delta(#"{"content":"a"}"#), stop],
            whole: message(#"{"reasoning_details":[{"type":"reasoning.text","text":"hm"}],"content":"a"}"#), text: "a", thinking: "hm"),
        Row(
            name: "an empty reason in each item",
            items: [delta(#"{"content":"a"}"#, #","finish_reason":"""#), delta(#"{"content":"b"}"#, #","finish_reason":"stop""#)],
            text: "ab"),
        Row(
            name: "an empty reason in each item, and cut", items: [delta(#"{"content":"a"}"#, #","finish_reason":"""#)], text: "a",
            end: "failed: the endpoint's stream ended without a finish reason", isCut: true),
        Row(
            name: "a reason of another vendor", items: [delta(#"{"content":"a"}"#, #","finish_reason":"model_length""#)],
            whole: message(#"{"content":"a"}"#, #","finish_reason":"model_length""#), text: "a", end: "length"),
        Row(name: "no reason, but said to be done", items: [delta(#"{"content":"a"}"#)], text: "a"),
        Row(name: "no [DONE], but a reason", items: [delta(#"{"content":"a"}"#), stop], text: "a", isCut: true),
        Row(
            name: "whole messages in the items", items: [#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}"#],
            whole: message(#"{"content":"a"}"#), text: "a"),
        Row(
            name: "a refusal", items: [delta(#"{"refusal":"I will not"}"#), stop], whole: message(#"{"content":null,"refusal":"I will not"}"#),
            text: "I will not"),
        Row(
            name: "a filter", items: [delta(#"{"content":"a"}"#), delta("{}", #","finish_reason":"content_filter""#)],
            whole: message(#"{"content":"a"}"#, #","finish_reason":"content_filter""#), text: "a", end: "refusal"),
    ]

    static let failures: [Row] = [
        Row(
            name: "an error in the middle", items: [delta(#"{"content":"a"}"#), #"{"error":{"message":"out of memory","code":500}}"#], text: "a",
            end: "failed: out of memory"),
        Row(
            name: "a reason that is an error",
            items: [delta(#"{"content":"a"}"#), delta("{}", #","finish_reason":"error","error":{"message":"gone"}"#)],
            whole: message(#"{"content":"a"}"#, #","finish_reason":"error","error":{"message":"gone"}"#), text: "a", end: "failed: gone"),
        Row(
            name: "a choice's own error", items: [delta(#"{"content":"a"}"#), #"{"choices":[{"index":0,"error":{"message":"gone","code":502}}]}"#],
            whole: #"{"choices":[{"index":0,"message":{"content":""},"error":{"message":"gone","code":502}}]}"#, text: "a", end: "failed: gone"),
        Row(
            name: "an error with a good status", items: [#"{"error":{"message":{"detail":"no \"room\""}}}"#],
            whole: #"{"error":{"message":{"detail":"no \"room\""}}}"#, end: "failed: no \"room\""),
        Row(
            name: "an error as a text", items: [#"{"error":"broken"}"#], whole: #"{"error":"broken"}"#, end: "failed: broken"),
        Row(
            name: "an error as an object of its own", items: [#"{"object":"error","message":"bad","code":400}"#],
            whole: #"{"object":"error","message":"bad","code":400}"#, end: "failed: bad"),
        Row(name: "what is no JSON", items: ["{oops"], whole: "{oops", end: "failed: "),
    ]

    private static let everything: [Row] = calls + texts + failures

    @Test(arguments: everything, AnswerTrial.Client.allCases)
    func isReadWhoeverAsksAndHowever(_ row: Row, _ client: AnswerTrial.Client) throws {
        let stream = row.items.map { "data: \($0)\n\n" }.joined() + (row.isCut ? "" : "data: [DONE]\n\n")
        for wantsStream in [true, false] {
            let trial = AnswerTrial(client: client, stream: wantsStream)
            if !row.items.isEmpty {
                for framing in [StreamFraming.serverSentEvents, nil] {
                    check(row, try trial.told(Array(stream.utf8), framing: framing), "streamed to \(client), which wants a stream: \(wantsStream)")
                }
            }
            if let whole = row.whole {
                check(row, try trial.told(Array(whole.utf8), framing: nil), "whole to \(client), which wants a stream: \(wantsStream)")
            }
        }
    }

    private func check(_ row: Row, _ told: AnswerTrial.Told, _ how: Comment) {
        if row.end.hasPrefix("failed") {
            #expect(told.end.hasPrefix(row.end), how)
            return
        }
        #expect(told.text == row.text, how)
        #expect(told.thinking == row.thinking, how)
        // What is cut off is no call, whatever the dialect makes of it.
        if row.end == "length" { #expect(told.end != "calls", how) } else { #expect(told.calls == row.calls, how) }
        if row.end != "refusal" { #expect(told.end == row.end, how) }
    }

    /// Breaks when a tool is run with what the model did not say. Where arguments are an object, what is none is an error; a text goes on as
    /// it is.
    @Test(arguments: [
        #"{"x":"ab"#, #"{"x":1,}"#, #"{"x":1}{"y":2}"#, #"{"x":1} and so on"#, "[1]", "1", "f(x)",
    ])
    func argumentsThatAreNoObjectMakeNoCall(_ arguments: String) throws {
        let whole = Self.message(
            #"{"content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":\#(JSONText.quoted(arguments))}}]}"#,
            #","finish_reason":"tool_calls""#)
        for (client, stream) in [(AnswerTrial.Client.ollama, true), (.ollama, false), (.messages, false)] {
            let told = try AnswerTrial(client: client, stream: stream).told(Array(whole.utf8), framing: nil)
            #expect(told.end == "failed: the model called f with arguments that are no JSON object" && told.calls.isEmpty, "\(client) \(stream)")
        }
        let told = try AnswerTrial(client: .responses, stream: false).told(Array(whole.utf8), framing: nil)
        #expect(told.calls == ["f(\(arguments))"])
    }

    @Test(arguments: [("null", "{}"), (#""{\"x\":1}""#, #"{"x":1}"#), ("  ", "{}")])
    func argumentsThatMeanAnObjectAreOne(_ arguments: String, _ object: String) throws {
        let whole = Self.message(
            #"{"content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":\#(JSONText.quoted(arguments))}}]}"#,
            #","finish_reason":"tool_calls""#)
        for client in [AnswerTrial.Client.ollama, .messages] {
            #expect(try AnswerTrial(client: client, stream: false).told(Array(whole.utf8), framing: nil).calls == ["f(\(object))"], "\(client)")
        }
    }

    /// A stream whose end says all of it once more must not grow without an end.
    @Test func aStreamThatNeverEndsIsEnded() throws {
        let item = Array("data: \(Self.delta(#"{"content":"\#(String(repeating: "x", count: 8000))"}"#))\n\n".utf8)
        let answer = try AnswerTrial(client: .responses, stream: true).answer(framing: .serverSentEvents)
        var out = ""
        for _ in 0..<2200 where !out.contains("response.failed") {
            out = String(decoding: item.withUnsafeBytes { answer.feed($0) { _ in AnswerTrial.time } }.suffix(2000), as: UTF8.self)
        }
        #expect(out.contains("larger than 16777216 bytes"))
    }

    /// However the network cuts a stream, the client gets the same.
    @Test(arguments: calls + texts)
    func cutsChangeNothing(_ row: Row) throws {
        let bytes = Array((row.items.map { "data: \($0)\r\n\r\n" }.joined() + (row.isCut ? "" : "data: [DONE]\r\n\r\n")).utf8)
        for client in AnswerTrial.Client.allCases {
            let trial = AnswerTrial(client: client, stream: true)
            let whole = try trial.run(bytes).out
            for piece in [1, 2, 7, 64] {
                let cut = try trial.run(bytes, piece: piece).out
                #expect(cut == whole, "to \(client), in pieces of \(piece)")
            }
        }
    }

    @Test func anEventThatIsNamedAnErrorIsOne() throws {
        let bytes = Array("data: \(Self.delta(#"{"content":"a"}"#))\n\nevent: error\ndata: {\"message\":\"overloaded\"}\n\n".utf8)
        for client in AnswerTrial.Client.allCases {
            let told = try AnswerTrial(client: client, stream: true).told(bytes)
            #expect(told.end == "failed: overloaded", "\(client)")
        }
    }

    /// A pair of surrogates in two pieces is one character for whoever joins them.
    @Test func halfAPairStaysHalfAPair() throws {
        let items = [Self.delta(#"{"content":"\ud83d"}"#), Self.delta(#"{"content":"\ude00"}"#), Self.stop]
        let bytes = Array(items.map { "data: \($0)\n\n" }.joined().utf8)
        for client in AnswerTrial.Client.allCases {
            let out = try AnswerTrial(client: client, stream: true).run(bytes).out
            #expect(out.contains(#":"\ud83d""#) && out.contains(#":"\ude00""#), "\(client)")
        }
    }

    /// A stream of nonsense, cut anywhere.
    @Test func randomAnswersNeverHarm() throws {
        var random = SplitMix64(seed: 11)
        for round in 0..<1500 {
            let items = (0..<4).map { _ in JSONValue.random(depth: 5, using: &random).text }
            let client = AnswerTrial.Client.allCases[round % 4]
            let trial = AnswerTrial(client: client, stream: round % 8 < 4, kind: round % 3 == 0 ? .ollama : .openAI)
            let separator = round % 3 == 0 ? "\n" : "\n\n"
            let bytes = Array(items.map { (round % 3 == 0 ? "" : "data: ") + $0 + separator }.joined().utf8)
            let framing: StreamFraming? = round % 5 == 0 ? nil : round % 3 == 0 ? .newlineJSON : .serverSentEvents
            _ = try trial.run(bytes, framing: framing, piece: Int.random(in: 1...80, using: &random))
        }
    }
}
