// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import Testing

@testable import Core

/// What breaks without these: an Ollama client gets an answer that is not what the endpoint said, or figures that nobody measured.
@Suite struct ChatToOllamaTests {
    struct Row: Sendable, CustomStringConvertible {
        var name: String
        /// Events of the stream, or one whole answer.
        var events: [String]
        var wanted: [String]
        var route = ChatToOllama.Route.chat
        var hidesThinking = false
        var description: String { name }
    }

    static let time = AnswerTime(total: 9000, sinceFirstItem: nil, now: "T")

    private static func delta(_ delta: String, _ rest: String = #","finish_reason":null"#) -> String {
        #"{"choices":[{"index":0,"delta":\#(delta)\#(rest)}]}"#
    }

    private static let head = #"{"model":"asked","created_at":"T","#

    private static let streams = [
        Row(
            name: "OpenAI",
            events: [
                delta(#"{"role":"assistant","content":""}"#), delta(#"{"content":"Hel"}"#), delta(#"{"content":"lo"}"#),
                delta("{}", #","finish_reason":"stop""#),
                #"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#, "[DONE]",
            ],
            wanted: [
                head + #""message":{"role":"assistant","content":"Hel"},"done":false}"#,
                head + #""message":{"role":"assistant","content":"lo"},"done":false}"#,
                head
                    + #""message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9000,"prompt_eval_count":5,"eval_count":2,"eval_duration":3}"#,
            ]),
        Row(
            name: "llama-server's timings",
            events: [
                delta(#"{"reasoning_content":"hm"}"#),
                delta(#"{"content":"x"}"#, #","finish_reason":"length""#).dropLast()
                    + #","timings":{"cache_n":3,"prompt_n":4,"prompt_ms":1.5,"predicted_n":2,"predicted_ms":2}}"#, "[DONE]",
            ],
            wanted: [
                head + #""message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
                head + #""message":{"role":"assistant","content":"x"},"done":false}"#,
                head
                    + #""message":{"role":"assistant","content":""},"done":true,"done_reason":"length","total_duration":9000,"prompt_eval_count":7,"prompt_eval_duration":1500000,"eval_count":2,"eval_duration":2000000}"#,
            ]),
        Row(
            name: "parallel tool calls in turns",
            events: [
                delta(
                    #"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}},{"index":1,"id":"b","function":{"name":"g","arguments":""}}]}"#
                ),
                delta(#"{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}"#),
                delta(#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#),
                delta("{}", #","finish_reason":"tool_calls""#), "[DONE]",
            ],
            wanted: [
                head
                    + #""message":{"role":"assistant","content":"","tool_calls":[{"id":"a","function":{"index":0,"name":"f","arguments":{"x":1}}},{"id":"b","function":{"index":1,"name":"g","arguments":{}}}]},"done":false}"#,
                head + #""message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9000}"#,
            ]),
        Row(
            name: "thinking that the client does not want",
            events: [delta(#"{"reasoning":"hm"}"#), delta(#"{"content":"x"}"#, #","finish_reason":"stop""#), "[DONE]"],
            wanted: [
                head + #""message":{"role":"assistant","content":"x"},"done":false}"#,
                head + #""message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9000,"eval_duration":2}"#,
            ], hidesThinking: true),
        Row(
            name: "generate, with logprobs",
            events: [
                #"{"choices":[{"index":0,"delta":{"content":"x"},"logprobs":{"content":[{"token":"x","logprob":-0.5}]},"finish_reason":null}]}"#,
                delta("{}", #","finish_reason":"stop""#),
            ],
            wanted: [
                head + #""response":"x","logprobs":[{"token":"x","logprob":-0.5}],"done":false}"#,
                head + #""response":"","done":true,"done_reason":"stop","total_duration":9000,"eval_duration":1}"#,
            ], route: .generate),
        Row(
            name: "raw", events: [#"{"choices":[{"index":0,"text":"a","finish_reason":"stop"}]}"#, "[DONE]"],
            wanted: [
                head + #""response":"a","done":false}"#,
                head + #""response":"","done":true,"done_reason":"stop","total_duration":9000,"eval_duration":1}"#,
            ],
            route: .raw),
        Row(
            name: "an error in the middle", events: [delta(#"{"content":"x"}"#), #"{"error":{"message":"out of memory","code":500}}"#],
            wanted: [head + #""message":{"role":"assistant","content":"x"},"done":false}"#, #"{"error":"out of memory"}"#]),
        Row(
            name: "an end without a reason", events: [delta(#"{"content":"x"}"#)],
            wanted: [
                head + #""message":{"role":"assistant","content":"x"},"done":false}"#,
                #"{"error":"the endpoint's stream ended without a finish reason"}"#,
            ]),
        Row(
            name: "an event beyond the limit", events: [String(repeating: "x", count: 10_001)],
            wanted: [#"{"error":"the endpoint sent an event of more than 10000 bytes"}"#]),
        Row(name: "what is no JSON", events: ["{oops"], wanted: [#"{"error":"the endpoint sent an event that is no JSON"}"#]),
    ]

    /// Fed in pieces of every length up to the whole.
    private func run(_ row: Row, piece: Int) -> [String] {
        var answer = TranslatedAnswer(ChatToOllama(model: "asked", route: row.route, hidesThinking: row.hidesThinking), lineLimit: 10_000)
        answer.begin(status: 200, isEventStream: true)
        let bytes = Array(row.events.map { "data: \($0)\n\n" }.joined().utf8)
        var text = ""
        var items = 0
        for start in stride(from: 0, to: bytes.count, by: piece) {
            text += Array(bytes[start..<min(start + piece, bytes.count)]).withUnsafeBytes { bytes in
                answer.feed(bytes) { isItem in
                    if isItem { items += 1 }
                    return AnswerTime(total: 9000, sinceFirstItem: items, now: "T")
                }
            }
        }
        if case .text(let rest, _) = answer.finish(Self.time) { text += rest }
        return text.split(separator: "\n").map(String.init)
    }

    @Test(arguments: streams)
    func streamsSayTheSame(_ row: Row) {
        for piece in [1, 7, 64, 100_000] { #expect(run(row, piece: piece) == row.wanted, "in pieces of \(piece)") }
    }

    private func whole(_ translation: any AnswerTranslation, _ text: String, status: Int = 200) -> TranslatedAnswer.Ending {
        var answer = TranslatedAnswer(translation, lineLimit: 1000)
        answer.begin(status: status, isEventStream: false)
        _ = Array(text.utf8).withUnsafeBytes { answer.feed($0) { _ in Self.time } }
        return answer.finish(Self.time)
    }

    /// An endpoint may say what it likes; it must not end the daemon by it.
    @Test(arguments: [
        #""timings":{"prompt_ms":1e300,"predicted_ms":-1e300,"predicted_n":2}"#,
        #""timings":{"cache_n":9223372036854775807,"prompt_n":9223372036854775807,"predicted_n":9223372036854775807}"#,
        #""usage":{"prompt_tokens":9223372036854775807,"completion_tokens":9223372036854775807}"#,
    ])
    func figuresBeyondAllReasonAreSurvived(figures: String) {
        var chat = ChatToOllama(model: "asked", route: .chat, hidesThinking: false)
        chat.spent = TokenSum(input: 1, output: 1)
        guard case .answer = whole(chat, #"{"choices":[{"message":{"content":"x"}}],\#(figures)}"#) else {
            Issue.record("no answer")
            return
        }
    }

    @Test func wholeAnswersSayTheSame() throws {
        let chat = ChatToOllama(model: "asked", route: .chat, hidesThinking: false)
        let answer =
            #"{"choices":[{"message":{"role":"assistant","content":null,"reasoning_content":"t","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#
        #expect(
            whole(chat, answer)
                == .answer(
                    try JSONValue(
                        unchecked:
                            #"{"model":"asked","created_at":"T","message":{"role":"assistant","content":"","thinking":"t","tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}}]},"done":true,"done_reason":"stop","total_duration":9000,"prompt_eval_count":1,"eval_count":2}"#
                    )))
        #expect(whole(chat, "{}") == .error(status: 502, message: "the endpoint's answer has no choices"))
        #expect(whole(chat, "<html>") == .error(status: 502, message: "the endpoint's answer is no JSON"))
    }

    @Test(arguments: [
        (#"{"error":{"message":"too long","code":400}}"#, 400, "too long"), (#"{"error":"nope"}"#, 404, "nope"), (#"{"detail":"d"}"#, 422, "d"),
        ("plain", 500, "plain"), ("<html>", 502, "the endpoint answered with status 502"), ("", 503, "the endpoint answered with status 503"),
    ])
    func refusalsKeepTheirStatusAndWords(_ body: String, _ status: Int, _ message: String) {
        #expect(
            whole(ChatToOllama(model: "m", route: .chat, hidesThinking: false), body, status: status) == .error(status: status, message: message))
    }

    @Test func embeddingsKeepCountAndOrderAndHaveNoHoles() throws {
        let batch = OllamaEmbeddings(model: "asked", isBatch: true, count: 2)
        let answer =
            #"{"data":[{"index":1,"embedding":[NaN,2.50]},{"index":0,"embedding":[1,-Infinity,null]}],"usage":{"prompt_tokens":4},"x":"NaN"}"#
        #expect(
            whole(batch, answer)
                == .answer(
                    try JSONValue(
                        unchecked: #"{"model":"asked","embeddings":[[1,0.0,0.0],[0.0,2.50]],"total_duration":9000,"prompt_eval_count":4}"#)))
        #expect(
            whole(OllamaEmbeddings(model: "m", isBatch: false, count: 1), #"{"data":[{"embedding":[1]}]}"#)
                == .answer(try JSONValue(unchecked: #"{"embedding":[1]}"#)))
        #expect(whole(batch, #"{"data":[]}"#) == .error(status: 502, message: "the endpoint gave 0 embeddings for 2 inputs"))
    }

    @Test func randomAnswersNeverHarm() {
        var random = SplitMix64(seed: 3)
        for _ in 0..<2000 {
            let item = JSONValue.random(depth: 5, using: &random)
            var chat = ChatToOllama(model: "m", route: .chat, hidesThinking: false)
            _ = chat.item(item, Self.time) + chat.end(Self.time)
            _ = try? chat.whole(item, Self.time)
            var embeddings = OllamaEmbeddings(model: "m", isBatch: true, count: 1)
            _ = try? embeddings.whole(item, Self.time)
        }
    }
}
