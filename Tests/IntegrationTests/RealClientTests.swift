// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Applications that used Ollama or OpenAI see no difference: their own client libraries, unchanged, against a fleet of
/// simulated Ollama servers.
@Suite struct RealClientTests {
    private static func fleet(_ config: String = "", _ body: (RunningDaemon) throws -> Void) throws {
        let first = try SimulatedEndpointProcess(["--models", "llama3.2:3b,qwen2.5:7b", "--loaded", "llama3.2:3b"])
        let second = try SimulatedEndpointProcess(["--models", "llama3.2:3b,mistral:7b"])
        try withExtendedLifetime((first, second)) {
            try RunningDaemon.run("endpoints:\n  - \(first.url)\n  - \(second.url)\n" + config, up: 2, body)
        }
    }

    @Test func theOllamaPackageWorksUnchanged() throws {
        try Self.fleet { daemon in
            try PythonClient.run("ollama_client.py", ["http://127.0.0.1:\(daemon.port)", "llama3.2:3b", "mistral:7b"])
            try daemon.waitUntilIdle()
            try #expect(daemon.status().requests.failed == 0)
        }
    }

    /// What the cache says again is what the clients expect of a server.
    @Test(arguments: ["ollama_client.py", "openai_client.py"]) func bothTakeKeptAnswers(_ client: String) throws {
        let isOllama = client.hasPrefix("ollama")
        try Self.fleet("cache_enabled: true\n" + (isOllama ? "" : "nomyo-router-api-key: sk-of-the-router\n")) { daemon in
            for _ in 0..<3 {
                try PythonClient.run(
                    client, ["http://127.0.0.1:\(daemon.port)"] + (isOllama ? ["llama3.2:3b", "mistral:7b"] : ["sk-of-the-router", "llama3.2:3b"]))
            }
            try daemon.waitUntilIdle()
            let status = try daemon.status()
            #expect(status.requests.failed == 0 && status.cache.exactHits > 2, "\(status.cache)")
        }
    }

    /// Since 0.14 Ollama speaks the newer dialects itself, and says different things in them than a translation would.
    @Test func ollamasOwnMessagesAndResponsesAreUsed() throws {
        let server = try SimulatedEndpointProcess(["--models", "llama3.2:3b", "--loaded", "llama3.2:3b", "--version", "0.15.2", "--log"])
        try RunningDaemon.run("endpoints:\n  - \(server.url)\n") { daemon in
            let url = "http://127.0.0.1:\(daemon.port)"
            try PythonClient.run("anthropic_client.py", [url, "unused", "llama3.2:3b"])
            try PythonClient.run("responses_client.py", [url, "llama3.2:3b", "llama3.2:3b"])
            for route in ["/v1/messages", "/v1/responses"] { #expect(server.log.contains("POST \(route) llama3.2:3b"), "\(server.log)") }
            #expect(!server.log.contains("POST /v1/chat/completions"), "\(server.log)")
        }
    }

    /// An older one does not, and clients see no difference.
    @Test func olderOllamasAreTranslatedFor() throws {
        let server = try SimulatedEndpointProcess(["--models", "llama3.2:3b", "--loaded", "llama3.2:3b", "--log"])
        try RunningDaemon.run("endpoints:\n  - \(server.url)\n") { daemon in
            let url = "http://127.0.0.1:\(daemon.port)"
            try PythonClient.run("anthropic_client.py", [url, "unused", "llama3.2:3b"])
            try PythonClient.run("responses_client.py", [url, "llama3.2:3b", "llama3.2:3b"])
            #expect(!server.log.contains("POST /v1/messages") && !server.log.contains("POST /v1/responses"), "\(server.log)")
        }
    }

    @Test func theOpenAIPackageWorksUnchangedAndWithAKey() throws {
        try Self.fleet("nomyo-router-api-key: sk-of-the-router\n") { daemon in
            try PythonClient.run("openai_client.py", ["http://127.0.0.1:\(daemon.port)", "sk-of-the-router", "llama3.2:3b"])
            try daemon.waitUntilIdle()
            try #expect(daemon.status().requests.failed == 0)
        }
    }
}
