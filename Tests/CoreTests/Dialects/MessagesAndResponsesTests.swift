// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import Foundation
import Testing

@testable import Core

/// What breaks without these: Anthropic's and OpenAI's newer clients cannot use a model whose server knows chat completions only,
/// or something of what they say is lost on the way.
@Suite struct MessagesAndResponsesTests {
    struct Row: Sendable, CustomStringConvertible {
        var name: String
        var body: String
        var wanted: String
        var operation = Operation.messages
        var kind = EndpointKind.openAI
        var description: String { name }
    }

    private static let requests = [
        Row(
            name: "text",
            body: #"{"model":"x","max_tokens":9,"system":"s","messages":[{"role":"user","content":"hi"}],"temperature":0.5,"stop_sequences":["a"]}"#,
            wanted:
                #"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"stream":false,"max_tokens":9,"temperature":0.5,"stop":["a"]}"#
        ),
        Row(
            name: "blocks, images, thinking of before",
            body:
                #"{"max_tokens":9,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],"messages":[{"role":"user","content":[{"type":"text","text":"what"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ=="}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"ok"}]}]}"#,
            wanted:
                #"{"model":"m","messages":[{"role":"system","content":"a\nb"},{"role":"user","content":[{"type":"text","text":"what"},{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]},{"role":"assistant","content":"ok"}],"stream":false,"max_tokens":9}"#
        ),
        Row(
            name: "tools and their results",
            body:
                #"{"max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{"x":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"no"}]},{"type":"text","text":"go on"}]}],"tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true}}"#,
            wanted:
                #"{"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},{"role":"tool","tool_call_id":"t1","content":"Error: no"},{"role":"user","content":"go on"}],"stream":false,"max_tokens":9,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],"tool_choice":"required","parallel_tool_calls":false}"#
        ),
        Row(
            name: "streamed, thinking told to the template",
            body: #"{"max_tokens":1,"messages":[],"stream":true,"thinking":{"type":"enabled","budget_tokens":1024}}"#,
            wanted:
                #"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true},"max_tokens":1,"chat_template_kwargs":{"enable_thinking":true}}"#,
            kind: .llamaServer),
        Row(
            name: "a tool of Anthropic's", body: #"{"messages":[],"tools":[{"type":"web_search_20250305","name":"w"}]}"#, wanted: "501 tools[0].type"),
        Row(name: "a document", body: #"{"messages":[{"role":"user","content":[{"type":"document"}]}]}"#, wanted: "501 messages[0].content[0]"),
        Row(name: "a field from the future", body: #"{"messages":[],"container":"c"}"#, wanted: "501 container"),
        Row(name: "no messages", body: #"{"max_tokens":1}"#, wanted: "400 messages"),
        Row(name: "a wrong role", body: #"{"messages":[{"role":"robot","content":"x"}]}"#, wanted: "400 messages[0].role"),
        Row(
            name: "responses: a string", body: #"{"model":"x","input":"hi","instructions":"s","max_output_tokens":5,"reasoning":{"effort":"low"}}"#,
            wanted:
                #"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"stream":false,"max_tokens":5,"reasoning_effort":"low"}"#,
            operation: .responses),
        Row(
            name: "responses: items",
            body:
                #"{"input":[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"input_text","text":"w"},{"type":"input_image","image_url":"data:x","detail":"low"}]},{"type":"reasoning","summary":[]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":"1"}],"tools":[{"type":"function","name":"f","parameters":{},"strict":true}],"tool_choice":{"type":"function","name":"f"},"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true}},"store":true}"#,
            wanted:
                #"{"model":"m","messages":[{"role":"system","content":"d"},{"role":"user","content":[{"type":"text","text":"w"},{"type":"image_url","image_url":{"url":"data:x","detail":"low"}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"1"}],"stream":false,"tools":[{"type":"function","function":{"name":"f","parameters":{},"strict":true}}],"tool_choice":{"type":"function","function":{"name":"f"}},"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}}}"#,
            operation: .responses),
        Row(name: "responses: state", body: #"{"input":"x","previous_response_id":"r"}"#, wanted: "501 previous_response_id", operation: .responses),
        Row(name: "responses: background", body: #"{"input":"x","background":true}"#, wanted: "501 background", operation: .responses),
        Row(
            name: "responses: a tool of OpenAI's", body: #"{"input":"x","tools":[{"type":"web_search"}]}"#, wanted: "501 tools[0].type",
            operation: .responses),
        Row(
            name: "responses: a file", body: #"{"input":[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]}"#,
            wanted: "501 input[0].content[0].file_id", operation: .responses),
        Row(name: "responses: nothing", body: #"{}"#, wanted: "400 input", operation: .responses),
    ]

    @Test(arguments: requests)
    func saysTheSameOrWhatItCannotSay(_ row: Row) throws {
        let result: String
        do throws(TranslationError) {
            let call = try RequestTranslation.make(
                row.operation, try JSONValue(unchecked: row.body), model: "m", words: EndpointWords(row.kind), id: "1", unixSeconds: 0)
            guard case .request(let request) = call else { throw .malformed("", "no request") }
            result = request.body.text
        } catch {
            result = "\(error.status) \(error.field)"
        }
        #expect(result == row.wanted)
    }

    // MARK: Streams

    private static func delta(_ delta: String, _ reason: String = "null") -> String {
        #"{"choices":[{"index":0,"delta":\#(delta),"finish_reason":\#(reason)}]}"#
    }

    /// Thinking, text, and two calls whose pieces come in turns.
    private static let events = [
        delta(#"{"role":"assistant","content":""}"#), delta(#"{"reasoning_content":"hm"}"#), delta(#"{"content":"Hel"}"#),
        delta(#"{"content":"lo"}"#),
        delta(#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}"#),
        delta(#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}},{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}"#),
        delta(#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#), delta("{}", #""tool_calls""#),
        #"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3}}}"#,
    ]

    /// `name` and the fields that tell what happens, of each event.
    private func run(_ translation: any AnswerTranslation, _ events: [String], done: Bool = true) throws -> [(name: String, data: JSONValue)] {
        var answer = TranslatedAnswer(translation, lineLimit: 10_000)
        answer.begin(status: 200, isEventStream: true)
        let text = events.map { "data: \($0)\n\n" }.joined() + (done ? "data: [DONE]\n\n" : "")
        var out = Array(text.utf8).withUnsafeBytes { answer.feed($0) { _ in ChatToOllamaTests.time } }
        if case .text(let rest, _) = answer.finish(ChatToOllamaTests.time) { out += rest }
        return try out.components(separatedBy: "\n\n").filter { !$0.isEmpty }.map { event in
            let lines = event.components(separatedBy: "\n")
            #expect(lines.count == 2 && lines[0].hasPrefix("event: ") && lines[1].hasPrefix("data: "))
            let data = try JSONValue(parsing: lines[1].dropFirst(6).utf8)
            #expect(data["type"]?.string == String(lines[0].dropFirst(7)))
            return (String(lines[0].dropFirst(7)), data)
        }
    }

    @Test func anthropicsEventsComeInTheirOrder() throws {
        let events = try run(ChatToAnthropic(id: "msg_1", model: "asked"), Self.events)
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
        let request: JSONValue = ["model": "asked", "instructions": "be brief"]
        let events = try run(ChatToResponses(id: "1", created: 5, model: "asked", request: request), Self.events)
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

    @Test func cutAndFailedStreamsEndInTheirDialect() throws {
        let cut = [Self.delta(#"{"content":"x"}"#)]
        #expect(try run(ChatToAnthropic(id: "1", model: "m"), cut, done: false).last?.name == "error")
        #expect(try run(ChatToResponses(id: "1", created: 0, model: "m", request: [:]), cut, done: false).last?.name == "response.failed")
        let long = [Self.delta(#"{"content":"x"}"#, #""length""#)]
        #expect(try run(ChatToAnthropic(id: "1", model: "m"), long).dropLast().last?.data["delta"]?["stop_reason"] == "max_tokens")
        let incomplete = try run(ChatToResponses(id: "1", created: 0, model: "m", request: [:]), long).last
        #expect(incomplete?.name == "response.incomplete" && incomplete?.data["response"]?["incomplete_details"]?["reason"] == "max_output_tokens")
    }

    @Test func wholeAnswersSayTheSame() throws {
        let answer = try JSONValue(
            unchecked:
                #"{"choices":[{"message":{"content":"hi","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#
        )
        var anthropic = ChatToAnthropic(id: "msg_1", model: "asked")
        #expect(
            try anthropic.whole(answer, ChatToOllamaTests.time).text
                == #"{"id":"msg_1","type":"message","role":"assistant","model":"asked","content":[{"type":"text","text":"hi"},{"type":"tool_use","id":"c","name":"f","input":{"x":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}"#
        )
        var responses = ChatToResponses(id: "1", created: 5, model: "asked", request: [:])
        let response = try responses.whole(answer, ChatToOllamaTests.time)
        #expect(response["output"]?.array?.count == 2 && response["usage"]?["input_tokens"] == 1 && response["id"] == "resp_1")
    }

    @Test func randomBodiesAndAnswersNeverHarm() {
        var random = SplitMix64(seed: 11)
        for _ in 0..<2000 {
            let value = JSONValue.random(depth: 5, using: &random)
            for operation in [Operation.messages, .responses] {
                _ = try? RequestTranslation.make(operation, value, model: "m", words: EndpointWords(.llamaServer), id: "1", unixSeconds: 0)
            }
            var anthropic = ChatToAnthropic(id: "1", model: "m")
            _ = anthropic.item(value, ChatToOllamaTests.time) + anthropic.end(ChatToOllamaTests.time)
            _ = try? anthropic.whole(value, ChatToOllamaTests.time)
            var responses = ChatToResponses(id: "1", created: 0, model: "m", request: value)
            _ = responses.item(value, ChatToOllamaTests.time) + responses.end(ChatToOllamaTests.time)
            _ = try? responses.whole(value, ChatToOllamaTests.time)
        }
    }
}
