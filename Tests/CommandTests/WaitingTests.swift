// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Commands that wait: what a log or a script gets of them, and how they end. Without these, a drain of an hour would be silent in a
/// deployment's log, or Ctrl-C would leave a pull running.
@Suite struct WaitingTests {
    private func withDaemon(_ body: (FakeDaemon) throws -> Void) throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        try body(daemon)
    }

    /// A line every five seconds, on standard error, and nothing that would draw over another.
    @Test func aDrainThatWaitsWritesSteadyLinesOnAPipe() throws {
        try withDaemon { daemon in
            let outcome = try RealProgram.run(["drain", "gpu-1", "--wait", "--timeout", "12s", "--socket", daemon.path], limit: 60)
            #expect(outcome.status == 4 && outcome.out.isEmpty, "\(outcome)")
            #expect(!outcome.err.contains("\r") && !outcome.err.contains("\u{1B}"), "\(outcome.err)")
            let lines = outcome.err.split(separator: "\n").map(String.init)
            let steady = lines.filter { $0.hasSuffix("s: 3 on gpu-1") && $0.hasPrefix("3 in flight, ") }
            #expect(steady.count == 2, "\(lines)")
            let seconds = steady.compactMap { $0.split(separator: ",").last?.split(separator: "s").first.flatMap { Int($0.dropFirst()) } }
            #expect(seconds.count == 2 && (5...6).contains(seconds[0]) && (10...11).contains(seconds[1]), "\(steady)")
            #expect(lines.contains { $0.contains("still in flight after 12s: 3 on gpu-1") }, "\(lines)")
        }
    }

    @Test(arguments: [["--quiet"], ["--json"]])
    func whoWantsNoLinesGetsNone(option: [String]) throws {
        try withDaemon { daemon in
            let outcome = try RealProgram.run(
                ["drain", "gpu-1", "--wait", "--timeout", "6s", "--socket", daemon.path] + option, limit: 60)
            #expect(outcome.status == 4 && !outcome.err.contains("3 in flight,"), "\(outcome)")
        }
    }

    /// A shell must see that it was Ctrl-C, so that a loop around it ends too: 128 and the signal's number.
    @Test func ctrlCInAPullSaysWhatItDoesAndEndsAsASignalDoes() throws {
        try withDaemon { daemon in
            daemon.change { $0.script = { method, _, _ in method == "model.pull" ? .silence : .normal } }
            let out = daemon.folder + "/out"
            let err = daemon.folder + "/err"
            let pull = try ChildProcess(RealProgram.routerctl, ["pull", "phi4:14b", "--socket", daemon.path], output: out, errors: err)
            try eventually("the pull has begun") { !daemon.lines(of: "model.pull").isEmpty }
            pull.signal(SIGINT)
            let status = try pull.waitForExit()
            #expect(status == 130)
            let text = try String(contentsOfFile: err, encoding: .utf8)
            #expect(text.hasSuffix("routerctl: interrupted: routerd stops the pull\n"), "\(text)")
            let answer = try String(contentsOfFile: out, encoding: .utf8)
            #expect(answer.isEmpty)
        }
    }

    private static let actions: [[String]] = [
        ["load", "llama3.2:3b"], ["unload", "llama3.2:3b", "--yes"], ["pull", "llama3.2:3b"], ["delete", "llama3.2:3b", "--yes"],
        ["copy", "llama3.2:3b", "mine"],
    ]

    /// Time counts from the last sign of life: a pull that goes on is not given up.
    @Test(arguments: actions) func anActionWithoutASignOfLifeExits4(arguments: [String]) throws {
        try withDaemon { daemon in
            daemon.change { $0.script = { method, _, _ in method.hasPrefix("model.") ? .silence : .normal } }
            let method = "model.\(arguments[0])"
            for (options, environment) in [(["--timeout", "300ms"], [:]), ([], ["ROUTERCTL_TIMEOUT": "300ms"])] {
                let outcome = try RealProgram.run(arguments + options + ["--socket", daemon.path], environment: environment)
                #expect(outcome.status == 4 && outcome.out.isEmpty && !outcome.err.isEmpty, "\(outcome)")
                let json = try RealProgram.run(arguments + options + ["--json", "--socket", daemon.path], environment: environment)
                #expect(json.status == 4 && json.err.contains(#""timed_out""#), "\(json)")
            }
            #expect(daemon.lines(of: method).count == 4)
        }
    }

    /// The exit status alone says whether there is such a model.
    @Test func aQuietShowPrintsNothing() throws {
        try withDaemon { daemon in
            let there = try RealProgram.run(["show", "llama3.2:3b", "-q", "--socket", daemon.path])
            #expect(there.status == 0 && there.out.isEmpty && there.err.isEmpty, "\(there)")
            daemon.change { $0.script = { method, _, _ in method == "model.show" ? .error(RPCError(.notFound, "no such model")) : .normal } }
            let missing = try RealProgram.run(["show", "phi9", "--quiet", "--socket", daemon.path])
            #expect(missing.status == 6 && missing.out.isEmpty && missing.err.contains("no such model"), "\(missing)")
        }
    }

    @Test func theCachesNamespacesAreListedByColumns() throws {
        try withDaemon { daemon in
            daemon.change { state in
                state.status.cache.enabled = true
                state.status.cache.namespaces = [
                    .init(name: "ns-1", model: "llama3.2:3b", tenant: "team-a", entries: 3, bytes: 1000),
                    .init(name: "ns-2", model: "phi4:14b", tenant: "", entries: 40, bytes: 2_500_000),
                ]
            }
            let chosen = try RealProgram.run(["cache", "stats", "--format", "namespace,size,tenant,model", "--socket", daemon.path])
            let expected = "namespace\tsize\ttenant\tmodel\nns-1\t1.0 kB\tteam-a\tllama3.2:3b\nns-2\t2.5 MB\t\tphi4:14b\n"
            #expect(chosen.status == 0 && chosen.out == expected, "\(chosen)")
            let names = try RealProgram.run(["cache", "stats", "-q", "--socket", daemon.path])
            #expect(names.status == 0 && names.out == "ns-1\nns-2\n", "\(names)")
        }
    }

    @Test func theColumnsOfTheCacheAreChecked() throws {
        try withDaemon { daemon in
            let wrong = try RealProgram.run(["cache", "stats", "--format", "hits", "--socket", daemon.path])
            #expect(wrong.status == 2 && wrong.err.contains("namespace"), "\(wrong)")
            let both = try RealProgram.run(["cache", "stats", "--format", "size", "--json", "--socket", daemon.path])
            #expect(both.status == 2, "\(both)")
            #expect(daemon.calls.isEmpty, "a wrong column is wrong without a daemon too")
        }
    }
}
