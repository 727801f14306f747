// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import Testing

@testable import Core

/// What breaks without these: an Ollama client's words are lost, or changed, on their way to a `/v1` endpoint.
@Suite struct OllamaToChatTests {
    struct Row: Sendable, CustomStringConvertible {
        var name: String
        var body: String
        /// The request's path and body, or the fault.
        var wanted: String
        var kind = EndpointKind.openAI
        var operation = Operation.ollamaChat
        var description: String { name }
    }

    private static let usage = #""stream":true,"stream_options":{"include_usage":true}"#

    private static let rows = [
        Row(
            name: "text, streamed by default", body: #"{"model":"asked","messages":[{"role":"user","content":"hi"}]}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"hi"}],\#(usage)}"#),
        Row(
            name: "not streamed", body: #"{"model":"a","stream":false,"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"stream":false}"#),
        Row(
            name: "images get their type",
            body: #"{"stream":false,"messages":[{"role":"user","content":"what","images":["iVBORw0","/9j/4AA"]}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"what"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0"}},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/4AA"}}]}],"stream":false}"#
        ),
        Row(
            name: "tool calls and their results find each other",
            body:
                #"{"stream":false,"messages":[{"role":"user","content":"w"},{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}},{"id":"own","function":{"name":"g","arguments":"{\"y\":2}"}}]},{"role":"tool","tool_name":"g","content":"2"},{"role":"tool","content":"1"}],"tools":[{"type":"function","function":{"name":"f"}}]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"w"},{"role":"assistant","content":"","tool_calls":[{"id":"call_1_0","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"own","type":"function","function":{"name":"g","arguments":"{\"y\":2}"}}]},{"role":"tool","content":"2","name":"g","tool_call_id":"own"},{"role":"tool","content":"1","tool_call_id":"call_1_0"}],"tools":[{"type":"function","function":{"name":"f"}}],"stream":false}"#
        ),
        Row(
            name: "options",
            body:
                #"{"stream":false,"messages":[{"role":"user","content":"x"}],"options":{"temperature":0,"num_predict":7,"stop":["a"],"seed":1,"top_k":3,"num_ctx":8192,"top_p":null},"keep_alive":"5m"}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"temperature":0,"max_tokens":7,"stop":["a"],"seed":1,"top_k":3}"#
        ),
        Row(
            name: "no limit is an absent one", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"options":{"num_predict":-1}}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false}"#),
        Row(
            name: "format json", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"format":"json"}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"response_format":{"type":"json_object"}}"#
        ),
        Row(
            name: "format schema", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"format":{"type":"object"}}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}}}"#
        ),
        Row(
            name: "think, where the template can be told", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"think":false}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"chat_template_kwargs":{"enable_thinking":false}}"#,
            kind: .llamaServer),
        Row(
            name: "think, how much", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"think":"high"}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"reasoning_effort":"high"}"#),
        Row(
            name: "logprobs", body: #"{"stream":false,"messages":[{"role":"user","content":"x"}],"logprobs":true,"top_logprobs":3}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"user","content":"x"}],"stream":false,"logprobs":true,"top_logprobs":3}"#),
        Row(
            name: "thinking in the history", body: #"{"stream":false,"messages":[{"role":"assistant","content":"x","thinking":"t"}]}"#,
            wanted: #"/v1/chat/completions {"model":"m","messages":[{"role":"assistant","content":"x","reasoning_content":"t"}],"stream":false}"#),
        Row(
            name: "no messages load", body: #"{"model":"asked","messages":[]}"#,
            wanted: #"immediate {"model":"asked","message":{"role":"assistant","content":""},"done":true,"done_reason":"load"}"#),
        Row(name: "no messages load on llama-server", body: #"{"model":"asked"}"#, wanted: #"/models/load {"model":"m"}"#, kind: .llamaServer),
        Row(
            name: "keep_alive 0 unloads", body: #"{"model":"asked","messages":[],"keep_alive":0}"#, wanted: #"/models/unload {"model":"m"}"#,
            kind: .llamaServer),
        Row(
            name: "an option without counterpart", body: #"{"messages":[{"role":"user","content":"x"}],"options":{"draft_num_predict":4}}"#,
            wanted: "501 options.draft_num_predict"),
        Row(name: "a template", body: #"{"messages":[{"role":"user","content":"x"}],"template":"{{ .Prompt }}"}"#, wanted: "501 template"),
        Row(name: "no list", body: #"{"messages":"x"}"#, wanted: "400 messages"),
        Row(name: "no object", body: #"{"messages":["x"]}"#, wanted: "400 messages[0]"),
        Row(name: "no role", body: #"{"messages":[{"content":"x"}]}"#, wanted: "400 messages[0].role"),
        Row(name: "content of parts", body: #"{"messages":[{"role":"user","content":[]}]}"#, wanted: "400 messages[0].content"),
        Row(name: "odd images", body: #"{"messages":[{"role":"user","content":"x","images":[7]}]}"#, wanted: "400 messages[0].images[0]"),
        Row(name: "odd format", body: #"{"messages":[{"role":"user","content":"x"}],"format":"xml"}"#, wanted: "400 format"),
        Row(name: "odd think", body: #"{"messages":[{"role":"user","content":"x"}],"think":"a lot"}"#, wanted: "400 think"),
        Row(name: "odd options", body: #"{"messages":[{"role":"user","content":"x"}],"options":[1]}"#, wanted: "400 options"),
        Row(
            name: "generate", body: #"{"prompt":"p","system":"s","stream":false,"images":["R0lGODdh"]}"#,
            wanted:
                #"/v1/chat/completions {"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"p"},{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0lGODdh"}}]}],"stream":false}"#,
            operation: .ollamaGenerate),
        Row(
            name: "generate raw", body: #"{"prompt":"p","raw":true,"stream":false,"options":{"num_predict":3}}"#,
            wanted: #"/v1/completions {"model":"m","prompt":"p","stream":false,"max_tokens":3}"#, operation: .ollamaGenerate),
        Row(
            name: "generate in the middle", body: #"{"prompt":"p","suffix":"s","stream":false}"#,
            wanted: #"/v1/completions {"model":"m","prompt":"p","suffix":"s","stream":false}"#, operation: .ollamaGenerate),
        Row(
            name: "in the middle, where it would be ignored", body: #"{"prompt":"p","suffix":"s"}"#, wanted: "501 suffix", kind: .llamaServer,
            operation: .ollamaGenerate),
        Row(name: "generate goes on", body: #"{"prompt":"p","context":[1,2]}"#, wanted: "501 context", operation: .ollamaGenerate),
        Row(name: "odd prompt", body: #"{"prompt":7}"#, wanted: "400 prompt", operation: .ollamaGenerate),
        Row(
            name: "no prompt loads", body: #"{"model":"asked","prompt":"","keep_alive":"0s"}"#,
            wanted: #"immediate {"model":"asked","response":"","done":true,"done_reason":"unload"}"#, operation: .ollamaGenerate),
        Row(
            name: "embed", body: #"{"input":["a","b"],"dimensions":8,"truncate":true,"keep_alive":"1m"}"#,
            wanted: #"/v1/embeddings {"model":"m","input":["a","b"],"dimensions":8,"encoding_format":"float"}"#, operation: .ollamaEmbed),
        Row(name: "embed nothing", body: #"{"model":"asked"}"#, wanted: #"immediate {"model":"asked","embeddings":[]}"#, operation: .ollamaEmbed),
        Row(name: "embed odd", body: #"{"input":[1]}"#, wanted: "400 input[0]", operation: .ollamaEmbed),
        Row(
            name: "embeddings", body: #"{"prompt":"a"}"#, wanted: #"/v1/embeddings {"model":"m","input":"a","encoding_format":"float"}"#,
            operation: .ollamaEmbeddings),
    ]

    @Test(arguments: rows)
    func saysTheSameOrWhatItCannotSay(_ row: Row) throws {
        let result: String
        do throws(TranslationError) {
            let call = try RequestTranslation.make(
                row.operation, try JSONValue(unchecked: row.body), model: "m", words: EndpointWords(row.kind), id: "1", unixSeconds: 0)
            switch call {
            case .request(let request): result = "\(request.path) \(request.body.text)"
            case .immediate(let answer): result = "immediate \(answer.text)"
            }
        } catch {
            result = "\(error.status) \(error.field)"
        }
        #expect(result == row.wanted)
    }

    /// Whatever a client sends, the router says something to it.
    @Test func randomBodiesNeverHarm() {
        var random = SplitMix64(seed: 7)
        for _ in 0..<2000 {
            let body = JSONValue.random(depth: 4, using: &random)
            for operation in [Operation.ollamaChat, .ollamaGenerate, .ollamaEmbed, .ollamaEmbeddings] {
                _ = try? RequestTranslation.make(operation, body, model: "m", words: EndpointWords(.openAI), id: "1", unixSeconds: 0)
            }
        }
    }
}

extension JSONValue {
    /// A test's own text.
    init(unchecked text: String) throws(TranslationError) {
        do throws(JSONError) {
            self = try JSONValue(parsing: text.utf8)
        } catch {
            throw .malformed("", "the test's JSON: \(error)")
        }
    }

    private static let keys = [
        "model", "messages", "role", "content", "images", "tools", "tool_calls", "function", "name", "arguments", "id", "options", "format", "think",
        "prompt", "suffix", "raw", "input", "stream", "system", "type", "text", "choices", "delta", "index", "usage", "tool_choice", "max_tokens",
        "thinking", "source", "data", "media_type", "output", "call_id", "instructions", "finish_reason", "message", "effort", "reasoning",
    ]

    /// A tree of the words that requests and answers are made of, in no order that makes sense.
    static func random(depth: Int, using random: inout SplitMix64) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &random) {
        case 0: return nil
        case 1: return .bool(.random(using: &random))
        case 2: return .integer(Int.random(in: -3...300, using: &random))
        case 3, 4: return .string(["user", "assistant", "tool", "", "text", "a", "function", "data:x"].randomElement(using: &random) ?? "")
        case 5: return .array((0..<Int.random(in: 0..<4, using: &random)).map { _ in Self.random(depth: depth - 1, using: &random) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0..<6, using: &random) {
                object[keys.randomElement(using: &random) ?? ""] = Self.random(depth: depth - 1, using: &random)
            }
            return .object(object)
        }
    }
}
