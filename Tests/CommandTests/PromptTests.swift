// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

@testable import routerctl

/// What is dangerous is asked for on a terminal and wants `--yes` elsewhere. Without these, a script could cancel what it did not mean to, or
/// hang at a question.
@Suite struct PromptTests {
    private static let script = "/usr/bin/script"
    private static let hasTerminal = FileManager.default.isExecutableFile(atPath: script)

    private func withDaemon(_ body: (FakeDaemon) throws -> Void) throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        daemon.change { state in
            state.warnings = ["gpu-1 is the last endpoint that serves llama3.2:3b"]
            state.reload.changes = ["endpoint gpu-2: removed (http://10.0.0.2:11434)"]
            state.reload.removedEndpoints = ["gpu-2"]
        }
        try body(daemon)
    }

    /// Each dangerous command, what its question holds, and the call that does it.
    private static let dangerous: [(arguments: [String], question: String, call: String)] = [
        (["cancel", "r-101", "r-102"], "Cancel r-101, r-102?", "cancel"),
        (["delete", "llama3.2:3b", "--endpoint", "gpu-1"], "Delete llama3.2:3b from gpu-1?", "model.delete gpu-1"),
        (["cache", "invalidate", "--all"], "Remove every kept answer?", "cache.invalidate"),
        (["drain", "gpu-1"], "gpu-1 is the last endpoint that serves llama3.2:3b", "drain gpu-1"),
        (["maintenance", "gpu-1"], "gpu-1 is the last endpoint that serves llama3.2:3b", "maintenance gpu-1"),
        (["drain", "gpu-1", "gpu-2"], "no other endpoint than gpu-1 serves llama3.2:3b", "drain gpu-1"),
        (["maintenance", "--all-but", "gpu-1", "gpu-2"], "Maintenance for cpu-box?", "maintenance cpu-box"),
        (["unload", "llama3.2:3b"], "2 in flight for llama3.2:3b on gpu-1", "model.unload"),
        (["reload"], "endpoint gpu-2 goes away", "reload"),
    ]

    /// Runs it on a pseudo-terminal and types the answer.
    private func answer(_ typed: String, _ arguments: [String], _ daemon: FakeDaemon) throws -> RealProgram.Outcome {
        let words = ([RealProgram.routerctl, "--socket", daemon.path] + arguments).joined(separator: " ")
        return try RealProgram.run(["-c", "printf '\(typed)' | \(Self.script) -qec '\(words)' /dev/null"], executable: "/bin/sh")
    }

    @Test(.enabled(if: hasTerminal, "SKIPPED: no script(1), so questions are not asked on a terminal"), arguments: 0..<dangerous.count)
    func aYesDoesItAndANoDoesNot(number: Int) throws {
        let (arguments, question, call) = Self.dangerous[number]
        try withDaemon { daemon in
            let no = try answer("n\\n", arguments, daemon)
            #expect(no.status == 1, "\(no.out)")
            #expect(no.out.contains(question) && no.out.contains("[y/N]") && no.out.contains("nothing was done"), "\(no.out)")
            #expect(!daemon.calls.contains(call), "\(daemon.calls)")
            let empty = try answer("\\n", arguments, daemon)
            #expect(empty.status == 1)
            #expect(!daemon.calls.contains(call), "\(daemon.calls)")
            let yes = try answer("y\\n", arguments, daemon)
            #expect(yes.status == 0, "\(yes.out)")
            #expect(daemon.calls.contains(call), "\(daemon.calls)")
        }
    }

    @Test(arguments: 0..<dangerous.count)
    func withoutATerminalItWantsYes(number: Int) throws {
        let (arguments, _, call) = Self.dangerous[number]
        try withDaemon { daemon in
            let refused = try RealProgram.run(arguments + ["--socket", daemon.path])
            #expect(refused.status == 2, "\(refused.err)")
            #expect(refused.err.contains("--yes"))
            #expect(refused.out.isEmpty)
            #expect(!daemon.calls.contains(call), "\(daemon.calls)")
            let done = try RealProgram.run(arguments + ["--yes", "--socket", daemon.path])
            #expect(done.status == 0, "\(done.err)")
            #expect(daemon.calls.contains(call), "\(daemon.calls)")
        }
    }

    @Test func whatIsHarmlessIsNotAskedFor() throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        for arguments in [
            ["drain", "gpu-1"], ["resume", "gpu-1"], ["unload", "nomic-embed-text:latest"], ["reload"], ["cache", "invalidate", "--model", "x"],
            ["drain", "--all-but", "gpu-1", "cpu-box"],
        ] {
            let outcome = try RealProgram.run(arguments + ["--socket", daemon.path])
            #expect(outcome.status == 0, "\(arguments): \(outcome.err)")
        }
        let calls = daemon.calls
        #expect(calls.contains("drain gpu-2"))
    }

    @Test func withYesTheWarningsAreStillTold() throws {
        try withDaemon { daemon in
            let outcome = try RealProgram.run(["drain", "gpu-1", "--yes", "--socket", daemon.path])
            #expect(outcome.status == 0)
            #expect(outcome.err == "routerctl: warning: gpu-1 is the last endpoint that serves llama3.2:3b\n")
        }
    }

    @Test(arguments: [("y", true), ("YES", true), (" y ", true), ("", false), ("n", false), ("yep", false), ("j", false)])
    func onlyYesIsAYes(answer: String, isYes: Bool) {
        #expect(Confirmation.isYes(answer) == isYes)
    }
}
