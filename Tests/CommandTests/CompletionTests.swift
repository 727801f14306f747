// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Testing

/// The completion scripts in the real shells. Without these, Tab could print errors into the command line.
@Suite struct CompletionTests {
    private static let bash = "/bin/bash"
    private static let zsh = "/usr/bin/zsh"
    private static let fish = "/usr/bin/fish"

    private static func exists(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }

    private let environment = ["PATH": "\((RealProgram.routerctl as NSString).deletingLastPathComponent):/usr/bin:/bin", "HOME": "/nonexistent"]

    /// What bash offers for a line whose last word is being typed.
    private func complete(_ words: String) throws -> RealProgram.Outcome {
        let program = """
            source <(routerctl completion bash) || exit 9
            COMP_WORDS=(\(words)); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}
            _routerctl routerctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        return try RealProgram.run(["--norc", "-c", program], environment: environment, executable: Self.bash)
    }

    @Test(.enabled(if: exists(bash), "SKIPPED: no bash")) func bashCompletesCommandsOptionsAndNames() throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        let command = try complete("routerctl dra")
        #expect(command.out == "drain\n" && command.err.isEmpty, "\(command)")
        let option = try complete("routerctl drain --all")
        #expect(option.out == "--all-but\n", "\(option)")
        let endpoint = try complete("routerctl drain --socket \(daemon.path) gpu")
        #expect(endpoint.out == "gpu-1\ngpu-2\n" && endpoint.err.isEmpty, "\(endpoint)")
        let model = try complete("routerctl load --socket \(daemon.path) nomic")
        #expect(model.out.contains("nomic-embed-text"), "\(model)")
        let request = try complete("routerctl cancel --socket \(daemon.path) r-")
        #expect(request.out == "r-101\nr-102\nr-103\n", "\(request)")
    }

    @Test(.enabled(if: exists(bash), "SKIPPED: no bash")) func withoutADaemonThereIsSilence() throws {
        let outcome = try complete("routerctl drain --socket /nonexistent/x.sock gpu")
        #expect(outcome.out.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty && outcome.err.isEmpty, "\(outcome)")
    }

    @Test func aDaemonThatDoesNotAnswerIsNotWaitedForLong() throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        daemon.change { $0.script = { _, _, _ in .silence } }
        let start = Date()
        let outcome = try RealProgram.run([
            "---completion", "drain", "--", "positional@0", "4", "0", "routerctl", "drain", "--socket", daemon.path, "",
        ])
        #expect(outcome.out.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty && outcome.err.isEmpty, "\(outcome)")
        #expect(Date().timeIntervalSince(start) < 8)
    }

    /// A zsh within a zsh: the inner one is interactive, the outer one types.
    @Test(.enabled(if: exists(zsh), "SKIPPED: zsh is not installed")) func zshCompletesCommandsAndNames() throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        let program = """
            zmodload zsh/zpty
            zpty inner 'TERM=dumb PS1= zsh -f -i'
            zpty -w inner 'unsetopt zle_bracketed_paste 2>/dev/null; autoload -Uz compinit; compinit -u -D; source <(routerctl completion zsh); echo rea""dy'
            zpty -r -m inner line '*ready*'
            zpty -w -n inner $'routerctl wei\\tcpu\\t'
            zpty -w -n inner $' 2 --socket \(daemon.path); echo sta""tus=$?\\n'
            zpty -r -m inner line '*status=[0-9]*'
            print -r -- $line
            zpty -d inner
            """
        // The name is asked for before --socket is typed: the environment says where the daemon is.
        let outcome = try RealProgram.run(
            ["-f", "-c", program], environment: environment.merging(["NOMYO_ROUTER_CONTROL_SOCKET": daemon.path]) { $1 }, executable: Self.zsh)
        #expect(outcome.out.contains("status=0"), "\(outcome)")
        #expect(daemon.calls.contains("weight cpu-box"), "\(daemon.calls) \(outcome)")
    }

    /// Names are not tried: fish's script wants a command line for them, which there is only at a terminal.
    @Test(.enabled(if: exists(fish), "SKIPPED: fish is not installed")) func fishCompletesCommandsAndShells() throws {
        let folder = try FakeDaemon.makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let program = "routerctl completion fish | source; complete -C 'routerctl dra'; complete -C 'routerctl he'"
        let outcome = try RealProgram.run(
            ["--no-config", "-c", program], environment: environment.merging(["HOME": folder, "XDG_CONFIG_HOME": folder]) { $1 },
            executable: Self.fish)
        let words = outcome.out.split(separator: "\n").map { $0.split(separator: "\t")[0] }
        #expect(words == ["drain", "help"] && outcome.err.isEmpty, "\(outcome)")
    }
}
