// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// The cache that `make real-model` fills.
enum RealModel {
    static let isRequired = ProcessInfo.processInfo.environment["ROUTERD_REQUIRE_REAL_MODEL"] == "1"

    /// The folder with `llama-server` and `model.gguf`.
    static let folder: String? = {
        guard let result = try? ChildProcess.run(Checkout.root + "/scripts/real-model.sh", ["--path"], within: 20), result.status == 0 else {
            return nil
        }
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }()
}

extension RealModelSuites {
    /// A real language model answers through the router: llama-server with SmolLM2, from the cache that `make real-model` fills.
    @Suite(
        .enabled(
            if: RealModel.folder != nil || RealModel.isRequired,
            "SKIPPED: no real model in the cache; `make real-model` builds one, once, in about 7 minutes"))
    struct RealModelTests {
        /// Of the answer's text: a model of this size knows words, if little else.
        private static func words(of answer: RawResponse) throws -> Int {
            struct Completion: Decodable {
                struct Choice: Decodable {
                    struct Message: Decodable { var content: String }
                    var message: Message
                }
                var choices: [Choice]
            }
            let completion = try JSONDecoder().decode(Completion.self, from: Data(answer.body))
            return completion.choices.first?.message.content.split { !$0.isLetter }.count ?? 0
        }

        private static func freePort() throws -> Int {
            let socket = try TCPSocket.listening()
            defer { socket.close() }
            return socket.localPort
        }

        @Test func aRealModelAnswersThroughTheRouter() throws {
            let folder = try #require(RealModel.folder, "ROUTERD_REQUIRE_REAL_MODEL is set, and the cache is empty: run `make real-model`")
            let logs = try TemporaryFolder()
            let port = try Self.freePort()
            let server = try ChildProcess(
                folder + "/llama-server",
                [
                    "--host", "127.0.0.1", "--port", "\(port)", "--model", folder + "/model.gguf", "--alias", "smollm2", "--threads", "2",
                    "--ctx-size",
                    "2048", "--parallel", "2",
                ],
                output: logs.path + "/log", errors: logs.path + "/log")
            defer { server.kill() }
            // It is loading at first: a state, not a failure.
            try RunningDaemon.run("llama_server_endpoints:\n  - {url: \"http://127.0.0.1:\(port)/v1\", name: real}\n", up: 0) { daemon in
                try eventually("the model is loaded: \(logs.read("log").suffix(2000))", within: 120) { try daemon.endpoint("real").state == "up" }
                let ask =
                    #"{"model":"smollm2","messages":[{"role":"user","content":"What is the capital of France?"}],"max_tokens":24,"temperature":0"#

                let whole = try RawClient.post(port: daemon.port, "/v1/chat/completions", ask + "}", within: 120)
                #expect(whole.status == 200)
                try #expect(Self.words(of: whole) > 3, "\(whole.text)")

                let client = try daemon.client()
                try client.send(RawClient.request("POST", "/v1/chat/completions", body: ask + #","stream":true}"#))
                let head = try client.readHead(until: Deadline(60))
                #expect(head.status == 200 && head["content-type"]?.hasPrefix("text/event-stream") == true)
                var pieces = 0
                var text = ""
                while let bytes = try client.readSome(until: Deadline(60)) {
                    pieces += 1
                    text += String(decoding: bytes, as: UTF8.self)
                }
                #expect(pieces > 5, "tokens come as they are made, not in one lump: \(pieces)")
                #expect(text.hasSuffix("data: [DONE]\n\n"))

                try PythonClient.run("openai_client.py", ["http://127.0.0.1:\(daemon.port)", "unused", "smollm2", "text-only", "any-name"])
                // Ollama's routes are translated for it.
                let native = try RawClient.post(
                    port: daemon.port, "/api/chat",
                    #"{"model":"smollm2","messages":[{"role":"user","content":"What is the capital of France?"}],"options":{"num_predict":24}}"#,
                    within: 120)
                #expect(native.status == 200 && native.head["content-type"] == "application/x-ndjson")
                #expect(native.text.split(separator: "\n").count > 5 && native.text.contains(#""done":true,"done_reason":""#), "\(native.text)")
                try daemon.waitUntilIdle()
                try #expect(daemon.status().requests.failed == 0)
                try #expect(daemon.endpoint("real").tokensTotal > 24)
            }
        }
    }
}
