// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Trimming, retries without images or tools, fallback models: off unless configured, told in a header.
@Suite struct RepairTests {
    private static let long =
        #"{"model":"m","stream":false,"messages":[{"role":"system","content":"stay"},"#
        + (0..<10).map {
            #"{"role":"user","content":"question \#($0) "# + String(repeating: "word ", count: 40)
                + #""},{"role":"assistant","content":"answer \#($0)"}"#
        }
        .joined(separator: ",") + #",{"role":"user","content":"last"}]}"#

    /// Refuses more than 200 words, as llama-server does, and counts words as tokens.
    private static let small: FakeEndpoint.Script = { connection, request in
        func words(_ text: String) -> Int { text.split(separator: " ").count }
        if request.path == "/tokenize" {
            let count = words(request.string("content") ?? "")
            return { connection.answer(#"{"tokens":[\#((0..<count).map { "\($0)" }.joined(separator: ","))]}"#) }() as Void
        }
        let messages = request.json["messages"] as? [[String: Any]] ?? []
        let total = messages.reduce(0) { $0 + words($1["content"] as? String ?? "") }
        if total > 200 {
            connection.answer(
                #"{"error":{"code":400,"message":"too long","type":"exceed_context_size_error","n_prompt_tokens":\#(total),"n_ctx":200}}"#,
                status: "400 Bad Request")
        } else {
            FakeModelServer().answer(request, on: connection)
        }
    }

    @Test func aLongConversationLosesItsOldestTurns() throws {
        let endpoint = try FakeEndpoint(kind: .llamaServer, available: ["m"], script: Self.small)
        defer { endpoint.die() }
        try RunningDaemon.run([endpoint]) { daemon in
            let refused = try RawClient.post(port: daemon.port, "/v1/chat/completions", Self.long)
            #expect(refused.status == 400 && refused.text.contains("exceed_context_size_error"), "off: the refusal as it came")
        }
        endpoint.forgetRequests()
        try RunningDaemon.run([endpoint], "context_shift: true\n") { daemon in
            for route in ["/v1/chat/completions", "/api/chat"] {
                let answer = try RawClient.post(port: daemon.port, route, Self.long)
                #expect(answer.status == 200, "\(answer.text)")
                #expect(answer.head["x-routerd-note"]?.hasSuffix("oldest messages dropped to fit 200 tokens") == true)
                let sent = try #require(endpoint.requests.last)
                let messages = sent.json["messages"] as? [[String: Any]] ?? []
                #expect(messages.first?["content"] as? String == "stay" && messages.last?["content"] as? String == "last")
                #expect(messages.dropFirst().first?["role"] as? String == "user" && messages.count < 22)
            }
            let chats = endpoint.requests.filter { $0.path == "/v1/chat/completions" }.count
            #expect(chats == 3, "the second time its context is known, and nothing is sent in vain")
            let short = try RawClient.post(
                port: daemon.port, "/v1/chat/completions", #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#)
            #expect(short.status == 200 && short.head["x-routerd-note"] == nil)
        }
    }

    @Test func toolsAndImagesGoWhereTheModelTakesNone() throws {
        let script: FakeEndpoint.Script = { connection, request in
            if request.json["tools"] != nil {
                connection.answer(#"{"error":"registry.ollama.ai/library/m does not support tools"}"#, status: "400 Bad Request")
            } else if String(decoding: request.body, as: UTF8.self).contains("\"images\"") {
                connection.answer(#"{"error":"this model is missing data required for image input"}"#, status: "500 Internal Server Error")
            } else {
                FakeModelServer().answer(request, on: connection)
            }
        }
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: script)
        defer { endpoint.die() }
        let body =
            #"{"model":"m","messages":[{"role":"user","content":"x","images":["QQ=="]}],"tools":[{"type":"function","function":{"name":"f"}}]}"#
        try RunningDaemon.run([endpoint], "retry_without: [images, tools]\n") { daemon in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", body)
            #expect(answer.status == 200 && answer.text.contains("word4"))
            let notes = answer.head.fields.filter { $0.name.lowercased() == "x-routerd-note" }.map(\.value)
            #expect(notes == ["tools dropped: the model takes none", "images dropped: the model takes none"])
            let other = try RawClient.post(port: daemon.port, "/api/chat", #"{"model":"m","messages":[],"tools":"odd","images":["x"]}"#)
            #expect(other.status == 200)
        }
        try RunningDaemon.run([endpoint]) { daemon in
            try #expect(RawClient.post(port: daemon.port, "/api/chat", body).status == 400)
        }
    }

    @Test func anotherModelAnswersWhereTheFirstCannotBeHad() throws {
        let big = try FakeEndpoint("big", available: ["big"], loaded: ["big"])
        let small = try FakeEndpoint("small", available: ["small"], loaded: ["small"])
        defer { big.die(); small.die() }
        try RunningDaemon.run([big, small], "fallbacks: {big: [nothing, small]}\n") { daemon in
            let body = #"{"model":"big","messages":[{"role":"user","content":"x"}]}"#
            let first = try RawClient.post(port: daemon.port, "/api/chat", body)
            #expect(first.head["x-routerd-endpoint"] == "big" && first.head["x-routerd-note"] == nil)
            big.die()
            let second = try RawClient.post(port: daemon.port, "/api/chat", body)
            #expect(second.status == 200 && second.head["x-routerd-endpoint"] == "small")
            #expect(second.head["x-routerd-note"] == "model small instead of big, which cannot be had")
            #expect(small.requests.last?.string("model") == "small:latest")
            try #expect(RawClient.post(port: daemon.port, "/api/chat", #"{"model":"other","messages":[]}"#).status == 404)
        }
    }
}
