// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import TestSupport
import Testing

/// The real program with an output that takes nothing, or no more. Without these, a script takes a lost answer for a good one, and
/// `routerctl watch | head -1` never ends.
@Suite struct UnwritableOutputTests {
    /// Runs it in a pipe before `reader`; the status and the standard error are those of routerctl.
    private func pipe(_ arguments: [String], to reader: String, limit: Double = 20) throws -> (status: Int32, out: String, err: String) {
        let folder = try TemporaryFolder()
        let script = "{ \"$0\" \"$@\" 2>'\(folder.path)/err'; echo $? >'\(folder.path)/status'; } | \(reader)"
        let all = try RealProgram.run(["-c", script, RealProgram.routerctl] + arguments, executable: "/bin/sh", limit: limit)
        let status = Int32(folder.read("status").trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
        return (status, all.out, folder.read("err"))
    }

    private func withDaemon(_ body: (FakeDaemon) throws -> Void) throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        try body(daemon)
    }

    private static let commands: [[String]] = [
        ["status"], ["status", "--json"], ["endpoints"], ["models", "--quiet"], ["requests"], ["queue"], ["tokens"], ["events"],
        ["explain", "llama3.2:3b"],
        ["config", "show"], ["cache", "stats"], ["drain", "gpu-2"], ["reload", "--dry-run"], ["ping"], ["version"], ["watch", "--count", "1"],
        ["top", "--once"], ["completion", "bash"], ["--help"], ["help", "drain"], ["--version"], ["events", "--follow"],
    ]

    @Test(arguments: commands) func aFullDiskIsAFailureThatSaysSo(arguments: [String]) throws {
        try withDaemon { daemon in
            if !arguments.contains("--follow") {
                let outcome = try pipe(["--socket", daemon.path] + arguments, to: "cat")
                #expect(outcome.status == 0, "it works where it can be written: \(outcome)")
            }
            let full = try RealProgram.run(
                ["-c", "\"$0\" \"$@\" >/dev/full", RealProgram.routerctl, "--socket", daemon.path] + arguments, executable: "/bin/sh")
            #expect(full.status == 1 && full.err.contains("standard output cannot be written: No space left on device"), "\(full)")
        }
    }

    @Test func inJSONTooTheReasonIsTold() throws {
        try withDaemon { daemon in
            let full = try RealProgram.run(
                ["-c", "\"$0\" \"$@\" >/dev/full", RealProgram.routerctl, "--socket", daemon.path, "--json", "status"], executable: "/bin/sh")
            #expect(full.status == 1 && full.err.contains(#""code" : "output""#), "\(full)")
        }
    }

    @Test func withoutAStandardOutputItFails() throws {
        try withDaemon { daemon in
            let closed = try RealProgram.run(
                ["-c", "\"$0\" \"$@\" >&-", RealProgram.routerctl, "--socket", daemon.path, "status"], executable: "/bin/sh")
            #expect(closed.status == 1 && closed.err.contains("standard output cannot be written"), "\(closed)")
        }
    }

    /// The second snapshot comes after a minute, and no event comes at all: the closed pipe is all that there is to notice.
    @Test(arguments: [["watch", "--interval", "60s"], ["watch", "--interval", "100ms"], ["events", "--follow"], ["events", "--follow", "--json"]])
    func whatFollowsEndsWithItsReader(arguments: [String]) throws {
        try withDaemon { daemon in
            let outcome = try pipe(["--socket", daemon.path] + arguments, to: "head -n 1")
            #expect(outcome.status == 0 && outcome.err.isEmpty, "\(outcome)")
            #expect(outcome.out.split(separator: "\n").count == 1)
        }
    }

    @Test func aLongAnswerToAShortReaderEndsQuietly() throws {
        try withDaemon { daemon in
            daemon.change { state in
                state.models = (0..<20_000).map {
                    ModelInfo(name: "model-\($0)", sizeBytes: 1, parameterSize: nil, quantization: nil, waiting: 0, places: [])
                }
            }
            let outcome = try pipe(["--socket", daemon.path, "models"], to: "head -n 1")
            #expect(outcome.status == 0 && outcome.err.isEmpty, "\(outcome.status) \(outcome.err)")
        }
    }
}
