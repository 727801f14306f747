// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOHTTP1
import Testing

@testable import Core

/// Which requests are one entry and which are two. A pair that is taken for equal and is not gives somebody a wrong answer.
@Suite struct CacheKeyTests {
    private static func request(
        _ route: CachedRoute, _ body: String, model: String = "llama3:latest", tenant: String = "", headers: [(String, String)] = []
    ) throws -> CacheRequest {
        try CacheRequest(route, body: try JSONValue(parsing: body.utf8), asked: "llama3", model: model, tenant: tenant, headers: headers)
    }

    private static let chat = #"{"model":"llama3","messages":[{"role":"user","content":"hi"}]}"#

    // MARK: Equal

    static let equal: [(CachedRoute, String, String)] = [
        // Spelling.
        (.ollamaChat, chat, #" { "messages" : [ { "content" : "hi" , "role" : "user" } ] , "model" : "llama3" } "#),
        (.ollamaChat, chat, #"{"model":"llama3","messages":[{"role":"user","content":"\u0068i"}]}"#),
        (.ollamaChat, chat, "{\n\t\"model\": \"llama3\",\r\n\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"),
        (.chat, #"{"messages":[{"role":"user","content":"é"}]}"#, #"{"messages":[{"role":"user","content":"\u00e9"}]}"#),
        (.chat, #"{"messages":[{"role":"user","content":"😀"}]}"#, #"{"messages":[{"role":"user","content":"\ud83d\ude00"}]}"#),
        (.chat, #"{"messages":[{"role":"user","content":"a/b"}]}"#, #"{"messages":[{"role":"user","content":"a\/b"}]}"#),
        // Numbers.
        (.chat, #"{"messages":[1],"temperature":1}"#, #"{"messages":[1],"temperature":1.0}"#),
        (.chat, #"{"messages":[1],"temperature":0.5}"#, #"{"messages":[1],"temperature":5e-1}"#),
        (.chat, #"{"messages":[1],"temperature":0.50}"#, #"{"messages":[1],"temperature":0.5}"#),
        (.chat, #"{"messages":[1],"seed":1000}"#, #"{"messages":[1],"seed":1e3}"#),
        (.chat, #"{"messages":[1],"seed":1000}"#, #"{"messages":[1],"seed":1E+3}"#),
        (.chat, #"{"messages":[1],"temperature":0}"#, #"{"messages":[1],"temperature":0.0}"#),
        (.chat, #"{"messages":[1],"temperature":0}"#, #"{"messages":[1],"temperature":-0}"#),
        (.ollamaChat, #"{"messages":[1],"options":{"seed":7}}"#, #"{"messages":[1],"options":{"seed":7.000}}"#),
        // How the answer is delivered.
        (.ollamaChat, chat, #"{"model":"llama3","messages":[{"role":"user","content":"hi"}],"stream":false}"#),
        (.ollamaChat, chat, #"{"model":"llama3","messages":[{"role":"user","content":"hi"}],"stream":true}"#),
        (.chat, chat, #"{"model":"llama3","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#),
        (.ollamaChat, chat, #"{"model":"llama3","messages":[{"role":"user","content":"hi"}],"keep_alive":"5m"}"#),
        (.ollamaChat, chat, #"{"model":"llama3","messages":[{"role":"user","content":"hi"}],"keep_alive":-1}"#),
        (.ollamaChat, chat, #"{"model":"llama3","messages":[{"role":"user","content":"hi"}],"nomyo":{"cache":true}}"#),
        // The name that the client used is not what the model is.
        (.ollamaChat, chat, #"{"model":"LLAMA3:latest","messages":[{"role":"user","content":"hi"}]}"#),
        // Null says nothing.
        (.chat, chat, #"{"model":"llama3","messages":[{"role":"user","content":"hi"}],"seed":null}"#),
        (.ollamaChat, chat, #"{"model":"llama3","messages":[{"role":"user","content":"hi"}],"options":{"seed":null}}"#),
        (.ollamaChat, chat, #"{"model":"llama3","messages":[{"role":"user","content":"hi"}],"options":{}}"#),
        (.ollamaChat, chat, #"{"model":"llama3","messages":[{"role":"user","content":"hi"}],"options":null}"#),
        // The order of keys, at any depth.
        (
            .chat, #"{"messages":[1],"response_format":{"type":"json_schema","json_schema":{"name":"a","strict":true}}}"#,
            #"{"response_format":{"json_schema":{"strict":true,"name":"a"},"type":"json_schema"},"messages":[1]}"#
        ),
        (
            .chat, #"{"messages":[1],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}"#,
            #"{"messages":[1],"tools":[{"function":{"parameters":{"type":"object"},"name":"f"},"type":"function"}]}"#
        ),
        (.ollamaGenerate, #"{"prompt":"a","system":"s"}"#, #"{"system":"s","prompt":"a"}"#),
        (.completions, #"{"prompt":["a","b"],"n":2}"#, #"{"n":2.0,"prompt":["a", "b"]}"#),
    ]

    @Test(arguments: equal) func oneEntry(_ pair: (CachedRoute, String, String)) throws {
        let (route, first, second) = pair
        #expect(try Self.request(route, first).key == Self.request(route, second).key, "\(second)")
    }

    // MARK: Different

    static let different: [(CachedRoute, String, String)] = [
        // What is asked.
        (.ollamaChat, chat, #"{"messages":[{"role":"user","content":"Hi"}]}"#),
        (.ollamaChat, chat, #"{"messages":[{"role":"user","content":"hi "}]}"#),
        (.ollamaChat, chat, #"{"messages":[{"role":"user","content":"hi\n"}]}"#),
        (.ollamaChat, chat, #"{"messages":[{"role":"user","content":"hi?"}]}"#),
        (.ollamaChat, chat, #"{"messages":[{"role":"assistant","content":"hi"}]}"#),
        (.chat, chat, #"{"messages":[{"role":"user","content":"hi","name":"bob"}]}"#),
        (.chat, chat, #"{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}"#),
        (.chat, #"{"messages":[{"role":"user","content":"é"}]}"#, "{\"messages\":[{\"role\":\"user\",\"content\":\"e\u{301}\"}]}"),
        // What was said before.
        (.ollamaChat, chat, #"{"messages":[{"role":"user","content":"x"},{"role":"user","content":"hi"}]}"#),
        (
            .ollamaChat, #"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"hi"}]}"#,
            #"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"c"},{"role":"user","content":"hi"}]}"#
        ),
        (
            .ollamaChat, #"{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#,
            #"{"messages":[{"role":"user","content":"b"},{"role":"user","content":"a"}]}"#
        ),
        (.chat, #"{"messages":[{"role":"user","content":"ab"}]}"#, #"{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#),
        // The system prompt.
        (.ollamaChat, chat, #"{"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]}"#),
        (
            .chat, #"{"messages":[{"role":"system","content":"a"},{"role":"user","content":"hi"}]}"#,
            #"{"messages":[{"role":"system","content":"b"},{"role":"user","content":"hi"}]}"#
        ),
        (
            .chat, #"{"messages":[{"role":"system","content":"a"},{"role":"user","content":"hi"}]}"#,
            #"{"messages":[{"role":"developer","content":"a"},{"role":"user","content":"hi"}]}"#
        ),
        (.ollamaGenerate, #"{"prompt":"a"}"#, #"{"prompt":"a","system":"s"}"#),
        (.ollamaGenerate, #"{"prompt":"a"}"#, #"{"prompt":"a","system":""}"#),
        // Sampling: unset is not zero, and zero is not one.
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"temperature":0}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"temperature":1}"#),
        (.chat, #"{"messages":[1],"temperature":0}"#, #"{"messages":[1],"temperature":0.1}"#),
        (.chat, #"{"messages":[1],"temperature":0.1}"#, #"{"messages":[1],"temperature":-0.1}"#),
        (.chat, #"{"messages":[1],"temperature":1}"#, #"{"messages":[1],"temperature":10}"#),
        (.chat, #"{"messages":[1],"temperature":1}"#, #"{"messages":[1],"temperature":"1"}"#),
        (.chat, #"{"messages":[1],"seed":12345678901234567890}"#, #"{"messages":[1],"seed":12345678901234567891}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"seed":0}"#),
        (.chat, #"{"messages":[1],"seed":1}"#, #"{"messages":[1],"seed":2}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"top_p":1}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"max_tokens":16}"#),
        (.chat, #"{"messages":[1],"max_tokens":16}"#, #"{"messages":[1],"max_completion_tokens":16}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"stop":["\n"]}"#),
        (.chat, #"{"messages":[1],"stop":"a"}"#, #"{"messages":[1],"stop":["a"]}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"frequency_penalty":0.5}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"presence_penalty":0.5}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"logit_bias":{"50256":-100}}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"n":2}"#),
        (.chat, #"{"messages":[1],"n":2}"#, #"{"messages":[1],"n":3}"#),
        (.ollamaChat, #"{"messages":[1]}"#, #"{"messages":[1],"options":{"temperature":0}}"#),
        (.ollamaChat, #"{"messages":[1],"options":{"seed":1}}"#, #"{"messages":[1],"options":{"seed":2}}"#),
        (.ollamaChat, #"{"messages":[1],"options":{"num_ctx":2048}}"#, #"{"messages":[1],"options":{"num_ctx":4096}}"#),
        (.ollamaChat, #"{"messages":[1],"options":{"temperature":0}}"#, #"{"messages":[1],"temperature":0}"#),
        (.ollamaChat, #"{"messages":[1]}"#, #"{"messages":[1],"options":{"num_predict":8}}"#),
        (.ollamaChat, #"{"messages":[1]}"#, #"{"messages":[1],"options":{"mirostat":0}}"#),
        // Shape of the answer.
        (.ollamaChat, #"{"messages":[1]}"#, #"{"messages":[1],"format":"json"}"#),
        (.ollamaChat, #"{"messages":[1],"format":"json"}"#, #"{"messages":[1],"format":{"type":"object"}}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"response_format":{"type":"json_object"}}"#),
        (
            .chat, #"{"messages":[1],"response_format":{"type":"json_schema","json_schema":{"name":"a"}}}"#,
            #"{"messages":[1],"response_format":{"type":"json_schema","json_schema":{"name":"b"}}}"#
        ),
        (
            .ollamaChat, #"{"messages":[1],"format":{"enum":["a",null]}}"#, #"{"messages":[1],"format":{"enum":["a"]}}"#
        ),
        (
            .ollamaChat, #"{"messages":[1],"format":{"properties":{"a":{"default":null}}}}"#,
            #"{"messages":[1],"format":{"properties":{"a":{}}}}"#
        ),
        // Tools.
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"tools":[]}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"tools":[{"type":"function","function":{"name":"f"}}]}"#),
        (
            .chat, #"{"messages":[1],"tools":[{"type":"function","function":{"name":"f"}}]}"#,
            #"{"messages":[1],"tools":[{"type":"function","function":{"name":"g"}}]}"#
        ),
        (
            .chat, #"{"messages":[1],"tools":[{"function":{"name":"f"}},{"function":{"name":"g"}}]}"#,
            #"{"messages":[1],"tools":[{"function":{"name":"g"}},{"function":{"name":"f"}}]}"#
        ),
        (.chat, #"{"messages":[1],"tool_choice":"auto"}"#, #"{"messages":[1],"tool_choice":"none"}"#),
        (
            .chat, #"{"messages":[{"role":"tool","tool_call_id":"1","content":"x"}]}"#,
            #"{"messages":[{"role":"tool","tool_call_id":"2","content":"x"}]}"#
        ),
        (
            .chat, #"{"messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]}]}"#,
            #"{"messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{ }"}}]}]}"#
        ),
        // Images.
        (
            .ollamaChat, #"{"messages":[{"role":"user","content":"hi","images":["AAAA"]}]}"#,
            #"{"messages":[{"role":"user","content":"hi","images":["AAAB"]}]}"#
        ),
        (.ollamaChat, chat, #"{"messages":[{"role":"user","content":"hi","images":["AAAA"]}]}"#),
        (
            .ollamaChat, #"{"messages":[{"role":"user","content":"hi","images":["A","B"]}]}"#,
            #"{"messages":[{"role":"user","content":"hi","images":["B","A"]}]}"#
        ),
        (.ollamaGenerate, #"{"prompt":"a"}"#, #"{"prompt":"a","images":["AAAA"]}"#),
        // Thinking.
        (.ollamaChat, #"{"messages":[1]}"#, #"{"messages":[1],"think":false}"#),
        (.ollamaChat, #"{"messages":[1],"think":true}"#, #"{"messages":[1],"think":false}"#),
        (.ollamaChat, #"{"messages":[1],"think":"low"}"#, #"{"messages":[1],"think":"high"}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"reasoning_effort":"low"}"#),
        // Generate's own.
        (.ollamaGenerate, #"{"prompt":"a"}"#, #"{"prompt":"a","raw":true}"#),
        (.ollamaGenerate, #"{"prompt":"a"}"#, #"{"prompt":"a","suffix":"b"}"#),
        (.ollamaGenerate, #"{"prompt":"a","suffix":"b"}"#, #"{"prompt":"a","suffix":"c"}"#),
        (.ollamaGenerate, #"{"prompt":"a"}"#, #"{"prompt":"a","template":"{{ .Prompt }}"}"#),
        (.ollamaGenerate, #"{"prompt":"a","context":[1,2]}"#, #"{"prompt":"a","context":[2,1]}"#),
        (.completions, #"{"prompt":"a"}"#, #"{"prompt":["a"]}"#),
        (.completions, #"{"prompt":"a"}"#, #"{"prompt":"a","suffix":"b"}"#),
        (.completions, #"{"prompt":"a"}"#, #"{"prompt":"a","echo":true}"#),
        (.completions, #"{"prompt":"a"}"#, #"{"prompt":"a","best_of":2}"#),
        (.completions, #"{"prompt":[1,2,3]}"#, #"{"prompt":[1,23]}"#),
        // Who asks for whom.
        (.chat, #"{"messages":[1],"user":"a"}"#, #"{"messages":[1],"user":"b"}"#),
        // What nobody here has heard of.
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"new_parameter":1}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"Temperature":1}"#),
        (.chat, #"{"messages":[1]}"#, #"{"messages":[1],"Stream":true}"#),
    ]

    @Test(arguments: different) func twoEntries(_ pair: (CachedRoute, String, String)) throws {
        let (route, first, second) = pair
        #expect(try Self.request(route, first).key != Self.request(route, second).key, "\(second)")
    }

    @Test func theTableIsLargeEnough() {
        #expect(Self.equal.count + Self.different.count >= 80)
    }

    /// Beside the body: the route, the model, the tenant, what goes along.
    @Test func whatIsNotInTheBody() throws {
        let one = try Self.request(.chat, Self.chat)
        var all = [one.key]
        all.append(try Self.request(.ollamaChat, Self.chat).key)
        all.append(try Self.request(.chat, Self.chat, model: "llama3:8b").key)
        all.append(try Self.request(.chat, Self.chat, model: "llama3:70b").key)
        all.append(try Self.request(.chat, Self.chat, tenant: "a").key)
        all.append(try Self.request(.chat, Self.chat, tenant: "b").key)
        all.append(try Self.request(.chat, Self.chat, headers: [("openai-project", "p")]).key)
        all.append(try Self.request(.chat, Self.chat, headers: [("openai-project", "q")]).key)
        #expect(Set(all).count == all.count)
        #expect(try Self.request(.completions, #"{"prompt":"a"}"#).key != Self.request(.ollamaGenerate, #"{"prompt":"a"}"#).key)
        // The parts of a key cannot run into each other.
        #expect(Digest(ofParts: [[1, 2], [3]]) != Digest(ofParts: [[1], [2, 3]]))
        #expect(Digest(ofParts: [[], [1]]) != Digest(ofParts: [[1], []]))
    }

    static let notCached: [(CachedRoute, String, CacheBypass)] = [
        (.ollamaChat, #"{"messages":[]}"#, .noPrompt),
        (.ollamaChat, #"{"model":"llama3"}"#, .noPrompt),
        (.ollamaGenerate, #"{"prompt":""}"#, .noPrompt),
        (.ollamaGenerate, #"{"keep_alive":0}"#, .noPrompt),
        (.completions, #"{}"#, .noPrompt),
        (.chat, #"{"messages":[1],"logprobs":true}"#, .logprobs),
        (.chat, #"{"messages":[1],"top_logprobs":2}"#, .logprobs),
        (.completions, #"{"prompt":"a","logprobs":0}"#, .logprobs),
        // Ollama merges the two objects, others take the last.
        (.ollamaChat, #"{"messages":[1],"options":{"seed":1},"options":{"temperature":0}}"#, .ambiguous),
        (.ollamaChat, #"{"messages":[1],"Messages":[2]}"#, .ambiguous),
        (.ollamaChat, #"{"messages":[1],"stream":true,"STREAM":false}"#, .ambiguous),
        (.ollamaChat, #"{"messages":[1],"me\u017f\u017fages":[2]}"#, .ambiguous),
        (.chat, #"{"messages":[{"role":"user","role":"system","content":"x"}]}"#, .ambiguous),
    ]

    @Test(arguments: notCached) func noEntry(_ row: (CachedRoute, String, CacheBypass)) {
        #expect(throws: row.2) { try Self.request(row.0, row.1) }
    }

    // MARK: Numbers

    @Test(arguments: [
        ("1", "1"), ("1.0", "1"), ("-1.50", "-15e-1"), ("100", "1e2"), ("1e2", "1e2"), ("0.001", "1e-3"), ("-0.0", "0"), ("0e9", "0"),
        ("1e400", "1e400"), ("123456789012345678901234567890", "12345678901234567890123456789e1"), ("1e99999999999", "1e99999999999"),
    ])
    func numbersHaveOneForm(_ row: (String, String)) {
        #expect(CanonicalJSON.number(row.0) == row.1)
    }

    // MARK: Wishes

    @Test func whatARequestMaySay() {
        func wish(_ asked: Bool?, _ header: String? = nil, optIn: Bool = false) -> CacheWish {
            CacheWish(asked: asked, headers: header.map { ["Cache-Control": $0] } ?? [:], isOptIn: optIn)
        }
        #expect(wish(nil).mayRead && wish(nil).mayKeep)
        #expect(!wish(false).mayRead && !wish(false).mayKeep && wish(false).why == .request)
        #expect(!wish(nil, optIn: true).mayKeep && wish(nil, optIn: true).why == .notOptedIn)
        #expect(wish(true, optIn: true).mayRead)
        #expect(!wish(nil, "no-store").mayKeep)
        #expect(!wish(nil, "no-cache").mayRead && wish(nil, "no-cache").mayKeep)
        #expect(!wish(nil, "max-age=0, NO-STORE").mayKeep)
        #expect(!wish(true, "no-store").mayKeep)
        #expect(wish(nil, "max-age=60").mayRead)
    }

    /// What is compared by meaning, and what must be equal beside it.
    @Test func conversationsAreTakenApart() throws {
        let one = try Self.request(
            .chat,
            #"{"temperature":0,"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}"#
        )
        #expect(one.conversation.system == "s")
        #expect(one.conversation.history == [.init(role: "user", text: "a"), .init(role: "assistant", text: "b")])
        #expect(one.conversation.question == "c")
        #expect(one.conversation.isPlain)
        let other = try Self.request(.chat, #"{"temperature":0,"messages":[{"role":"system","content":"s"},{"role":"user","content":"d"}]}"#)
        #expect(one.fingerprint == other.fingerprint && one.namespace == other.namespace && one.key != other.key)
        let warmer = try Self.request(.chat, #"{"temperature":1,"messages":[{"role":"system","content":"s"},{"role":"user","content":"d"}]}"#)
        #expect(warmer.fingerprint != other.fingerprint && warmer.namespace == other.namespace)
        let stranger = try Self.request(
            .chat, #"{"temperature":0,"messages":[{"role":"system","content":"t"},{"role":"user","content":"d"}]}"#, tenant: "x")
        #expect(stranger.namespace != other.namespace)
        for body in [
            #"{"messages":[{"role":"user","content":"d","images":["A"]}]}"#, #"{"messages":[{"role":"user","content":"d"}],"tools":[1]}"#,
            #"{"messages":[{"role":"assistant","content":"d"}]}"#, #"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#,
            #"{"messages":[{"role":"user","content":"d"},{"role":"system","content":"s"},{"role":"user","content":"e"}]}"#,
        ] {
            #expect(try !Self.request(.ollamaChat, body).conversation.isPlain, "\(body)")
        }
    }
}
