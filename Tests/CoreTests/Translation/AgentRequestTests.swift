// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import JSON
import TestSupport
import Testing

@testable import Core

/// Every field, item and form of a tool that real agents were seen to send, in bodies with texts of our own: `Tests/Fixtures/agents`. What
/// breaks without these: an agent that people use stops at its first request, or at the first picture or error of a tool, and nobody finds out
/// where the agent itself is not installed.
@Suite struct AgentRequestTests {
    struct Row: Sendable, CustomStringConvertible {
        /// Its first word is the dialect.
        var file: String
        /// The conversation that must come out: the role, the names of the calls, and the pictures. Turns of one user count as one.
        var turns: [String]
        /// What the names of some tools end with.
        var offers: [String] = []
        /// Only who sold the model could run these.
        var leavesOut: [String] = []
        var description: String { file }
    }

    private static let coder = [
        "system", "user", "assistant read_file read_file", "tool", "tool", "assistant view_image", "tool", "user + picture",
        "assistant edit_file", "tool", "assistant run_command", "tool",
    ]

    private static let codex = [
        "system", "user", "assistant exec_command exec_command", "tool", "tool", "assistant view_image", "tool", "user + picture",
    ]

    private static let rows = [
        Row(file: "messages.claude-code.first", turns: ["system", "user"], offers: ["Helper"]),
        Row(
            file: "messages.claude-code.later",
            turns: [
                "system", "user", "assistant Read Read", "tool", "tool", "assistant Read", "tool", "user + picture", "assistant Edit", "tool",
                "assistant Bash", "tool",
            ], offers: ["Bash", "Edit", "Read"]),
        Row(
            file: "messages.claude-code.tools-found",
            turns: ["system", "user", "assistant FindTool", "tool", "assistant NotebookEdit", "tool"], offers: ["NotebookEdit", "FindTool"]),
        Row(file: "responses.codex.first", turns: ["system", "user"], offers: ["exec_command", "close_agent"], leavesOut: ["web_search"]),
        Row(
            file: "responses.codex.later", turns: codex + ["assistant exec_command", "tool", "assistant exec_command", "tool"],
            offers: ["exec_command", "view_image", "close_agent"], leavesOut: ["web_search"]),
        Row(
            file: "responses.codex-own-tools.later", turns: codex + ["assistant apply_patch", "tool", "assistant exec_command", "tool"],
            offers: ["exec_command", "apply_patch"], leavesOut: ["web_search"]),
        Row(file: "responses.codex-tools-as-input", turns: ["system", "user"], offers: ["exec", "wait", "send_message"]),
        Row(
            file: "responses.codex-tools-as-input.later", turns: ["system", "user", "assistant functions__exec", "tool"],
            offers: ["exec", "wait", "send_message"]),
        Row(file: "responses.openai-agents", turns: coder, offers: ["read_file", "view_image"]),
        Row(file: "responses.openai-agents.streamed", turns: coder, offers: ["read_file", "view_image"]),
        Row(file: "responses.pydantic-ai", turns: coder, offers: ["read_file", "view_image"]),
    ]

    private static func read(_ file: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: "\(Checkout.root)/Tests/Fixtures/agents/\(file).json")))
    }

    private static func object(_ bytes: [UInt8]) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    /// What an endpoint that only has chat completions is asked: the only place here that knows how a request is translated.
    private static func chat(_ operation: Core.Operation, _ body: [UInt8]) throws -> [UInt8] {
        let translation = RequestTranslation(model: "m", words: EndpointWords(.openAI), id: "7", unixSeconds: 1_767_225_600)
        guard case .request(let request) = try translation.make(operation, try JSONValue(parsing: body)) else {
            throw TestFailure("it was answered without asking anybody")
        }
        return request.body.bytes
    }

    @Test(arguments: rows) func aStrictServiceIsAskedWhatTheAgentAsks(_ row: Row) throws {
        let operation: Core.Operation = row.file.hasPrefix("messages") ? .messages : .responses
        let body = try Self.object(Self.chat(operation, Self.read(row.file)))
        let refusal = StrictChat().refusal(of: body)
        #expect(refusal == nil)
        #expect(Self.turns(body) == row.turns)

        let tools = (body["tools"] as? [[String: Any]] ?? []).compactMap { $0["function"] as? [String: Any] }
        let names = tools.compactMap { $0["name"] as? String }
        for name in row.offers { #expect(names.contains { $0.hasSuffix(name) }, "\(name) is not among \(names)") }
        for name in row.leavesOut { #expect(!names.contains { $0.hasSuffix(name) }, "\(name) is among \(names)") }
        // A tool that takes free text has one argument for it.
        if let patch = tools.first(where: { $0["name"] as? String == "apply_patch" }) {
            let properties = (patch["parameters"] as? [String: Any])?["properties"] as? [String: Any]
            #expect(properties?.count == 1)
        }
    }

    /// They are passed on as they are.
    @Test(arguments: ["chat.aider", "chat.mistral-vibe", "chat.pydantic-ai", "chat.smolagents"])
    func whatSpeaksChatIsTakenAsItIs(_ file: String) throws {
        let refusal = try StrictChat().refusal(of: Self.object(Self.read(file)))
        #expect(refusal == nil)
    }

    /// A body that nobody looks at proves nothing.
    @Test func everyBodyIsInATable() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Checkout.root + "/Tests/Fixtures/agents").filter { !$0.hasPrefix("chat.") }
        #expect(Set(files) == Set(Self.rows.map { $0.file + ".json" }))
    }

    private static func turns(_ body: [String: Any]) -> [String] {
        var turns: [String] = []
        for message in body["messages"] as? [[String: Any]] ?? [] {
            let calls = (message["tool_calls"] as? [[String: Any]] ?? []).compactMap { ($0["function"] as? [String: Any])?["name"] as? String }
            let pictures = (message["content"] as? [[String: Any]] ?? []).filter { $0["type"] as? String == "image_url" }
            let turn = ([message["role"] as? String ?? ""] + calls).joined(separator: " ") + (pictures.isEmpty ? "" : " + picture")
            if turn == "user", turns.last == "user" { continue }
            turns.append(turn)
        }
        return turns
    }
}
