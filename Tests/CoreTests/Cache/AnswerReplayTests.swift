// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import Testing

@testable import Core

/// An answer kept in one manner is given in the other as the route itself would have said it; what is not whole is not kept.
@Suite struct AnswerReplayTests {
    private static let identity = AnswerReplay.Identity(id: "new", time: "2026-01-02T03:04:05Z", unixSeconds: 1_767_323_045)

    private static func request(_ route: CachedRoute, asked: String = "llama3") throws -> CacheRequest {
        let body = route == .ollamaGenerate || route == .completions ? #"{"prompt":"a"}"# : #"{"messages":[1]}"#
        return try CacheRequest(route, body: try JSONValue(parsing: body.utf8), asked: asked, model: "llama3:latest", tenant: "")
    }

    private static func replay(_ route: CachedRoute, _ answer: JSONValue, asked: String = "llama3") throws -> AnswerReplay {
        AnswerReplay(try request(route, asked: asked), answer: answer, askedBefore: "llama3", identity)
    }

    // MARK: Ollama

    static let chatLines = """
        {"model":"llama3","created_at":"2020-01-01T00:00:00Z","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}
        {"model":"llama3","created_at":"2020-01-01T00:00:00Z","message":{"role":"assistant","content":"Hel"},"done":false}
        {"model":"llama3","created_at":"2020-01-01T00:00:00Z","message":{"role":"assistant","content":"lo"},"done":false}
        {"model":"llama3","created_at":"2020-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":2}

        """

    @Test func anOllamaStreamBecomesAWholeAnswer() throws {
        let answer = try AnswerReading.read(.ollamaChat, framing: .newlineJSON, Self.chatLines.utf8)
        let whole = try JSONValue(parsing: Self.replay(.ollamaChat, answer, asked: "Llama3:latest").whole.utf8)
        #expect(whole["message"]?["content"] == "Hello" && whole["message"]?["thinking"] == "hm" && whole["message"]?["role"] == "assistant")
        #expect(whole["done"] == true && whole["done_reason"] == "stop" && whole["eval_count"] == 2)
        #expect(whole["created_at"] == .string(Self.identity.time))
        #expect(whole["model"] == "Llama3:latest", "as this client calls it")
    }

    @Test func aWholeOllamaAnswerBecomesAStream() throws {
        let kept =
            #"{"model":"llama3","created_at":"x","message":{"role":"assistant","content":"Hello"},"done":true,"done_reason":"stop","eval_count":2}"#
        let answer = try AnswerReading.read(.ollamaChat, framing: nil, kept.utf8)
        let replay = try Self.replay(.ollamaChat, answer)
        let lines = try replay.stream(tellsUsage: false).split(separator: "\n").map { try JSONValue(parsing: $0.utf8) }
        #expect(lines.count == 2 && replay.streamType == "application/x-ndjson")
        #expect(lines[0]["message"]?["content"] == "Hello" && lines[0]["done"] == false && lines[0]["eval_count"] == nil)
        #expect(lines[1]["message"]?["content"] == "" && lines[1]["done"] == true && lines[1]["eval_count"] == 2)
        #expect(lines.allSatisfy { $0["created_at"] == .string(Self.identity.time) })
        // And back again.
        let again = try AnswerReading.read(.ollamaChat, framing: .newlineJSON, replay.stream(tellsUsage: false).utf8)
        #expect(again["message"]?["content"] == "Hello" && again["eval_count"] == 2)
    }

    @Test func generateLikewise() throws {
        let stream =
            #"{"model":"m","response":"a","done":false}"# + "\n" + #"{"model":"m","response":"b","thinking":"t","done":false}"# + "\n"
            + #"{"model":"m","response":"","done":true,"context":[1,2]}"# + "\n"
        let answer = try AnswerReading.read(.ollamaGenerate, framing: .newlineJSON, stream.utf8)
        let replay = try Self.replay(.ollamaGenerate, answer)
        let whole = try JSONValue(parsing: replay.whole.utf8)
        #expect(whole["response"] == "ab" && whole["thinking"] == "t" && whole["context"] == [1, 2])
        #expect(whole["model"] == "m", "an endpoint's own name for the model stays")
        let lines = try replay.stream(tellsUsage: false).split(separator: "\n").map { try JSONValue(parsing: $0.utf8) }
        #expect(lines.count == 3 && lines[0]["thinking"] == "t" && lines[0]["response"] == "" && lines[1]["response"] == "ab")
        #expect(lines[2]["response"] == "" && lines[2]["thinking"] == nil && lines[2]["done"] == true)
    }

    // MARK: OpenAI

    static let events = """
        data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"llama3","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

        data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"llama3","choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}

        data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"llama3","choices":[{"index":1,"delta":{"role":"assistant","content":"B"},"finish_reason":null},{"index":0,"delta":{"content":"A"},"finish_reason":null}]}

        data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"llama3","choices":[{"index":0,"delta":{"content":"!"},"finish_reason":null}]}

        data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"llama3","choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{},"finish_reason":"stop"}]}

        data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"llama3","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}

        data: [DONE]


        """

    @Test func anOpenAIStreamBecomesAWholeAnswer() throws {
        let answer = try AnswerReading.read(.chat, framing: .serverSentEvents, Self.events.utf8)
        let whole = try JSONValue(parsing: Self.replay(.chat, answer).whole.utf8)
        #expect(whole["object"] == "chat.completion" && whole["id"] == "chatcmpl-new" && whole["created"] == .integer(Self.identity.unixSeconds))
        #expect(whole["system_fingerprint"] == "fp" && whole["usage"]?["total_tokens"] == 5)
        let choices = try #require(whole["choices"]?.array)
        #expect(choices.count == 2)
        #expect(choices[0]["message"]?["content"] == "A!" && choices[0]["message"]?["reasoning_content"] == "hm")
        #expect(choices[1]["message"]?["content"] == "B" && choices[1]["finish_reason"] == "stop" && choices[1]["index"] == 1)
        #expect(choices[0]["message"]?["role"] == "assistant")
    }

    @Test func aWholeOpenAIAnswerBecomesAStream() throws {
        let answer = try AnswerReading.read(.chat, framing: .serverSentEvents, Self.events.utf8)
        for tells in [true, false] {
            let text = try Self.replay(.chat, answer).stream(tellsUsage: tells)
            #expect(text.hasSuffix("data: [DONE]\n\n"))
            let items = try text.split(separator: "\n\n").dropLast().map { try JSONValue(parsing: $0.dropFirst(6).utf8) }
            #expect(items.allSatisfy { $0["object"] == "chat.completion.chunk" && $0["id"] == "chatcmpl-new" })
            #expect(items.filter { $0["usage"] != nil }.count == (tells ? 1 : 0))
            #expect(items.count == (tells ? 8 : 7), "two beginnings, three texts, two ends, and the counts")
            let again = try AnswerReading.read(.chat, framing: .serverSentEvents, text.utf8)
            #expect(again["choices"] == answer["choices"])
        }
    }

    @Test func completionsLikewise() throws {
        let kept =
            #"{"id":"x","object":"text_completion","created":1,"model":"llama3","choices":[{"index":0,"text":"ab","finish_reason":"stop","logprobs":null}],"usage":{"total_tokens":2}}"#
        let answer = try AnswerReading.read(.completions, framing: nil, kept.utf8)
        let text = try Self.replay(.completions, answer).stream(tellsUsage: true)
        #expect(text.contains(#""text":"ab""#) && text.contains(#""id":"cmpl-new""#) && text.contains(#""usage":{"total_tokens":2}"#))
        let again = try AnswerReading.read(.completions, framing: .serverSentEvents, text.utf8)
        #expect(again["choices"]?.array?.first?["text"] == "ab" && again["object"] == "text_completion")
    }

    /// A long answer comes in pieces, not all of it at once and not a word at a time, and none of it is lost.
    @Test(arguments: ["", "short", "one two three four five six seven", String(repeating: "word ", count: 5000), String(repeating: "é", count: 400)])
    func textsComeInPieces(_ text: String) throws {
        let kept: JSONValue = ["model": "m", "message": ["role": "assistant", "content": .string(text)], "done": true, "done_reason": "stop"]
        let stream = try Self.replay(.ollamaChat, kept).stream(tellsUsage: false)
        let count = stream.split(separator: "\n").count
        #expect((2...130).contains(count) && (text.split(separator: " ").count < 7 || count > 3))
        #expect(try AnswerReading.read(.ollamaChat, framing: .newlineJSON, stream.utf8)["message"]?["content"] == .string(text))
    }

    // MARK: What is not kept

    static let notKept: [(CachedRoute, StreamFraming?, String, NotKept)] = [
        (.ollamaChat, nil, #"{"error":"no"}"#, .notAnAnswer),
        (.ollamaChat, nil, "oops", .notAnAnswer),
        (.ollamaChat, nil, #"{"model":"m","done":true}"#, .notAnAnswer),
        (.ollamaChat, nil, #"{"message":{"content":"a"},"done":false}"#, .cut),
        (.ollamaChat, nil, #"{"message":{"content":"a"},"done":true,"done_reason":"length"}"#, .unfinished),
        (.ollamaChat, nil, #"{"message":{"content":""},"done":true,"done_reason":"load"}"#, .load),
        (.ollamaGenerate, nil, #"{"response":"","done":true,"done_reason":"unload"}"#, .load),
        (.ollamaChat, nil, #"{"message":{"content":"","tool_calls":[{"function":{"name":"f"}}]},"done":true}"#, .toolCalls),
        (.ollamaChat, .newlineJSON, #"{"message":{"content":"a"},"done":false}"# + "\n", .cut),
        (.ollamaChat, .newlineJSON, #"{"message":{"content":"a"},"done":false}"# + "\n" + #"{"error":"gone"}"# + "\n", .notAnAnswer),
        (
            .ollamaChat, .newlineJSON,
            #"{"message":{"content":"","tool_calls":[{"function":{"name":"f"}}]},"done":false}"# + "\n"
                + #"{"message":{"content":""},"done":true,"done_reason":"stop"}"# + "\n", .toolCalls
        ),
        (.ollamaGenerate, .newlineJSON, #"{"response":"a","done":true,"done_reason":"length"}"# + "\n", .unfinished),
        (.chat, nil, #"{"error":{"message":"no"}}"#, .notAnAnswer),
        (.chat, nil, #"{"choices":[]}"#, .notAnAnswer),
        (.chat, nil, #"{"choices":[{"message":{"content":"a"},"finish_reason":"length"}]}"#, .unfinished),
        (.chat, nil, #"{"choices":[{"message":{"content":"a"},"finish_reason":"content_filter"}]}"#, .unfinished),
        (.chat, nil, #"{"choices":[{"message":{"content":"a"},"finish_reason":null}]}"#, .cut),
        (.chat, nil, #"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"1"}]},"finish_reason":"tool_calls"}]}"#, .toolCalls),
        (.chat, nil, #"{"choices":[{"message":{"content":null,"function_call":{"name":"f"}},"finish_reason":"stop"}]}"#, .toolCalls),
        (
            .chat, nil,
            #"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"},{"message":{"content":"b"},"finish_reason":"length"}]}"#, .unfinished
        ),
        (.chat, .serverSentEvents, #"data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"# + "\n\n", .cut),
        (
            .chat, .serverSentEvents,
            #"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]}"# + "\n\ndata: [DONE]\n\n", .toolCalls
        ),
        (.chat, .serverSentEvents, #"data: {"error":{"message":"no"}}"# + "\n\ndata: [DONE]\n\n", .notAnAnswer),
        (.chat, .serverSentEvents, #"data: {"choices":[{"index":0,"delta":{"content":"a"}}]}"# + "\n\ndata: [DONE]\n\n", .cut),
        (.completions, nil, #"{"choices":[{"text":"a","finish_reason":"length"}]}"#, .unfinished),
    ]

    @Test(arguments: notKept) func onlyWholeAnswersAreKept(_ row: (CachedRoute, StreamFraming?, String, NotKept)) {
        #expect(throws: row.3) { try AnswerReading.read(row.0, framing: row.1, row.2.utf8) }
    }

    // MARK: The entry's bytes

    @Test func damageIsFound() throws {
        let entry = CacheEntry(
            answer: try JSONValue(parsing: #"{"a":"é\n","n":1.50}"#.utf8), askedModel: "m",
            cost: AnswerCost(promptTokens: 1, answerTokens: 2, milliseconds: 3))
        let bytes = entry.encoded
        #expect(CacheEntry(encoded: bytes) == entry)
        #expect(CacheEntry(encoded: []) == nil)
        // Each byte counts.
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 1
            #expect(CacheEntry(encoded: damaged) == nil, "byte \(index)")
            #expect(CacheEntry(encoded: Array(bytes[..<index])) == nil)
        }
        #expect(CacheEntry(encoded: bytes + [0]) == nil)
    }
}
