// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

extension RealModelSuites {
    /// Every kind of endpoint behind one address: two Ollama servers, an OpenAI-compatible service over TLS and, where its cache is
    /// there, a real llama-server that swaps two models. What breaks without these: an application that works with one of them
    /// does not with another.
    @Suite(.serialized) struct MixedFleetTests {
        private static func fleet(_ more: String = "", up: Int = 3, _ body: (RunningDaemon, FakeEndpoint) throws -> Void) throws {
            let authority = try TestAuthority()
            let certificate = try authority.certificate("service")
            let one = try SimulatedEndpointProcess(["--models", "llama3.2:3b", "--loaded", "llama3.2:3b"])
            let two = try SimulatedEndpointProcess(["--models", "llama3.2:3b,mistral:7b"])
            // It is asked for what no other endpoint has, and knows better than its list.
            let service = try FakeEndpoint("service", kind: .openAI, available: ["gpt-far"]) { connection, request in
                let model = request.string("model") ?? ""
                if model == "gpt-far" { return FakeModelServer().answer(request, on: connection) }
                connection.answer(#"{"error":{"message":"the model '\#(model)' does not exist","code":"model_not_found"}}"#, status: "404 Not Found")
            }
            defer { service.die() }
            let front = try TLSFront(certificate, to: service.port)
            let config =
                "endpoints:\n  - {url: \"\(one.url)\", name: one}\n  - {url: \"\(two.url)\", name: two}\n"
                + "  - {url: \"https://localhost:\(front.port)/v1\", name: service, api_key: sk-far, tls: {ca_file: \(authority.caFile)}}\n" + more
            try withExtendedLifetime((front, one, two)) { try RunningDaemon.run(config, up: up) { try body($0, service) } }
        }

        @Test func allClientsUseAllKinds() throws {
            try Self.fleet { daemon, service in
                let url = "http://127.0.0.1:\(daemon.port)"
                try #expect(daemon.endpoint("service").kind == "openai")
                try PythonClient.run("ollama_client.py", [url, "llama3.2:3b", "mistral:7b"])
                try PythonClient.run("openai_client.py", [url, "unused", "gpt-far"])
                try PythonClient.run("responses_client.py", [url, "gpt-far", "gpt-far"])
                try PythonClient.run("anthropic_client.py", [url, "unused", "gpt-far"])
                try PythonClient.run("litellm_client.py", [url, "gpt-far", "llama3.2:3b"])
                try PythonClient.run("langchain_client.py", [url, "gpt-far", "gpt-far", "mistral:7b"])
                #expect(service.requests.allSatisfy { $0.head["authorization"] == "Bearer sk-far" }, "its own key, whatever the client sent")
                #expect(service.requests.allSatisfy { $0.head["x-api-key"] == nil && $0.path.hasPrefix("/v1/") })
                try daemon.waitUntilIdle()
                try #expect(daemon.status().requests.failed == 0)
            }
        }

        @Test func whatAKindCannotDoIsTold() throws {
            try Self.fleet { daemon, _ in
                let rerank = try RawClient.post(port: daemon.port, "/v1/rerank", #"{"model":"mistral:7b","query":"a","documents":["b"]}"#)
                #expect(rerank.status == 404 && rerank.text.contains("two, which does not speak /v1/rerank"), "\(rerank.text)")
                let option = try RawClient.post(
                    port: daemon.port, "/api/chat", #"{"model":"gpt-far","messages":[{"role":"user","content":"x"}],"options":{"odd":1}}"#)
                #expect(option.status == 200 && option.head["x-routerd-note"] == "left out: options.odd", "\(option.head)")
                let state = try RawClient.post(port: daemon.port, "/v1/responses", #"{"model":"gpt-far","input":"x","previous_response_id":"r"}"#)
                #expect(state.status == 400 && state.text.contains(#""param":"previous_response_id""#))
                let show = try RawClient.post(port: daemon.port, "/api/show", #"{"model":"gpt-far"}"#)
                #expect(show.status == 200 && show.text.contains(#""capabilities":["completion"]"#))
                let load = try RawClient.post(port: daemon.port, "/api/generate", #"{"model":"gpt-far"}"#)
                #expect(load.text.contains(#""done_reason":"load""#))
                let tags = try RawClient.get(port: daemon.port, "/api/tags").text
                #expect(tags.contains(#""name":"gpt-far:latest""#) && tags.contains(#""name":"mistral:7b""#))
                #expect(try !RawClient.get(port: daemon.port, "/api/ps").text.contains("gpt-far"), "it loads nothing")
            }
        }

        /// SmolLM2 and MiniLM as two presets of which one fits: loading and unloading are real.
        @Test(
            .enabled(if: RealModel.folder != nil || RealModel.isRequired, "SKIPPED: no real models in the cache; `make real-model` makes them, once"))
        func aRealLlamaServerSwapsItsModels() throws {
            let folder = try #require(RealModel.folder, "ROUTERD_REQUIRE_REAL_MODEL is set, and the cache is empty: run `make real-model`")
            let logs = try TemporaryFolder()
            try logs.write(
                """
                [smollm2]
                model = \(folder)/model.gguf
                ctx-size = 2048
                parallel = 2
                [sentence-transformers/MiniLM-GGUF:F16]
                model = \(folder)/minilm.gguf
                embeddings = true
                """, to: "presets.ini")
            let free = try TCPSocket.listening()
            let port = free.localPort
            free.close()
            let server = try ChildProcess(
                folder + "/llama-server",
                ["--host", "127.0.0.1", "--port", "\(port)", "--models-preset", logs.path + "/presets.ini", "--models-max", "1", "--threads", "2"],
                output: logs.path + "/log", errors: logs.path + "/log")
            // Its own children end with it when it is asked to.
            defer {
                server.signal(SIGTERM)
                _ = try? server.waitForExit(within: 10)
                server.kill()
            }
            // Nothing says what it is: it is asked.
            try Self.fleet("  - {url: \"http://127.0.0.1:\(port)\", name: real}\n", up: 4) { daemon, _ in
                let url = "http://127.0.0.1:\(daemon.port)"
                try #expect(daemon.endpoint("real").kind == "llama-server")
                let chat = #"{"model":"smollm2","stream":false,"messages":[{"role":"user","content":"Say hello."}],"options":{"num_predict":8}}"#
                let first = try RawClient.post(port: daemon.port, "/api/chat", chat, within: 120)
                #expect(first.status == 200 && first.text.contains(#""eval_count":"#), "\(first.text)")
                try eventually("smollm2 is loaded, with its slots", within: 20) {
                    try daemon.endpoint("real").loaded == ["smollm2"]
                }
                let vectors = try RawClient.post(port: daemon.port, "/api/embed", #"{"model":"minilm-gguf","input":["one","two"]}"#, within: 120)
                #expect(vectors.status == 200 && vectors.text.hasPrefix(#"{"model":"minilm-gguf","embeddings":[["#), "\(vectors.text.prefix(200))")
                try eventually("the other one had to go", within: 20) {
                    try daemon.endpoint("real").loaded == ["sentence-transformers/MiniLM-GGUF:F16"]
                }
                let tokens = try RawClient.post(port: daemon.port, "/tokenize", #"{"model":"smollm2","content":"hello world"}"#, within: 120)
                #expect(tokens.status == 200 && tokens.text.hasPrefix(#"{"tokens":["#), "\(tokens.text)")
                try PythonClient.run("anthropic_client.py", [url, "unused", "smollm2", "real"])
                try PythonClient.run("litellm_client.py", [url, "smollm2"])
                try PythonClient.run("langchain_client.py", [url, "minilm-gguf", "smollm2"])
                try PythonClient.run("openai_client.py", [url, "unused", "smollm2", "text-only"])
                let unloaded = try RawClient.post(port: daemon.port, "/api/chat", #"{"model":"smollm2","messages":[],"keep_alive":0}"#, within: 60)
                #expect(unloaded.text.contains(#""done_reason":"unload""#), "\(unloaded.text)")
                try eventually("nothing is loaded", within: 20) { try daemon.endpoint("real").loaded.isEmpty }
            }
        }
    }
}
