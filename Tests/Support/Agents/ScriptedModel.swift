// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What a model says in one turn, whatever the dialect it is written in.
public struct ModelReply: Sendable, Equatable {
    public enum Arguments: Sendable, Equatable {
        case object([String: ArgumentValue])
        /// For tools that take free text.
        case text(String)
    }

    public enum ArgumentValue: Sendable, Equatable {
        case text(String)
        case list([String])
        case number(Int)
    }

    public struct Call: Sendable, Equatable {
        public var id: String
        public var name: String
        public var arguments: Arguments
    }

    public var thinking = ""
    public var text = ""
    /// The text as it comes in a stream; nil for two pieces.
    public var tokens: [String]?
    public var calls: [Call] = []
    /// It would have said more.
    public var isCut = false

    public init(thinking: String = "") { self.thinking = thinking }

    /// Says what these tokens make together.
    public init(tokens: [String], isCut: Bool) {
        text = tokens.joined()
        self.tokens = tokens
        self.isCut = isCut
    }

    var pieces: [String] { tokens ?? Self.halves(text) }

    static func halves(_ text: String) -> [String] {
        guard text.count > 1 else { return text.isEmpty ? [] : [text] }
        let middle = text.index(text.startIndex, offsetBy: text.count / 2)
        return [String(text[..<middle]), String(text[middle...])]
    }
}

/// A model that does an `AgentTask` with whatever tools it is offered. Pure: what it says follows from the conversation alone, as a real
/// model's answer would.
public struct ScriptedModel: Sendable {
    /// Said before each turn; empty for a model that does not think.
    public var thought: String

    public init(thought: String = "") { self.thought = thought }

    public func reply(to conversation: ModelConversation) -> ModelReply {
        var reply = ModelReply(thinking: thought)
        guard let (task, before, after) = conversation.work else {
            reply.text = "Hello."
            return reply
        }
        var turns = 0
        var wasAssistant = false
        for turn in after {
            if turn.role == .assistant, !wasAssistant { turns += 1 }
            wasAssistant = turn.role == .assistant
        }
        let seen = before.filter { $0.role != .system } + after
        if task.manner == .text {
            speak(&reply, turns, seen)
        } else if conversation.tools.isEmpty {
            // Agents also ask for titles and summaries.
            reply.text = "A short task"
        } else {
            act(&reply, turns, task, conversation.tools, seen)
        }
        return reply
    }

    // MARK: With tools

    private enum Step { case read, readMissing, look, edit, run, search, useFound, useNamespaced }

    private func act(
        _ reply: inout ModelReply, _ turns: Int, _ task: AgentTask, _ tools: [ModelConversation.Tool], _ seen: [ModelConversation.Turn]
    ) {
        let toolbox = Toolbox(tools: tools, task: task)
        let plan: [[Step]] = (task.manner == .parallel ? [[.read, .readMissing]] : [[.read], [.readMissing]])
        let whole = plan + [[.look], [.edit], [.run], [.search], [.useFound], [.useNamespaced]]
        let calls = whole.map { $0.compactMap { toolbox.call($0) } }.filter { !$0.isEmpty }
        guard turns < calls.count else {
            let summary = summary(seen)
            if let answer = toolbox.answer(summary) {
                reply.calls = [ModelReply.Call(id: "call_last", name: answer.name, arguments: answer.arguments)]
            } else {
                reply.text = summary
            }
            return
        }
        reply.text = "This is step \(turns + 1)."
        // No two calls of a conversation have one id.
        reply.calls = calls[turns].enumerated().map { ModelReply.Call(id: "call_\(turns)_\($0)", name: $1.name, arguments: $1.arguments) }
    }

    /// Says of what has reached the model that it has.
    private func summary(_ seen: [ModelConversation.Turn]) -> String {
        let others = seen.filter { $0.role != .assistant }
        return (["All is done."] + AgentTask.Sight.allCases.filter { sight in others.contains(where: sight.isSeen) }.map(\.sentence))
            .joined(separator: " ")
    }

    /// What the tools are called and want to be told, found out as a model does: from their names and schemas.
    private struct Toolbox {
        let tools: [ModelConversation.Tool]
        let task: AgentTask

        typealias Made = (name: String, arguments: ModelReply.Arguments)

        private func tool(_ names: String...) -> ModelConversation.Tool? {
            for name in names {
                if let tool = tools.first(where: { $0.name == name }) { return tool }
            }
            return nil
        }

        func call(_ step: Step) -> Made? {
            switch step {
            case .read: return read(task.notes)
            case .readMissing: return read(task.missing)
            // An agent that has no such tool shows the picture itself.
            case .look: return tool("view_image", "Read").map { ($0.name, path(task.picture, of: $0)) }
            case .edit: return edit()
            case .run: return run(AgentTask.command)
            // What is found stands behind everything else: it is only there from then on.
            case .search: return tool("ToolSearch").map { ($0.name, .object(["query": .text("select:NotebookEdit"), "max_results": .number(5)])) }
            case .useFound:
                let notebook = task.folder + "/none.ipynb"
                return tool("NotebookEdit").map { ($0.name, .object(["notebook_path": .text(notebook), "new_source": .text("x")])) }
            // Flattened, its name has another in front.
            case .useNamespaced: return tools.first { $0.name.hasSuffix("close_agent") }.map { ($0.name, .object(["target": .text("nobody")])) }
            }
        }

        private func path(_ path: String, of tool: ModelConversation.Tool) -> ModelReply.Arguments {
            .object([tool.arguments.contains("file_path") ? "file_path" : "path": .text(path)])
        }

        private func read(_ file: String) -> Made? {
            if let tool = tool("Read", "read_file") { return (tool.name, path(file, of: tool)) }
            return run("cat \(file)")
        }

        private func edit() -> Made? {
            if let tool = tool("Edit", "edit", "edit_file") {
                var values: [String: ModelReply.ArgumentValue] = [:]
                for argument in tool.arguments {
                    switch argument {
                    case "file_path", "path": values[argument] = .text(task.notes)
                    case "old_string", "old": values[argument] = .text(AgentTask.before)
                    case "new_string", "new": values[argument] = .text(AgentTask.after)
                    default: break
                    }
                }
                return (tool.name, .object(values))
            }
            if let tool = tool("apply_patch") {
                let patch = "*** Begin Patch\n*** Update File: notes.txt\n@@\n-\(AgentTask.before)\n+\(AgentTask.after)\n*** End Patch\n"
                return (tool.name, tool.isFreeText ? .text(patch) : .object([tool.arguments.first ?? "input": .text(patch)]))
            }
            return run("sed -i s/blue/green/ notes.txt")
        }

        private func run(_ command: String) -> Made? {
            // It runs programs that run commands.
            if let tool = tools.first(where: { $0.name.hasSuffix("__exec") }) {
                let line = "cd \(task.folder) && \(command)"
                let program = "const done = await tools.exec_command({cmd: \"\(line)\"}); text(done.output)"
                return (tool.name, .object([tool.arguments.first ?? "input": .text(program)]))
            }
            guard let tool = tool("Bash", "bash", "exec_command", "shell", "run_command") else { return nil }
            let line = "cd \(task.folder) && \(command)"
            var values: [String: ModelReply.ArgumentValue] = [:]
            for argument in tool.arguments {
                switch argument {
                case "cmd": values[argument] = .text(line)
                case "command": values[argument] = tool.lists.contains(argument) ? .list(["sh", "-c", line]) : .text(line)
                case "description": values[argument] = .text("Runs a command")
                default: break
                }
            }
            return (tool.name, .object(values))
        }

        func answer(_ text: String) -> Made? { tool("final_answer").map { ($0.name, .object(["answer": .text(text)])) } }
    }

    // MARK: Without tools

    /// Writes the whole file, first with a mistake that the agent's own check finds.
    private func speak(_ reply: inout ModelReply, _ turns: Int, _ seen: [ModelConversation.Turn]) {
        let sky = turns == 0 ? "The sky is purple." : AgentTask.after
        reply.text = (turns == 0 ? "" : summary(seen) + "\n\n") + "notes.txt\n```\n\(AgentTask.notes(sky))```\n"
    }
}
