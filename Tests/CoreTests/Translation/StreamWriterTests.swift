// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import JSON
import Testing

@testable import Core

/// What breaks without these: a client gets events in an order that its library refuses, or figures that nobody measured.
@Suite struct StreamWriterTests {
    private static let time = AnswerTrial.time

    private static func delta(_ delta: String, _ rest: String = #","finish_reason":null"#) -> String {
        #"{"choices":[{"index":0,"delta":\#(delta)\#(rest)}]}"#
    }

    private static func stream(_ items: [String]) -> [UInt8] { Array((items.map { "data: \($0)\n\n" }.joined() + "data: [DONE]\n\n").utf8) }

    // MARK: Ollama

    struct Row: Sendable, CustomStringConvertible {
        var name: String
        var items: [String]
        var wanted: [String]
        var route = OllamaStreamWriter.Route.chat
        var hidesThinking = false
        var description: String { name }
    }

    private static let head = #"{"model":"asked","created_at":"T","#

    private static let rows: [Row] = [
        Row(
            name: "OpenAI",
            items: [
                delta(#"{"role":"assistant","content":""}"#), delta(#"{"content":"Hel"}"#), delta(#"{"content":"lo"}"#),
                delta("{}", #","finish_reason":"stop""#), #"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#,
            ],
            wanted: [
                head + #""message":{"role":"assistant","content":"Hel"},"done":false}"#,
                head + #""message":{"role":"assistant","content":"lo"},"done":false}"#,
                head
                    + #""message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9000,"prompt_eval_count":5,"eval_count":2,"eval_duration":3}"#,
            ]),
        Row(
            name: "llama-server's timings",
            items: [
                delta(#"{"reasoning_content":"hm"}"#),
                delta(#"{"content":"x"}"#, #","finish_reason":"length""#).dropLast()
                    + #","timings":{"cache_n":3,"prompt_n":4,"prompt_ms":1.5,"predicted_n":2,"predicted_ms":2}}"#,
            ],
            wanted: [
                head + #""message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
                head + #""message":{"role":"assistant","content":"x"},"done":false}"#,
                head
                    + #""message":{"role":"assistant","content":""},"done":true,"done_reason":"length","total_duration":9000,"prompt_eval_count":7,"prompt_eval_duration":1500000,"eval_count":2,"eval_duration":2000000}"#,
            ]),
        Row(
            name: "parallel tool calls in turns",
            items: [
                delta(
                    #"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}},{"index":1,"id":"b","function":{"name":"g","arguments":""}}]}"#
                ),
                delta(#"{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}"#),
                delta(#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#), delta("{}", #","finish_reason":"tool_calls""#),
            ],
            wanted: [
                head
                    + #""message":{"role":"assistant","content":"","tool_calls":[{"id":"a","function":{"index":0,"name":"f","arguments":{"x":1}}},{"id":"b","function":{"index":1,"name":"g","arguments":{}}}]},"done":false}"#,
                head + #""message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9000}"#,
            ]),
        Row(
            name: "thinking that the client does not want",
            items: [delta(#"{"reasoning":"hm"}"#), delta(#"{"content":"x"}"#, #","finish_reason":"stop""#)],
            wanted: [
                head + #""message":{"role":"assistant","content":"x"},"done":false}"#,
                head + #""message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9000,"eval_duration":2}"#,
            ], hidesThinking: true),
        Row(
            name: "generate, with logprobs",
            items: [
                #"{"choices":[{"index":0,"delta":{"content":"x"},"logprobs":{"content":[{"token":"x","logprob":-0.5}]},"finish_reason":null}]}"#,
                delta("{}", #","finish_reason":"stop""#),
            ],
            wanted: [
                head + #""response":"x","logprobs":[{"token":"x","logprob":-0.5}],"done":false}"#,
                head + #""response":"","done":true,"done_reason":"stop","total_duration":9000,"eval_duration":1}"#,
            ], route: .generate),
        Row(
            name: "raw", items: [#"{"choices":[{"index":0,"text":"a","finish_reason":"stop"}]}"#],
            wanted: [
                head + #""response":"a","done":false}"#,
                head + #""response":"","done":true,"done_reason":"stop","total_duration":9000,"eval_duration":1}"#,
            ], route: .generate),
        Row(
            name: "an error in the middle", items: [delta(#"{"content":"x"}"#), #"{"error":{"message":"out of memory","code":500}}"#],
            wanted: [head + #""message":{"role":"assistant","content":"x"},"done":false}"#, #"{"error":"out of memory"}"#]),
        Row(
            name: "an event beyond the limit", items: [String(repeating: "x", count: 10_001)],
            wanted: [#"{"error":"the endpoint sent an event of more than 10000 bytes"}"#]),
        Row(name: "what is no JSON", items: ["{oops"], wanted: [#"{"error":"the endpoint sent an event that is no JSON"}"#]),
    ]

    @Test(arguments: rows)
    func ollamaGetsItsLines(_ row: Row) {
        for piece in [1, 7, 64, 100_000] {
            let writer = OllamaStreamWriter(model: "asked", route: row.route, hidesThinking: row.hidesThinking)
            let translation = ConversationTranslation(ChatStreamReader(id: "1"), .serverSentEvents, writer, wantsStream: true)
            let answer = TranslatedAnswer(.conversation(translation), lineLimit: 10_000)
            answer.begin(status: 200, framing: .serverSentEvents)
            let bytes = Self.stream(row.items)
            var out: [UInt8] = []
            var items = 0
            for start in stride(from: 0, to: bytes.count, by: piece) {
                out += Array(bytes[start..<min(start + piece, bytes.count)]).withUnsafeBytes { bytes in
                    answer.feed(bytes) { isItem in
                        if isItem { items += 1 }
                        return AnswerTime(total: 9000, sinceFirstItem: items, now: "T")
                    }
                }
            }
            if case .stream(let rest, _) = answer.finish(Self.time) { out += rest }
            let lines = String(decoding: out, as: UTF8.self).split(separator: "\n").map(String.init)
            #expect(lines == row.wanted, "in pieces of \(piece)")
        }
    }

    private func ending(_ trial: AnswerTrial, _ text: String, status: Int = 200) throws -> TranslatedAnswer.Ending {
        let answer = try trial.answer(status: status)
        _ = Array(text.utf8).withUnsafeBytes { answer.feed($0) { _ in Self.time } }
        return answer.finish(Self.time)
    }

    private static let whole =
        #"{"choices":[{"message":{"role":"assistant","content":null,"reasoning_content":"t","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}}"#

    @Test(arguments: [
        (
            AnswerTrial.Client.ollama,
            #"{"model":"asked","created_at":"T","message":{"role":"assistant","content":"","thinking":"t","tool_calls":[{"id":"a","function":{"index":0,"name":"f","arguments":{"x":1}}}]},"done":true,"done_reason":"stop","total_duration":9000,"prompt_eval_count":10,"eval_count":2}"#
        ),
        (
            .messages,
            #"{"id":"msg_1","type":"message","role":"assistant","model":"asked","content":[{"type":"thinking","thinking":"t","signature":""},{"type":"tool_use","id":"a","name":"f","input":{"x":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":2,"cache_read_input_tokens":3}}"#
        ),
        (
            .chat,
            #"{"id":"chatcmpl-1","object":"chat.completion","created":5,"model":"asked","choices":[{"index":0,"message":{"role":"assistant","content":null,"reasoning_content":"t","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":3}}}"#
        ),
    ])
    func wholeAnswersSayTheSame(_ client: AnswerTrial.Client, _ wanted: String) throws {
        let ending = try ending(AnswerTrial(client: client, stream: false), Self.whole)
        guard case .answer(let bytes, let type) = ending else {
            Issue.record("\(ending)")
            return
        }
        #expect(String(decoding: bytes, as: UTF8.self) == wanted)
        #expect(type.hasPrefix("application/json"))
    }

    @Test func whatIsNoAnswerIsAnError() throws {
        let trial = AnswerTrial(client: .ollama, stream: false)
        #expect(try ending(trial, "{}") == .error(status: 502, message: "the endpoint's answer has no choices"))
        #expect(try ending(trial, "<html>") == .error(status: 502, message: "the endpoint's answer is no JSON"))
        #expect(try ending(trial, "") == .error(status: 502, message: "the endpoint's answer is no JSON"))
    }

    @Test(arguments: [
        (#"{"error":{"message":"too long","code":400}}"#, 400, "too long"), (#"{"error":"nope"}"#, 404, "nope"), (#"{"detail":"d"}"#, 422, "d"),
        (#"{"detail":[{"loc":["body","x"],"msg":"not permitted"}]}"#, 422, "x: not permitted"), ("plain", 500, "plain"),
        ("<html>", 502, "the endpoint answered with status 502"), ("", 503, "the endpoint answered with status 503"),
    ])
    func refusalsKeepTheirStatusAndWords(_ body: String, _ status: Int, _ message: String) throws {
        for stream in [true, false] {
            #expect(try ending(AnswerTrial(client: .messages, stream: stream), body, status: status) == .error(status: status, message: message))
        }
    }

    /// An endpoint may say what it likes; it must not end the daemon by it.
    @Test(
        arguments: [
            #""timings":{"prompt_ms":1e300,"predicted_ms":-1e300,"predicted_n":2}"#,
            #""timings":{"cache_n":9223372036854775807,"prompt_n":9223372036854775807,"predicted_n":9223372036854775807}"#,
            #""usage":{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}"#,
            #""usage":{"prompt_tokens":-9223372036854775807,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9223372036854775807}}"#,
        ], AnswerTrial.Client.allCases)
    func figuresBeyondAllReasonAreSurvived(figures: String, client: AnswerTrial.Client) throws {
        for stream in [true, false] {
            let ending = try ending(AnswerTrial(client: client, stream: stream), #"{"choices":[{"message":{"content":"x"}}],\#(figures)}"#)
            guard case .answer = ending else {
                Issue.record("\(ending)")
                return
            }
        }
    }

    @Test func embeddingsKeepCountAndOrderAndHaveNoHoles() throws {
        func whole(_ body: OllamaEmbeddings, _ text: String) -> TranslatedAnswer.Ending {
            let answer = TranslatedAnswer(.body(body), lineLimit: 1000)
            answer.begin(status: 200, framing: nil)
            _ = Array(text.utf8).withUnsafeBytes { answer.feed($0) { _ in Self.time } }
            return answer.finish(Self.time)
        }
        func json(_ text: String) -> TranslatedAnswer.Ending { .answer(Array(text.utf8), contentType: LocalAnswer.jsonType) }
        let batch = OllamaEmbeddings(model: "asked", isBatch: true, count: 2)
        let answer =
            #"{"data":[{"index":1,"embedding":[NaN,2.50]},{"index":0,"embedding":[1,-Infinity,null]}],"usage":{"prompt_tokens":4},"x":"NaN"}"#
        #expect(
            whole(batch, answer) == json(#"{"model":"asked","embeddings":[[1,0.0,0.0],[0.0,2.50]],"total_duration":9000,"prompt_eval_count":4}"#))
        #expect(whole(OllamaEmbeddings(model: "m", isBatch: false, count: 1), #"{"data":[{"embedding":[1]}]}"#) == json(#"{"embedding":[1]}"#))
        #expect(whole(batch, #"{"data":[]}"#) == .error(status: 502, message: "the endpoint gave 0 embeddings for 2 inputs"))
    }

    // MARK: Anthropic and Responses

    /// Thinking, text, and two calls whose pieces come in turns.
    private static let items = [
        delta(#"{"role":"assistant","content":""}"#), delta(#"{"reasoning_content":"hm"}"#), delta(#"{"content":"Hel"}"#),
        delta(#"{"content":"lo"}"#), delta(#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}"#),
        delta(#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}},{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}"#),
        delta(#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#), delta("{}", #","finish_reason":"tool_calls""#),
        #"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3}}}"#,
    ]

    private func events(_ client: AnswerTrial.Client, _ items: [String], more: String = "") throws -> [(name: String, data: JSONValue)] {
        let trial = AnswerTrial(client: client, stream: true, more: more)
        return try AnswerTrial.events(trial.run(Self.stream(items)).out).map { event in
            let data = try JSONValue(unchecked: event.data)
            #expect(data["type"]?.string == event.name)
            return (event.name, data)
        }
    }

    @Test func anthropicsEventsComeInTheirOrder() throws {
        let events = try events(.messages, Self.items)
        #expect(
            events.map { "\($0.name) \($0.data["index"]?.integer ?? -1)" } == [
                "message_start -1", "content_block_start 0", "content_block_delta 0", "content_block_stop 0", "content_block_start 1",
                "content_block_delta 1", "content_block_delta 1", "content_block_stop 1", "content_block_start 2", "content_block_delta 2",
                "content_block_delta 2", "content_block_stop 2", "content_block_start 3", "content_block_delta 3", "content_block_stop 3",
                "message_delta -1", "message_stop -1",
            ])
        #expect(events[0].data["message"]?["model"] == "asked")
        let input = events.filter { $0.data["index"] == 2 }.compactMap { $0.data["delta"]?["partial_json"]?.string }.joined()
        #expect(input == #"{"x":1}"#)
        #expect(events[15].data["delta"]?["stop_reason"] == "tool_use")
        #expect(events[15].data["usage"]?.text == #"{"input_tokens":7,"output_tokens":4,"cache_read_input_tokens":3}"#)
    }

    @Test func responsesEventsComeInTheirOrder() throws {
        let events = try events(.responses, Self.items, more: #","instructions":"be brief""#)
        #expect(
            events.map { $0.name.replacing("response.", with: "") } == [
                "created", "in_progress", "output_item.added", "reasoning_text.delta", "reasoning_text.done", "output_item.done", "output_item.added",
                "content_part.added", "output_text.delta", "output_text.delta", "output_text.done", "content_part.done", "output_item.done",
                "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta", "function_call_arguments.done",
                "output_item.done", "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
                "completed",
            ])
        #expect(events.compactMap { $0.data["sequence_number"]?.integer } == Array(0..<events.count))
        let last = try #require(events.last?.data["response"])
        #expect(last["output"]?.array?.map { $0["type"]?.string ?? "" } == ["reasoning", "message", "function_call", "function_call"])
        #expect(last["usage"]?["total_tokens"] == 14 && last["instructions"] == "be brief" && last["status"] == "completed")
        let items = events.filter { $0.name == "response.output_item.done" }.compactMap { $0.data["item"] }
        #expect(items == last["output"]?.array)
    }

    /// A client that patches files by a tool of plain text, and one whose functions have a namespace, get their calls as they know them.
    @Test func toolsComeBackInTheFormThatTheClientKnows() throws {
        let tools =
            #","tools":[{"type":"custom","name":"apply_patch"},{"type":"namespace","name":"agents","tools":[{"type":"function","name":"ask"}]}]"#
        let items = [
            Self.delta(#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"apply_patch","arguments":"{\"input\":\"*** \\\"x\\\"\"}"}}]}"#),
            Self.delta(#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"agents__ask","arguments":"{}"}}]}"#, #","finish_reason":"stop""#),
        ]
        let events = try events(.responses, items, more: tools)
        let done = events.filter { $0.name == "response.output_item.done" }.compactMap { $0.data["item"]?.text }
        #expect(
            done == [
                #"{"id":"ctc_1_0","type":"custom_tool_call","status":"completed","call_id":"a","name":"apply_patch","input":"*** \"x\""}"#,
                #"{"id":"fc_1_1","type":"function_call","status":"completed","call_id":"b","name":"ask","namespace":"agents","arguments":"{}"}"#,
            ])
        #expect(events.compactMap { $0.data["sequence_number"]?.integer } == Array(0..<events.count))
        #expect(events.contains { $0.name == "response.custom_tool_call_input.done" && $0.data["input"] == #"*** "x""# })
        let whole = try AnswerTrial(client: .responses, stream: false, more: tools).told(Self.stream(items))
        #expect(whole.calls == [#"apply_patch(*** "x")"#, "ask({})"])
    }

    @Test func chatCompletionsGetTheirCountsOnlyIfAsked() throws {
        for (more, wanted) in [("", false), (#","stream_options":{"include_usage":true}"#, true)] {
            let out = try AnswerTrial(client: .chat, stream: true, more: more).run(Self.stream(Self.items)).out
            #expect(out.hasSuffix("data: [DONE]\n\n") && out.contains(#""choices":[],"usage":{"prompt_tokens":10"#) == wanted)
        }
    }

    // MARK: The manner

    @Test func theClientGetsTheMannerThatItAskedFor() throws {
        let whole = #"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#
        for client in AnswerTrial.Client.allCases {
            // A text although a stream was asked for, whatever its head says.
            for framing in [StreamFraming.serverSentEvents, nil] {
                let trial = AnswerTrial(client: client, stream: true)
                let (out, ending) = try trial.run(Array("\n \(whole)".utf8), framing: framing)
                #expect(try trial.read(out).text == "hi", "\(client)")
                if framing == nil {
                    guard case .answer(_, let type) = ending else {
                        Issue.record("\(ending)")
                        continue
                    }
                    #expect(type == (client == .ollama ? "application/x-ndjson" : "text/event-stream"))
                }
            }
        }
    }

    @Test func whatAnAnswerIsIsSeenInItsFirstBytes() throws {
        let answer = try AnswerTrial(client: .messages, stream: true).answer()
        #expect(answer.isGathered(status: 200, framing: nil) == nil && answer.isGathered(status: 200, framing: .serverSentEvents) == false)
        #expect(!Array("\r\n".utf8).withUnsafeBytes { answer.look(at: $0) })
        #expect(Array(": waiting\n".utf8).withUnsafeBytes { answer.look(at: $0) })
        #expect(answer.isGathered(status: 200, framing: nil) == false && answer.arrivalFraming == .serverSentEvents)
        let text = try AnswerTrial(client: .messages, stream: true).answer()
        #expect(Array("{".utf8).withUnsafeBytes { text.look(at: $0) })
        #expect(text.isGathered(status: 200, framing: nil) == true)
    }
}
