// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Applications that used Ollama or OpenAI see no difference: their own client libraries, unchanged, against a fleet of
/// simulated Ollama servers.
@Suite struct RealClientTests {
    /// `simulated-endpoint` as a process.
    private final class Simulated: Sendable {
        let url: String
        private let process: ChildProcess
        private let folder: TemporaryFolder

        init(_ arguments: [String]) throws {
            let folder = try TemporaryFolder()
            let log = folder.path + "/log"
            let process = try ChildProcess(
                Checkout.binary("simulated-endpoint"), ["--port", "0", "--token-time", "2ms", "--load-time", "50ms", "--tokens", "6"] + arguments,
                output: log,
                errors: log)
            url = try eventualValue("a simulated endpoint") {
                folder.read("log").split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("http://") }.map(String.init)
            }
            self.process = process
            self.folder = folder
        }
    }

    private static func fleet(_ config: String = "", _ body: (RunningDaemon) throws -> Void) throws {
        let first = try Simulated(["--models", "llama3.2:3b,qwen2.5:7b", "--loaded", "llama3.2:3b"])
        let second = try Simulated(["--models", "llama3.2:3b,mistral:7b"])
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

    @Test func theOpenAIPackageWorksUnchangedAndWithAKey() throws {
        try Self.fleet("nomyo-router-api-key: sk-of-the-router\n") { daemon in
            try PythonClient.run("openai_client.py", ["http://127.0.0.1:\(daemon.port)", "sk-of-the-router", "llama3.2:3b"])
            try daemon.waitUntilIdle()
            try #expect(daemon.status().requests.failed == 0)
        }
    }
}
