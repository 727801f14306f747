// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// The same agents on Ollama. Since 0.14 it speaks their dialects itself: nothing is translated, and what the router does to a request on its
/// way must not disturb them.
@Suite(.serialized) struct NativeAgentTests {
    /// - Parameter route: where the endpoint must have been asked; nil for where the agent asks.
    private static func works(_ agent: RealAgent, variant: String? = nil, version: String = "0.15.2", route: String? = nil) throws {
        let route = route ?? agent.route
        try AgentRun.offline {
            let server = try SimulatedEndpointProcess(["--models", "m", "--loaded", "m", "--version", version, "--log"])
            try RunningDaemon.run("endpoints:\n  - {url: \"\(server.url)\", name: ollama}\n") { daemon in
                let (outcome, shortcomings) = try AgentRun.perform(agent, variant: variant, port: daemon.port)
                guard shortcomings.isEmpty else {
                    throw TestFailure("\(agent.rawValue): \(shortcomings)\n\(AgentRun.text(outcome))\n--- the endpoint:\n\(server.log)")
                }
                let status = try daemon.status()
                guard status.requests.failed == 0 else { throw TestFailure("\(agent.rawValue): \(status.requests)\n\(server.log)") }
                // Else this suite would say nothing of the endpoint's own routes.
                guard server.log.contains("POST \(route)") else { throw TestFailure("\(route) was not asked:\n\(server.log)") }
            }
        }
    }

    @Test(.enabled(if: RealAgent.claudeCode.isInstalled, "\(RealAgent.claudeCode.whyNot)"))
    func claudeCode() throws { try Self.works(.claudeCode) }

    @Test(.enabled(if: RealAgent.codex.isInstalled, "\(RealAgent.codex.whyNot)"))
    func codex() throws { try Self.works(.codex) }

    @Test(.enabled(if: RealAgent.openAIAgents.isInstalled, "\(RealAgent.openAIAgents.whyNot)"), arguments: ["whole", "streamed"])
    func openAIAgents(_ manner: String) throws { try Self.works(.openAIAgents, variant: manner) }

    @Test(.enabled(if: RealAgent.pydanticAI.isInstalled, "\(RealAgent.pydanticAI.whyNot)"))
    func pydanticAI() throws { try Self.works(.pydanticAI) }

    @Test(.enabled(if: RealAgent.smolagents.isInstalled, "\(RealAgent.smolagents.whyNot)"))
    func smolagents() throws { try Self.works(.smolagents) }

    @Test(.enabled(if: RealAgent.aider.isInstalled, "\(RealAgent.aider.whyNot)"))
    func aider() throws { try Self.works(.aider) }

    @Test(.enabled(if: RealAgent.mistralVibe.isInstalled, "\(RealAgent.mistralVibe.whyNot)"))
    func mistralVibe() throws { try Self.works(.mistralVibe) }

    // MARK: Before it did

    @Test(.enabled(if: RealAgent.claudeCode.isInstalled, "\(RealAgent.claudeCode.whyNot)"))
    func claudeCodeOnAnOlderOne() throws { try Self.works(.claudeCode, version: "0.12.0", route: "/api/chat") }

    @Test(.enabled(if: RealAgent.codex.isInstalled, "\(RealAgent.codex.whyNot)"))
    func codexOnAnOlderOne() throws { try Self.works(.codex, version: "0.12.0", route: "/api/chat") }
}
