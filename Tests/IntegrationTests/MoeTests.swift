// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// `moe-<model>`: three answers, three critiques, one choice. What breaks without these: the choice is made of nothing, slots are
/// lost, or a client that has gone keeps seven generations running.
@Suite struct MoeTests {
    private static let chat = #"{"model":"moe-m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"why?"}]"#

    /// What a request is: an answer, a critique or the choice.
    private static func part(_ request: ReceivedRequest) -> String {
        let messages = request.json["messages"] as? [[String: Any]] ?? []
        let last = messages.last?["content"] as? String ?? ""
        return last.contains("<candidate") ? "choice" : last.contains("<answer>") ? "critique" : "answer"
    }

    private static func fleet(_ script: FakeEndpoint.Script? = nil, _ body: (RunningDaemon, [FakeEndpoint]) throws -> Void) throws {
        let endpoints = try [FakeEndpoint.Kind.ollama, .llamaServer].enumerated().map {
            try FakeEndpoint("e\($0)", kind: $1, available: ["m"], loaded: ["m"], script: script)
        }
        defer { for endpoint in endpoints { endpoint.die() } }
        try RunningDaemon.run(endpoints) { try body($0, endpoints) }
    }

    @Test func sevenRequestsMakeOneAnswerWhoseCountsAreTheirSum() throws {
        try Self.fleet { daemon, endpoints in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.chat + #","stream":false}"#)
            #expect(answer.status == 200 && answer.text.contains(#""content":"word0 word1"#), "\(answer.text)")
            #expect(
                answer.text.contains(#""prompt_eval_count":77,"#) && answer.text.contains(#""eval_count":35"#),
                "seven times 11 and 5: \(answer.text)")
            let requests = endpoints.flatMap(\.requests)
            let parts = requests.map(Self.part)
            #expect(
                parts.filter { $0 == "answer" }.count == 3 && parts.filter { $0 == "critique" }.count == 3
                    && parts.filter { $0 == "choice" }.count == 1)
            for request in requests where Self.part(request) == "answer" { #expect(request.json["temperature"] as? Int == 1) }
            #expect(requests.allSatisfy { $0.string("model") == "m:latest" || $0.string("model") == "m" })
            #expect(endpoints.allSatisfy { $0.requestCount > 0 }, "over the fleet")
            let choice = try #require(requests.last { Self.part($0) == "choice" })
            let messages = choice.json["messages"] as? [[String: Any]] ?? []
            #expect(messages.first?["content"] as? String == "be brief", "the client's own words stay around it")
            let asked = messages.last?["content"] as? String ?? ""
            #expect(asked.contains("<question>\nwhy?\n</question>"))
            let counted = try RawClient.get(port: daemon.port, "/api/token_counts").text
            #expect(counted.contains(#""total_tokens":112"#), "each where it was spent: \(counted)")
        }
    }

    @Test func theChoiceIsStreamedInEachDialect() throws {
        try Self.fleet { daemon, _ in
            let native = try RawClient.post(port: daemon.port, "/api/chat", Self.chat + "}")
            #expect(native.text.split(separator: "\n").count == 6 && native.text.contains(#""prompt_eval_count":77"#))
            let generate = try RawClient.post(port: daemon.port, "/api/generate", #"{"model":"moe-m","prompt":"why?"}"#)
            #expect(generate.text.contains(#""response":"word0""#))
            let openAI = try RawClient.post(
                port: daemon.port, "/v1/chat/completions", Self.chat + #","stream":true,"stream_options":{"include_usage":true}}"#)
            #expect(openAI.head["content-type"] == "text/event-stream" && openAI.text.hasSuffix("data: [DONE]\n\n"))
            #expect(openAI.text.contains(#""usage":{"prompt_tokens":77,"completion_tokens":35,"total_tokens":112}"#))
            let quiet = try RawClient.post(port: daemon.port, "/v1/chat/completions", Self.chat + #","stream":true}"#)
            #expect(!quiet.text.contains("usage"))
        }
    }

    @Test func twoAnswersDoWhereOneFails() throws {
        let failed = Gate()
        failed.open()
        let server = FakeModelServer()
        let script: FakeEndpoint.Script = { connection, request in
            if Self.part(request) == "answer", failed.pass(within: 0) {
                connection.answer(#"{"error":{"message":"out of memory"}}"#, status: "500 Internal Server Error")
            } else {
                server.answer(request, on: connection)
            }
        }
        try Self.fleet(script) { daemon, endpoints in
            let answer = try RawClient.post(port: daemon.port, "/v1/chat/completions", Self.chat + "}")
            #expect(answer.status == 200 && answer.text.contains(#""prompt_tokens":55"#), "\(answer.text)")
            #expect(endpoints.flatMap(\.requests).count == 6)
        }
    }

    @Test func ofNoAnswerAnErrorIsMade() throws {
        let script: FakeEndpoint.Script = { connection, _ in connection.answer(#"{"error":{"message":"too long"}}"#, status: "400 Bad Request") }
        try Self.fleet(script) { daemon, _ in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.chat + "}")
            #expect(answer.status == 400 && answer.text == #"{"error":"too long"}"#)
            try #expect(
                RawClient.post(port: daemon.port, "/api/chat", #"{"model":"moe-none","messages":[{"role":"user","content":"x"}]}"#).status == 404)
            try #expect(RawClient.post(port: daemon.port, "/api/chat", #"{"model":"moe-","messages":[{"role":"user","content":"x"}]}"#).status == 400)
            try #expect(RawClient.post(port: daemon.port, "/api/chat", #"{"model":"moe-m","messages":[]}"#).status == 400)
        }
    }

    @Test func aClientThatLeavesEndsAllOfThem() throws {
        let script: FakeEndpoint.Script = { connection, _ in connection.waitForPeerToLeave(within: 20) }
        try Self.fleet(script) { daemon, endpoints in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Self.chat + "}"))
            try eventually("three are at work") { endpoints.reduce(0) { $0 + $1.active } == 3 }
            client.close()
            try eventually("none is") { endpoints.reduce(0) { $0 + $1.active } == 0 && endpoints.reduce(0) { $0 + $1.peersThatLeft } == 3 }
        }
    }
}
