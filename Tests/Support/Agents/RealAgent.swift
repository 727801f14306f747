// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// A coding agent as its users run it, from the cache that `scripts/agents-setup.sh` fills.
public enum RealAgent: String, Sendable, CaseIterable {
    case claudeCode = "claude"
    case codex
    case openAIAgents = "openai-agents"
    case pydanticAI = "pydantic-ai"
    case smolagents
    case aider
    case mistralVibe = "mistral-vibe"

    private static let cache: String = {
        let result = try? ChildProcess.run(Checkout.root + "/scripts/agents-setup.sh", ["--path"], within: 20)
        return result?.output.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    }()

    // MARK: Where it is

    private var folder: String { Self.cache + "/" + rawValue }
    var compiled: String { folder + "/compiled" }

    /// Nil if it is not there.
    var program: String? {
        switch self {
        case .claudeCode: package("claude_agent_sdk/_bundled/claude")
        case .codex: package("codex_cli_bin/bin/codex")
        case .aider: executable("bin/aider")
        case .mistralVibe: executable("bin/vibe")
        case .openAIAgents, .pydanticAI, .smolagents: executable("bin/python")
        }
    }

    private func executable(_ name: String) -> String? {
        let path = folder + "/" + name
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    /// A file of a package of Python, whatever its version is.
    private func package(_ name: String) -> String? {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/lib")) ?? []
        return versions.lazy.compactMap { executable("lib/\($0)/site-packages/\(name)") }.first
    }

    public var isInstalled: Bool { FileManager.default.fileExists(atPath: folder + "/installed") && program != nil }

    /// Why it is not there, for the line that tells of its tests.
    public var whyNot: String {
        let reason = (try? String(contentsOfFile: folder + "/reason", encoding: .utf8)) ?? "scripts/agents-setup.sh has not installed it"
        return "SKIPPED: \(rawValue): \(reason.trimmingCharacters(in: .whitespacesAndNewlines))"
    }

    // MARK: How it works

    public var manner: AgentTask.Manner {
        switch self {
        case .claudeCode, .codex, .openAIAgents, .pydanticAI, .mistralVibe: .parallel
        case .smolagents: .single
        case .aider: .text
        }
    }

    /// What it hands to its model on the way.
    public var sights: [AgentTask.Sight] {
        switch self {
        case .claudeCode: [.file, .picture, .error, .foundTool]
        case .codex, .openAIAgents, .pydanticAI, .smolagents, .aider: [.file, .picture, .error]
        // Without a terminal, it has no way to show its model a picture.
        case .mistralVibe: [.file, .error]
        }
    }

    /// Where it asks, unless a variant says otherwise.
    public var route: String {
        switch self {
        case .claudeCode: "/v1/messages"
        case .codex, .openAIAgents, .pydanticAI: "/v1/responses"
        case .smolagents, .aider, .mistralVibe: "/v1/chat/completions"
        }
    }
}
