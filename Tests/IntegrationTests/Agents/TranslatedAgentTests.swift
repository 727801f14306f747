// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport
import Testing

/// Coding agents do a task of several turns through the router although the endpoint has chat completions only and is strict about them: the
/// real programs with their default settings, against a scripted model.
@Suite(.serialized) struct TranslatedAgentTests {
    private static func works(
        _ agent: RealAgent, variant: String? = nil, sights: [AgentTask.Sight]? = nil, strict: StrictChat = StrictChat(),
        model: ScriptedModel = ScriptedModel(),
        manners: ModelReply.ChatManners = .exact
    ) throws {
        try AgentRun.offline {
            let service = try ScriptedChatEndpoint(strict: strict, model: model, manners: manners)
            try RunningDaemon.run([service.endpoint]) { daemon in
                let (outcome, shortcomings) = try AgentRun.perform(agent, variant: variant, sights: sights, port: daemon.port)
                let refused = service.refused.map { "--- the endpoint refused: " + $0.prefix(3000) }.joined(separator: "\n")
                guard shortcomings.isEmpty, refused.isEmpty else {
                    throw TestFailure("\(agent.rawValue): \(shortcomings)\n\(refused)\n\(AgentRun.text(outcome))")
                }
            }
        }
    }

    @Test(.enabled(if: RealAgent.claudeCode.isInstalled, "\(RealAgent.claudeCode.whyNot)"))
    func claudeCode() throws { try Self.works(.claudeCode) }

    @Test(.enabled(if: RealAgent.codex.isInstalled, "\(RealAgent.codex.whyNot)"))
    func codex() throws { try Self.works(.codex, sights: RealAgent.codex.sights + [.namespacedTool]) }

    /// With the name of a model that it knows, it edits with a tool that takes free text.
    @Test(.enabled(if: RealAgent.codex.isInstalled, "\(RealAgent.codex.whyNot)"))
    func codexWithItsOwnTools() throws { try Self.works(.codex, variant: "gpt-5.5") }

    /// And with another, it has the model write programs that call its tools, all of which it hands over in namespaces among its messages.
    @Test(.enabled(if: RealAgent.codex.isInstalled, "\(RealAgent.codex.whyNot)"))
    func codexWithProgramsForCalls() throws { try Self.works(.codex, variant: "gpt-6-sol", sights: [.file, .error]) }

    @Test(.enabled(if: RealAgent.openAIAgents.isInstalled, "\(RealAgent.openAIAgents.whyNot)"), arguments: ["whole", "streamed"])
    func openAIAgents(_ manner: String) throws { try Self.works(.openAIAgents, variant: manner) }

    @Test(.enabled(if: RealAgent.pydanticAI.isInstalled, "\(RealAgent.pydanticAI.whyNot)"), arguments: ["openai:m", "openai-chat:m"])
    func pydanticAI(_ model: String) throws { try Self.works(.pydanticAI, variant: model) }

    @Test(.enabled(if: RealAgent.smolagents.isInstalled, "\(RealAgent.smolagents.whyNot)"))
    func smolagents() throws { try Self.works(.smolagents) }

    @Test(.enabled(if: RealAgent.aider.isInstalled, "\(RealAgent.aider.whyNot)"))
    func aider() throws { try Self.works(.aider) }

    @Test(.enabled(if: RealAgent.mistralVibe.isInstalled, "\(RealAgent.mistralVibe.whyNot)"))
    func mistralVibe() throws { try Self.works(.mistralVibe) }

    // MARK: Careless endpoints

    /// Real servers differ in how they stream calls of tools; agents only know the one way that is documented.
    @Test(.enabled(if: RealAgent.claudeCode.isInstalled, "\(RealAgent.claudeCode.whyNot)"))
    func claudeCodeOnACarelessEndpoint() throws { try Self.works(.claudeCode, manners: .careless) }

    @Test(.enabled(if: RealAgent.codex.isInstalled, "\(RealAgent.codex.whyNot)"))
    func codexOnACarelessEndpoint() throws { try Self.works(.codex, manners: .careless) }

    // MARK: Thinking

    /// Some services refuse the second turn without the thinking of the first.
    @Test(.enabled(if: RealAgent.claudeCode.isInstalled, "\(RealAgent.claudeCode.whyNot)"))
    func claudeCodeHandsThinkingBack() throws {
        try Self.works(.claudeCode, strict: StrictChat(thinking: .demanded), model: ScriptedModel(thought: "I look at it first."))
    }

    @Test(.enabled(if: RealAgent.codex.isInstalled, "\(RealAgent.codex.whyNot)"))
    func codexHandsThinkingBack() throws {
        try Self.works(.codex, strict: StrictChat(thinking: .demanded), model: ScriptedModel(thought: "I look at it first."))
    }
}
