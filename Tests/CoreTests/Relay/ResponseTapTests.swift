// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import Testing

@testable import Core

/// What breaks without these: a cut stream is counted as a success, tokens are counted wrongly, text is taken for figures.
@Suite struct ResponseTapTests {
    struct Row: Sendable, CustomStringConvertible {
        var name: String
        var type: String
        var text: String
        var items: Int
        var isWhole: Bool
        var figures = AnswerFigures()
        var description: String { name }
    }

    static let ndjson = "application/x-ndjson"
    static let sse = "text/event-stream"

    static let rows = [
        Row(
            name: "Ollama chat", type: ndjson,
            text: #"""
                {"model":"m","message":{"role":"assistant","content":"Hi"},"done":false}
                {"model":"m","message":{"role":"assistant","content":"!"},"done":false}
                {"model":"m","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"load_duration":5,"prompt_eval_count":7,"eval_count":2}

                """#,
            items: 2, isWhole: true, figures: .init(promptTokens: 7, answerTokens: 2, loadDuration: 5)),
        Row(
            name: "figures beyond reason", type: ndjson,
            text: #"""
                {"done":true,"prompt_eval_count":999999999999999999,"eval_count":999999999999999999}

                """#,
            items: 0, isWhole: true, figures: .init(promptTokens: 1_000_000_000, answerTokens: 1_000_000_000)),
        Row(
            name: "Anthropic's messages", type: sse,
            text:
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"delta\":{\"text\":\"a\"}}\n\nevent: message_delta\ndata: {\"usage\":{\"output_tokens\":4}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            items: 4, isWhole: true, figures: .init(promptTokens: 9, answerTokens: 4)),
        Row(
            name: "OpenAI's responses", type: sse,
            text:
                "event: response.created\ndata: {}\n\nevent: response.completed\ndata: {\"response\":{\"usage\":{\"input_tokens\":3,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":2}}}\n\n",
            items: 2, isWhole: true, figures: .init(promptTokens: 3, answerTokens: 2)),
        Row(
            name: "messages, failed", type: sse, text: "event: message_start\ndata: {}\n\nevent: error\ndata: {\"type\":\"error\"}\n\n", items: 2,
            isWhole: false),
        Row(
            name: "llama-server's timings, some of the prompt cached", type: sse,
            text: "data: {\"choices\":[{}],\"timings\":{\"cache_n\":5,\"prompt_n\":2,\"predicted_n\":3}}\n\ndata: [DONE]\n\n", items: 1,
            isWhole: true,
            figures: .init(promptTokens: 7, answerTokens: 3)),
        Row(
            name: "a pull", type: ndjson, text: "{\"status\":\"pulling\"}\n{\"status\":\"success\"}\n", items: 1, isWhole: true),
        Row(
            name: "Ollama chat, cut", type: ndjson,
            text: #"{"message":{"content":"Hi"},"done":false}"# + "\n" + #"{"message":{"content":"#, items: 1, isWhole: false),
        Row(
            name: "Ollama, error in the stream", type: ndjson,
            text: #"{"message":{"content":"Hi"},"done":false}"# + "\n" + #"{"error":"runner died"}"# + "\n", items: 1, isWhole: false),
        Row(
            name: "Ollama, last line without its newline", type: ndjson, text: #"{"response":"","done":true,"eval_count":3}"#, items: 0,
            isWhole: true,
            figures: .init(answerTokens: 3)),
        Row(
            name: "text that looks like the end", type: ndjson, text: #"{"response":"\"done\":true","done":false}"# + "\n", items: 1, isWhole: false),
        Row(
            name: "text that looks like figures", type: ndjson,
            text: #"{"response":"\"eval_count\":99","done":true,"eval_count":1}"# + "\n", items: 0, isWhole: true, figures: .init(answerTokens: 1)),
        Row(
            name: "OpenAI chat with usage", type: sse,
            text: "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"!\"}}]}\n\n"
                + "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
            items: 2, isWhole: true, figures: .init(promptTokens: 4, answerTokens: 2)),
        Row(
            name: "llama-server's timings", type: sse,
            text: "data: {\"choices\":[{\"delta\":{}}],\"timings\":{\"prompt_n\":1,\"predicted_n\":8}}\n\ndata: [DONE]\n\n", items: 1, isWhole: true,
            figures: .init(promptTokens: 1, answerTokens: 8)),
        Row(
            name: "usage and timings in any order: usage counts", type: sse,
            text: "data: {\"timings\":{\"prompt_n\": 1,\"predicted_n\": 8},\"usage\":{\"completion_tokens\": 2,\"prompt_tokens\":  4},"
                + "\"x\":{\"predicted_n\":9,\"prompt_n\":null,\"eval_count\":\"7\"}}\n\ndata: [DONE]\n\n",
            items: 1, isWhole: true, figures: .init(promptTokens: 4, answerTokens: 2)),
        Row(
            name: "events that end in carriage returns, data of two lines", type: sse,
            text: "data: {\"choices\":\rdata: [{}]}\r\rdata: {\"choices\":[],\"usage\":{\"completion_tokens\":1}}\r\n\r\ndata: [DONE]\r\r", items: 1,
            isWhole: true, figures: .init(answerTokens: 1)),
        Row(name: "OpenAI chat, no end", type: sse, text: "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n", items: 1, isWhole: false),
        Row(name: "OpenAI chat, error", type: sse, text: "data: {\"error\":{\"message\":\"x\"}}\n\n", items: 0, isWhole: false),
        Row(name: "comments and names of events", type: sse, text: ": ping\nevent: x\nid: 1\n\ndata: [DONE]\n\n", items: 0, isWhole: true),
        Row(
            name: "whole answer", type: "application/json; charset=utf-8",
            text: #"{"model":"m","response":"Hi","done":true,"prompt_eval_count":3,"eval_count":9}"#, items: 0, isWhole: true,
            figures: .init(promptTokens: 3, answerTokens: 9)),
        Row(
            name: "whole answer with usage in front of a long one", type: "application/json",
            text: #"{"usage":{"prompt_tokens":5},"data":""# + String(repeating: "x", count: 20_000) + #""}"#, items: 0, isWhole: true,
            figures: .init(promptTokens: 5)),
        Row(
            name: "whole answer with figures behind a long one", type: "application/json",
            text: #"{"data":""# + String(repeating: "x", count: 20_000) + #"","eval_count":6}"#, items: 0, isWhole: true,
            figures: .init(answerTokens: 6)),
    ]

    @Test(arguments: rows)
    func readsAnAnswerHoweverItIsCut(_ row: Row) throws {
        let bytes = Array(row.text.utf8)
        for size in [1, 2, 3, 7, 64, 1000, bytes.count] {
            var tap = ResponseTap(response: try Self.head(row.type), lineLimit: 1024)
            for start in stride(from: 0, to: bytes.count, by: size) { tap.watch(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)])) }
            tap.finish()
            #expect(tap.streamedItems == row.items, "in pieces of \(size)")
            #expect(tap.isWhole == row.isWhole, "in pieces of \(size)")
            #expect(tap.figures == row.figures, "in pieces of \(size)")
        }
    }

    @Test func aLineBeyondTheLimitCostsNoMemoryAndCountsAsAnItem() throws {
        var tap = ResponseTap(response: try Self.head(Self.ndjson), lineLimit: 16)
        for _ in 0..<100 { tap.watch(ByteBuffer(string: String(repeating: "x", count: 100))) }
        tap.watch(ByteBuffer(string: "\n{\"done\":true}\n"))
        tap.finish()
        #expect(tap.streamedItems == 1)
        #expect(tap.isWhole)
    }

    @Test func anErrorStatusIsNotRead() throws {
        var tap = ResponseTap(response: try ResponseHead(ByteBuffer(string: "HTTP/1.1 500 No\r\n\r\n")), lineLimit: 16)
        tap.watch(ByteBuffer(string: "{\"error\":\"x\"}"))
        tap.finish()
        #expect(tap.isServerError)
        #expect(tap.isWhole)
        #expect(tap.tokens == 0)
    }

    @Test func knowsWhetherALineIsOpen() throws {
        var tap = ResponseTap(response: try Self.head(Self.ndjson), lineLimit: 1024)
        tap.watch(ByteBuffer(string: "{\"a\":1}\n"))
        let closed = tap.isMidLine
        tap.watch(ByteBuffer(string: "{\"a\""))
        #expect(!closed)
        #expect(tap.isMidLine)
        tap.finish()
        #expect(tap.isMidLine, "whoever ends the stream asks after its end")
    }

    static func head(_ type: String) throws -> ResponseHead {
        try ResponseHead(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\n\r\n"))
    }

    /// Long answers are not kept: their figures stand near an end, and may be cut anywhere.
    @Test func figuresOfLongAnswersAreFoundWhereverTheyAreCut() throws {
        for padding in [0, 1900, 2000, 2030, 2048, 2100, 5000, 100_000] {
            for place in ["before", "after"] {
                let figures = #""prompt_eval_count":123,"eval_count":45"#
                let text = String(repeating: "x", count: padding)
                let body = place == "before" ? "{\"pad\":\"\",\(figures),\"text\":\"\(text)\"}" : "{\"text\":\"\(text)\",\(figures)}"
                for piece in [1, 100, 2048, 1_000_000] where padding < 50_000 || piece > 1 {
                    let head = try ResponseHead(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"))
                    var tap = ResponseTap(response: head, lineLimit: 1000)
                    var rest = ByteBuffer(string: body)
                    while let part = rest.readSlice(length: min(piece, rest.readableBytes)), part.readableBytes > 0 { tap.watch(part) }
                    tap.finish()
                    #expect(tap.figures == .init(promptTokens: 123, answerTokens: 45), "\(padding) \(place) in pieces of \(piece)")
                }
            }
        }
    }
}
