// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Services that do not take every word of the router's, or not every dialect. What breaks without these: streams that work directly
/// fail through the router, and agents stop at their first request.
@Suite struct WordTests {
    private static let chat = "/v1/chat/completions"

    /// A service that is asked for its routes by polls, and answers requests by `script`.
    private static func service(_ script: @escaping FakeEndpoint.Script) throws -> FakeEndpoint {
        try FakeEndpoint("service", kind: .openAI, available: ["m"], script: script)
    }

    private func posted(_ endpoint: FakeEndpoint, _ path: String = chat) -> [ReceivedRequest] {
        endpoint.requests.filter { $0.path == path && $0.string("model") != nil }
    }

    @Test func aFieldThatTheServiceRefusesIsLeftOutFromThenOn() throws {
        let endpoint = try Self.service { connection, request in
            let refused = ["stream_options", "user"].filter { request.json[$0] != nil }
            if request.path == Self.chat, !refused.isEmpty {
                let faults = refused.map { #"{"type":"extra_forbidden","loc":["body","\#($0)"],"msg":"Extra inputs are not permitted"}"# }
                connection.answer(#"{"detail":[\#(faults.joined(separator: ","))]}"#, status: "422 Unprocessable Entity")
            } else {
                FakeModelServer().answer(request, on: connection)
            }
        }
        defer { endpoint.die() }
        try RunningDaemon.run([endpoint]) { daemon in
            let agent = #"{"model":"m","max_tokens":9,"stream":true,"metadata":{"user_id":"u"},"messages":[{"role":"user","content":"x"}]}"#
            for round in 1...2 {
                let answer = try RawClient.post(port: daemon.port, "/v1/messages", agent)
                #expect(answer.status == 200 && answer.text.contains("event: message_stop"), "round \(round): \(answer.text)")
            }
            #expect(posted(endpoint).count == 3, "the first was sent twice, and nothing after it in vain")
            // A client of chat completions is not asked for its counts either.
            let own = #"{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}"#
            let native = try RawClient.post(port: daemon.port, Self.chat, own)
            #expect(native.status == 200 && native.text.hasSuffix("data: [DONE]\n\n"))
            #expect(posted(endpoint).count == 4)
            try #expect(daemon.endpoint("service").words == "for m: refuses: [stream_options, user]")
            try #expect(daemon.status().requests.failed == 0)
        }
    }

    /// Ollama's own routes for agents drop the wish; its route for chat refuses it.
    @Test func anOllamaModelThatCannotThinkAnswersAgentsAllTheSame() throws {
        let endpoint = try FakeEndpoint("ollama", kind: .ollama, available: ["m"]) { connection, request in
            if request.path == "/api/chat", let think = request.json["think"], think as? Bool != false {
                connection.answer(#"{"error":"\"m\" does not support thinking"}"#, status: "400 Bad Request")
            } else {
                FakeModelServer().answer(request, on: connection)
            }
        }
        defer { endpoint.die() }
        let entry =
            "endpoints:\n  - {url: \"\(endpoint.url)\", name: ollama, words: {messages: translated, responses: translated}}\n"
        try RunningDaemon.run(entry, up: 1) { daemon in
            let messages = #"{"model":"m","max_tokens":9,"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":"x"}]}"#
            for round in 1...2 {
                let answer = try RawClient.post(port: daemon.port, "/v1/messages", messages)
                #expect(answer.status == 200 && answer.text.contains(#""type":"message""#), "round \(round): \(answer.text)")
                #expect(answer.head["x-routerd-note"] == "left out: thinking", "round \(round)")
            }
            let responses = try RawClient.post(port: daemon.port, "/v1/responses", #"{"model":"m","input":"x","reasoning":{"effort":"low"}}"#)
            #expect(responses.status == 200 && responses.head["x-routerd-note"] == "left out: reasoning.effort", "\(responses.head)")
            #expect(posted(endpoint, "/api/chat").count == 4, "only the first was sent twice")
            try #expect(daemon.endpoint("ollama").words?.contains("refuses: [think]") == true)
            // What a client says itself goes on as it is.
            let own = #"{"model":"m","think":true,"stream":false,"messages":[{"role":"user","content":"x"}]}"#
            let native = try RawClient.post(port: daemon.port, "/api/chat", own)
            #expect(native.status == 400 && native.text.contains("does not support thinking"))
            #expect(posted(endpoint, "/api/chat").count == 5)
        }
    }

    /// The client's own words are its own: what they are refused for is the client's answer.
    @Test func whatTheClientSaidItselfIsNotTakenBack() throws {
        let endpoint = try Self.service { connection, request in
            if request.json["stream_options"] != nil {
                connection.answer(#"{"error":{"message":"unknown field stream_options"}}"#, status: "400 Bad Request")
            } else {
                FakeModelServer().answer(request, on: connection)
            }
        }
        defer { endpoint.die() }
        try RunningDaemon.run([endpoint]) { daemon in
            let body = #"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]}"#
            let answer = try RawClient.post(port: daemon.port, Self.chat, body)
            #expect(answer.status == 400 && answer.text.contains("unknown field"))
            #expect(posted(endpoint).count == 1)
        }
    }

    @Test func aRouteThatIsNotBehindTheSwapperIsTranslated() throws {
        let endpoint = try Self.service { connection, request in
            if request.path == "/v1/messages" {
                connection.answer(#"{"detail":"Not Found"}"#, status: "404 Not Found")
            } else {
                FakeModelServer().answer(request, on: connection)
            }
        }
        defer { endpoint.die() }
        endpoint.setPollScript { connection, request in
            guard request.path == "/v1/messages" else { return false }
            return connection.answer("missing or invalid 'model' key", status: "400 Bad Request", contentType: "text/plain")
        }
        try RunningDaemon.run([endpoint]) { daemon in
            let agent = #"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#
            for round in 1...2 {
                let answer = try RawClient.post(port: daemon.port, "/v1/messages", agent)
                #expect(answer.status == 200 && answer.text.contains(#""type":"message""#), "round \(round): \(answer.text)")
            }
            #expect(posted(endpoint, "/v1/messages").count == 1, "it is asked once whether it speaks that")
            #expect(posted(endpoint).count == 2)
            try #expect(daemon.endpoint("service").words == "for m: messages: translated")
        }
    }

    @Test func theOperatorKnowsBetter() throws {
        let endpoint = try Self.service { connection, request in FakeModelServer().answer(request, on: connection) }
        defer { endpoint.die() }
        let entry =
            "endpoints:\n  - {url: \"\(endpoint.url)/v1\", name: service, words: {max_tokens: max_completion_tokens, refuses: [stream_options], system: anywhere}}\n"
        try RunningDaemon.run(entry, up: 1) { daemon in
            let agent = #"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"},{"role":"system","content":"s"}]}"#
            let answer = try RawClient.post(port: daemon.port, "/v1/messages", agent)
            #expect(answer.status == 200, "\(answer.text)")
            let sent = try #require(posted(endpoint).last)
            #expect(sent.json["max_completion_tokens"] as? Int == 9 && sent.json["max_tokens"] == nil && sent.json["stream_options"] == nil)
            let messages = sent.json["messages"] as? [[String: Any]] ?? []
            #expect(messages.map { $0["role"] as? String } == ["user", "system"])
            let shown = try daemon.routerctl("endpoints", "service").output
            #expect(shown.contains("max_tokens: max_completion_tokens; system: anywhere; refuses: [stream_options]"), "\(shown)")
        }
    }

    /// Servers say little of what they send: a stream without a type, with another one, or a text where a stream was asked for.
    @Test(arguments: ["Text/Event-Stream; charset=utf-8", "application/json", ""], [true, false])
    func theAnswerIsWhatItIs(_ type: String, _ isStream: Bool) throws {
        let endpoint = try Self.service { connection, request in
            guard request.path == Self.chat else { return FakeModelServer().answer(request, on: connection) }
            let head = "HTTP/1.1 200 OK\r\n" + (type.isEmpty ? "" : "Content-Type: \(type)\r\n")
            let delta = #"data: {"choices":[{"delta":{"content":"word"},"finish_reason":null}]}"# + "\n\n"
            let end = #"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"# + "\n\ndata: [DONE]\n\n"
            let whole = #"{"choices":[{"message":{"content":"word"},"finish_reason":"stop"}]}"#
            let body = isStream ? delta + end : whole
            connection.send(head + "Content-Length: \(body.utf8.count)\r\n\r\n" + body)
        }
        defer { endpoint.die() }
        try RunningDaemon.run([endpoint]) { daemon in
            for stream in [true, false] {
                let body = #"{"model":"m","max_tokens":9,"stream":\#(stream),"messages":[{"role":"user","content":"x"}]}"#
                let answer = try RawClient.post(port: daemon.port, "/v1/messages", body)
                #expect(answer.status == 200 && answer.text.contains("word"), "\(answer.text)")
                #expect(answer.text.hasPrefix("event: message_start") == stream)
                #expect(answer.head["content-type"]?.hasPrefix(stream ? "text/event-stream" : "application/json") == true)
            }
            try #expect(daemon.status().requests.failed == 0)
        }
    }

    @Test func thoughtsGoBackWhereTheyCameFrom() throws {
        let endpoint = try Self.service { connection, request in
            guard request.path == Self.chat else { return FakeModelServer().answer(request, on: connection) }
            connection.answer(#"{"choices":[{"message":{"content":"a","reasoning":"hm"},"finish_reason":"stop"}]}"#)
        }
        defer { endpoint.die() }
        try RunningDaemon.run([endpoint]) { daemon in
            let body =
                #"{"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"a"}]},{"role":"user","content":"x"}]}"#
            for _ in 1...2 {
                let answer = try RawClient.post(port: daemon.port, "/v1/messages", body)
                #expect(answer.status == 200, "\(answer.text)")
            }
            let sent = posted(endpoint).map { ($0.json["messages"] as? [[String: Any]])?.first?["reasoning"] as? String }
            #expect(sent == [nil, "hm"], "once it has shown that it has a word for them")
        }
    }

    @Test func whatIsLeftOutIsToldInAHeader() throws {
        let endpoint = try Self.service { connection, request in FakeModelServer().answer(request, on: connection) }
        defer { endpoint.die() }
        try RunningDaemon.run([endpoint]) { daemon in
            let body = #"{"model":"m","max_tokens":9,"context_management":{"edits":[1]},"novelty":1,"messages":[{"role":"user","content":"x"}]}"#
            let answer = try RawClient.post(port: daemon.port, "/v1/messages", body)
            #expect(answer.status == 200 && answer.head["x-routerd-note"] == "left out: context_management, novelty", "\(answer.head)")
            let thread = try RawClient.post(port: daemon.port, "/v1/messages", #"{"model":"m","thread":{"type":"create"},"messages":[]}"#)
            #expect(thread.status == 400 && thread.text.contains(#""error_code":"thread_unsupported_request""#), "\(thread.text)")
        }
    }
}
