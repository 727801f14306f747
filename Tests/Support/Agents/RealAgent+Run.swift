// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

extension RealAgent {
    /// What an agent is run for.
    public struct Errand: Sendable {
        /// What the model may do through it.
        public enum Hands: Sendable {
            case free
            /// Nothing: whoever answers is not to be trusted. The prompt is as short as the agent lets it be: the model is small and slow.
            case tied
        }

        /// Of the router.
        public var port: Int
        public var prompt: String
        /// A model's name, or another dialect or manner, as the agent's command line has it.
        public var variant: String?
        public var hands = Hands.free
        /// Has `home` and `work`, which are the agent's own.
        public var folder: String

        public init(_ prompt: String, port: Int, variant: String? = nil, hands: Hands = .free, folder: String) throws {
            self.prompt = prompt
            self.port = port
            self.variant = variant
            self.hands = hands
            self.folder = folder
            for path in [home, work] { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        }

        var url: String { "http://127.0.0.1:\(port)" }
        var home: String { folder + "/home" }
        public var work: String { folder + "/work" }

        func write(_ text: String, to name: String) throws -> String {
            let path = home + "/" + name
            try FileManager.default.createDirectory(atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }
    }

    /// What one run left.
    public struct Outcome: Sendable {
        public let status: Int32
        public let output: String
        public let errors: String
        /// Without what it shows on the way there, as far as that can be told apart.
        public let lastWords: String
    }

    /// What ends a run whose agent goes on and on, seconds. With the machine to themselves they take 2 to 9, with a real model up to 30.
    private static let patience = 240.0

    /// Runs it to its end, without a terminal, with a dummy key and nothing of this process's environment.
    public func run(_ errand: Errand) throws -> Outcome {
        guard let program else { throw TestFailure(whyNot) }
        var command = try commandLine(errand)
        command.environment.merge([
            "HOME": errand.home, "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            // Compiled once, in the cache of the agents and not in the checkout.
            "PYTHONPYCACHEPREFIX": compiled,
        ]) { $1 }
        // Some look for the world outside, and wait for it. They are sent to a port where nobody listens, so that they give up at once, and
        // where no namespace keeps them in, so that they do not find it.
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.environment[name] = "http://127.0.0.1:9"
            command.environment[name.lowercased()] = "http://127.0.0.1:9"
        }
        let result = try ChildProcess.run(
            "/bin/sh", ["-c", "cd '\(errand.work)' && exec \"$0\" \"$@\"", program] + command.arguments, environment: command.environment,
            isClean: true, within: Self.patience)
        return Outcome(status: result.status, output: result.output, errors: result.errors, lastWords: lastWords(result.output))
    }

    // MARK: Command lines

    private struct CommandLine {
        var arguments: [String]
        var environment: [String: String] = [:]
    }

    private func commandLine(_ errand: Errand) throws -> CommandLine {
        // A model that sees nothing refuses pictures.
        let picture = errand.hands == .free ? [errand.work + "/picture.png"] : []
        return switch self {
        case .claudeCode: claudeCode(errand)
        case .codex: try codex(errand)
        case .openAIAgents: library("openai_agents_coder.py", ["m", errand.prompt, errand.variant ?? "whole"], errand)
        case .pydanticAI: library("pydantic_ai_coder.py", [errand.variant ?? "openai:m", errand.prompt], errand)
        case .smolagents:
            library("smolagents_coder.py", [errand.url + "/v1", errand.variant ?? "m", errand.prompt] + picture, errand)
        case .aider: try aider(errand)
        case .mistralVibe: try mistralVibe(errand)
        }
    }

    private func claudeCode(_ errand: Errand) -> CommandLine {
        let model = errand.variant ?? "m"
        let hands =
            switch errand.hands {
            case .free: ["--max-turns", "12", "--allowedTools", "Read", "Edit", "Bash"]
            case .tied: ["--max-turns", "1", "--system-prompt", "Be brief.", "--tools", "Glob"]
            }
        return CommandLine(
            arguments: ["-p", errand.prompt, "--output-format", "json"] + hands,
            environment: [
                "ANTHROPIC_BASE_URL": errand.url, "ANTHROPIC_AUTH_TOKEN": "unused", "ANTHROPIC_MODEL": model,
                "ANTHROPIC_SMALL_FAST_MODEL": model, "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
                // A test that fails shall do so within its time.
                "CLAUDE_CODE_MAX_RETRIES": "1",
            ].merging(errand.hands == .free ? [:] : ["CLAUDE_CODE_MAX_OUTPUT_TOKENS": "24"]) { $1 })
    }

    private func codex(_ errand: Errand) throws -> CommandLine {
        let instructions = try errand.write("Be brief.\n", to: "instructions.md")
        let brevity = "model_instructions_file = \"\(instructions)\"\nweb_search = \"disabled\"\n"
        let file = try errand.write(
            (errand.hands == .free ? "" : brevity) + """
                model = "\(errand.variant ?? "m")"
                model_provider = "router"
                [model_providers.router]
                name = "router"
                base_url = "\(errand.url)/v1"
                wire_api = "responses"
                request_max_retries = 1
                stream_max_retries = 1

                """ + (errand.hands == .free ? "" : "[features]\nmulti_agent = false\nskills = false\ngoals = false\n"), to: ".codex/config.toml")
        // Its own sandbox takes namespaces that a container may not give; the scripted model does nothing but its task.
        let sandbox = errand.hands == .free ? ["--dangerously-bypass-approvals-and-sandbox"] : ["--sandbox", "read-only"]
        return CommandLine(
            arguments: ["exec", "--skip-git-repo-check", "--json"] + sandbox + [errand.prompt],
            environment: ["CODEX_HOME": (file as NSString).deletingLastPathComponent])
    }

    /// - Parameter script: in `Tests/Clients/agents`.
    private func library(_ script: String, _ arguments: [String], _ errand: Errand) -> CommandLine {
        CommandLine(
            arguments: [Checkout.root + "/Tests/Clients/agents/" + script] + arguments,
            environment: [
                "OPENAI_BASE_URL": errand.url + "/v1", "OPENAI_API_KEY": "unused", "OPENAI_AGENTS_DISABLE_TRACING": "1",
                "CODER_HANDS": errand.hands == .free ? "free" : "tied",
            ])
    }

    private func aider(_ errand: Errand) throws -> CommandLine {
        let model = "openai/" + (errand.variant ?? "m")
        // What it knows of no model by itself, it is told in a file.
        let facts = #""max_input_tokens":32000,"max_output_tokens":4096,"litellm_provider":"openai","mode":"chat","supports_vision":true"#
        let file = try errand.write(#"{"\#(model)":{\#(facts)}}"#, to: "models.json")
        let check = "grep green notes.txt || { echo 'Error: it is not green'; exit 1; }; \(AgentTask.command)"
        let hands = errand.hands == .free ? ["--auto-test", "--test-cmd", check, "notes.txt", "picture.png"] : ["--dry-run"]
        return CommandLine(
            arguments: ["--model", model, "--model-metadata-file", file, "--yes-always", "--no-git", "--no-check-update", "--message", errand.prompt]
                + hands,
            environment: ["OPENAI_API_BASE": errand.url + "/v1", "OPENAI_API_KEY": "unused"])
    }

    private func mistralVibe(_ errand: Errand) throws -> CommandLine {
        let file = try errand.write(
            """
            active_model = "local"
            [[providers]]
            name = "router"
            api_base = "\(errand.url)/v1"
            api_key_env_var = "ROUTER_KEY"
            [[models]]
            name = "\(errand.variant ?? "m")"
            provider = "router"
            alias = "local"
            supports_images = true

            """, to: ".vibe/config.toml")
        // Its prompt cannot be shortened, so nobody runs it with tied hands.
        guard errand.hands == .free else { throw TestFailure("mistral-vibe cannot be kept from acting") }
        return CommandLine(
            arguments: ["-p", errand.prompt, "--output", "text", "--trust", "--auto-approve", "--max-turns", "12"],
            environment: ["VIBE_HOME": (file as NSString).deletingLastPathComponent, "ROUTER_KEY": "unused"])
    }

    // MARK: What it said

    private func lastWords(_ output: String) -> String {
        func field(_ line: Substring, _ path: String...) -> String? {
            var value = try? JSONSerialization.jsonObject(with: Data(line.utf8))
            for key in path { value = (value as? [String: Any])?[key] }
            return value as? String
        }
        switch self {
        case .claudeCode: return output.split(separator: "\n").compactMap { field($0, "result") }.last ?? ""
        case .codex: return output.split(separator: "\n").compactMap { field($0, "item", "text") }.last ?? ""
        // It wraps its lines.
        case .aider: return output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        case .openAIAgents, .pydanticAI, .smolagents, .mistralVibe: return output
        }
    }
}
