// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

extension RealModelSuites {
    /// The same agents with a real llama-server, which speaks all their dialects. Its model is far too small for the task, so what is asked is that
    /// each request is answered well and that the agent ends by itself. Nothing that the model says is carried out.
    @Suite(
        .serialized,
        .enabled(
            if: RealModel.folder != nil || RealModel.isRequired,
            "SKIPPED: no real model in the cache; `make real-model` builds one, once, in about 7 minutes"))
    struct RealModelAgentTests {
        private static func freePort() throws -> Int {
            let socket = try TCPSocket.listening()
            defer { socket.close() }
            return socket.localPort
        }

        /// Not mistral-vibe: its prompt has twice the tokens that the model was trained with.
        private static let agents = RealAgent.allCases.filter { $0 != .mistralVibe && $0.isInstalled }

        @Test(arguments: agents) func anAgentIsAnswered(_ agent: RealAgent) throws {
            let model = try #require(RealModel.folder, "ROUTERD_REQUIRE_REAL_MODEL is set, and the cache is empty: run `make real-model`")
            try AgentRun.offline {
                let folder = try TemporaryFolder()
                let port = try Self.freePort()
                let log = folder.path + "/log"
                let server = try ChildProcess(
                    model + "/llama-server",
                    [
                        "--host", "127.0.0.1", "--port", "\(port)", "--model", model + "/model.gguf", "--alias", "m", "--threads", "2", "--jinja",
                        // An answer that nobody limits is a short one.
                        "--ctx-size", "8192", "--parallel", "1", "--predict", "24",
                    ],
                    output: log, errors: log)
                defer { server.kill() }
                let config =
                    "llama_server_endpoints:\n  - {url: \"http://127.0.0.1:\(port)/v1\", name: real}\n"
                    + "access_log: \(folder.path)/access\naccess_log_format: json\n"
                try RunningDaemon.run(config, up: 0) { daemon in
                    try eventually("the model is loaded: \(folder.read("log").suffix(2000))", within: 120) {
                        try daemon.endpoint("real").state == "up"
                    }
                    let errand = try RealAgent.Errand("Say hello.", port: daemon.port, hands: .tied, folder: folder.path)
                    try AgentTask(folder: errand.work, manner: agent.manner).prepare()
                    let outcome = try agent.run(errand)
                    try daemon.waitUntilIdle()
                    let total = try daemon.status().requests.total
                    let lines = try eventualValue("a line of the access log for each of \(total) requests") { () -> [[String: Any]]? in
                        let lines = folder.read("access").split(separator: "\n").compactMap {
                            try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
                        }
                        return lines.count >= total ? lines : nil
                    }
                    // One of them first looks who is there.
                    let asked = lines.filter { $0["method"] as? String == "POST" }
                    let areWell = asked.allSatisfy { $0["status"] as? Int == 200 && ($0["path"] as? String ?? "").hasPrefix(agent.route) }
                    let tokens = try daemon.endpoint("real").tokensTotal
                    guard !asked.isEmpty, areWell, tokens > 0 else {
                        throw TestFailure("\(agent.rawValue): \(lines)\n\(AgentRun.text(outcome))\n\(folder.read("log").suffix(3000))")
                    }
                }
            }
        }
    }
}
