// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

/// Each command of the real program: output in each form, and every exit status. Scripts are written against these.
@Suite struct CommandTests {
    private func withDaemon(_ body: (FakeDaemon) throws -> Void) throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        try body(daemon)
    }

    private func run(_ daemon: FakeDaemon, _ arguments: [String], timeout: String = "20s") throws -> RealProgram.Outcome {
        try RealProgram.run(arguments + ["--socket", daemon.path], environment: ["ROUTERCTL_TIMEOUT": timeout])
    }

    /// All that ask the daemon something and print one answer.
    private static let all: [[String]] = [
        ["status"], ["endpoints"], ["models"], ["requests"], ["queue"], ["explain", "llama3.2:3b"], ["tokens"],
        ["tokens", "--since", "7d", "--by", "model"], ["events"],
        ["cancel", "r-101", "--yes"], ["drain", "gpu-1"], ["maintenance", "gpu-1"], ["resume", "gpu-2"], ["weight", "gpu-1", "2"],
        ["weight", "gpu-1", "default"],
        ["load", "llama3.2:3b"], ["unload", "llama3.2:3b", "--yes"], ["pull", "llama3.2:3b"], ["delete", "llama3.2:3b", "--yes"],
        ["copy", "llama3.2:3b", "mine"], ["show", "llama3.2:3b"], ["reload"], ["config", "show"], ["config", "diff"], ["cache", "stats"],
        ["cache", "get", "00112233"], ["cache", "invalidate", "--all", "--yes"], ["ping"],
    ]

    @Test(arguments: all) func itWorksInTextAndInJSON(arguments: [String]) throws {
        try withDaemon { daemon in
            let text = try run(daemon, arguments)
            #expect(text.status == 0 && !text.out.isEmpty && text.err.isEmpty, "\(text)")
        }
        try withDaemon { daemon in
            let json = try run(daemon, arguments + ["--json"])
            let object = try JSONSerialization.jsonObject(with: Data(json.out.utf8)) as? [String: Any]
            #expect(json.status == 0 && json.err.isEmpty, "\(json)")
            #expect(object?["schema"] as? Int == 1)
        }
    }

    @Test(arguments: all) func eachFailureHasItsExitStatus(arguments: [String]) throws {
        // The last call of a command is the one that matters; the first is hello.
        let faults: [(RPCError.Code, Int32)] = [(.refused, 1), (.notAllowed, 5), (.notFound, 6)]
        for (code, status) in faults {
            try withDaemon { daemon in
                daemon.change { $0.script = { method, _, _ in method == "hello" && arguments != ["ping"] ? .normal : .error(RPCError(code, "no")) } }
                let outcome = try run(daemon, arguments)
                #expect(outcome.status == status && outcome.out.isEmpty && outcome.err.contains("no"), "\(code): \(outcome)")
            }
        }
        try withDaemon { daemon in
            let gone = try RealProgram.run(arguments + ["--socket", "\(daemon.folder)/none"])
            #expect(gone.status == 3 && gone.out.isEmpty, "\(gone)")
            daemon.change { $0.script = { method, _, _ in method == "hello" && arguments != ["ping"] ? .normal : .silence } }
            // Actions on models have a patience of their own, which goes before that of all commands.
            let isAction = ["load", "unload", "pull", "delete", "copy"].contains(arguments[0])
            let silent = try run(daemon, arguments + (isAction ? ["--timeout", "300ms"] : []), timeout: isAction ? "20s" : "300ms")
            #expect(silent.status == 4 && silent.out.isEmpty, "\(silent)")
        }
    }

    @Test(arguments: [
        (["endpoints", "--format", "name,state,in_flight"], "name\tstate\tin_flight\ngpu-1\tup\t3\ngpu-2\tdraining\t1\ncpu-box\tdown\t0\n"),
        (["endpoints", "gpu-1", "--format", "weight"], "weight\n1\n"), (["endpoints", "--quiet"], "gpu-1\ngpu-2\ncpu-box\n"),
        (["models", "--format", "model,size"], "model\tsize\nllama3.2:3b\t2.0 GB\nnomic-embed-text:latest\t274 MB\n"),
        (["models", "-q"], "llama3.2:3b\nnomic-embed-text:latest\n"), (["models", "llama", "--format", "endpoint"], "endpoint\ngpu-1\ngpu-2\n"),
        (["requests", "--format", "id, phase"], "id\tphase\nr-101\tstreaming\nr-102\tfirst token\nr-103\twaiting\n"),
        (["show", "llama3.2:3b", "--quiet"], ""),
        (["requests", "-q"], "r-101\nr-102\nr-103\n"), (["queue", "-q"], "r-103\n"),
        (["explain", "llama3.2:3b", "--format", "endpoint,chosen"], "endpoint\tchosen\ngpu-1\tyes\nin line\t-\ngpu-2\t-\n"),
        (["queue", "--format", "model,age"], "model\tage\nllama3.2:3b\t1.5s\n"),
        (["tokens", "--format", "total"], "total\n46000\n6000\n"), (["events", "-q"], "1\n2\n3\n"),
        (
            ["events", "--level", "notice", "--format", "level,message"],
            "level\tmessage\nwarning\tendpoint is down\nnotice\tchanged by an operator\n"
        ),
        (["events", "--limit", "1", "-q"], "3\n"), (["config", "show", "-q"], "queue_limit\nlisten\n"),
        (["config", "show", "--format", "setting,from"], "setting\tfrom\nqueue_limit\tconfiguration\nlisten\tdefault\n"),
        (["status", "-q"], ""), (["ping", "-q"], ""), (["drain", "gpu-1", "-q"], ""), (["resume", "gpu-2", "-q"], ""),
        (["weight", "gpu-1", "2", "-q"], ""),
        (["load", "x", "-q"], ""), (["reload", "-q"], ""), (["cancel", "r-101", "-qy"], ""), (["cache", "invalidate", "--all", "-qy"], ""),
    ])
    func columnsAreChosenAndQuietIsQuiet(arguments: [String], expected: String) throws {
        try withDaemon { daemon in
            let outcome = try run(daemon, arguments)
            #expect(outcome.status == 0 && outcome.err.isEmpty, "\(outcome)")
            #expect(outcome.out == expected)
        }
    }

    @Test func anUnknownColumnIsWrongUseAndTheColumnsAreListed() throws {
        let outcome = try RealProgram.run(["endpoints", "--format", "name,stat", "--socket", "/nonexistent"])
        #expect(outcome.status == 2)
        #expect(outcome.err.contains("'stat'; did you mean 'state'?") && outcome.err.contains("in_flight, slots"), "\(outcome.err)")
    }

    @Test(arguments: [
        ["endpoints", "--json", "--format", "name"], ["queue", "--json", "-q"], ["endpoints", "-q", "--format", "name"], ["weight", "a", "1001"],
        ["weight", "a", "x"], ["weight", "a"], ["cancel"], ["load"], ["copy", "a"], ["tokens", "--by", "day"], ["events", "--level", "loud"],
        ["watch", "--interval", "10ms"], ["watch", "--count", "0"], ["ping", "--count", "0"], ["completion", "tcsh"], ["config"],
        ["config", "chekc"],
        ["cache", "sttas"], ["drain", "--all-but"], ["drain", "a", "--cancel-after", "1s"],
    ])
    func wrongUseExits2(arguments: [String]) throws {
        let outcome = try RealProgram.run(arguments + ["--socket", "/nonexistent"])
        #expect(outcome.status == 2 && outcome.out.isEmpty && !outcome.err.isEmpty, "\(outcome)")
    }

    @Test(arguments: [
        (["cache", "sttas"], "'stats'"), (["config", "shwo"], "'show'"), (["drain", "gpu1"], "'gpu-1'"), (["weight", "cpu-bx", "2"], "'cpu-box'"),
        (["models", "llamma3.2:3b"], "'llama3.2:3b'"), (["drain", "gpu-1", "--wiat"], "'--wait'"),
    ])
    func whatIsMistypedIsAnsweredWithTheNearest(arguments: [String], nearest: String) throws {
        try withDaemon { daemon in
            let outcome = try run(daemon, arguments)
            #expect(outcome.status == 2 || outcome.status == 6)
            #expect(outcome.err.contains(nearest), "\(outcome.err)")
        }
    }

    @Test func anUnknownModelIsSuggestedWhereAnActionFindsNone() throws {
        try withDaemon { daemon in
            daemon.change { $0.script = { method, _, _ in method == "model.load" ? .error(RPCError(.notFound, "no such model")) : .normal } }
            let outcome = try run(daemon, ["load", "llama3.2:3"])
            #expect(outcome.status == 6)
            #expect(outcome.err.contains("Did you mean 'llama3.2:3b'?"), "\(outcome.err)")
        }
    }

    @Test func aPullTellsItsStepsOnAPipeAndFailsWhereOneEndpointFailed() throws {
        try withDaemon { daemon in
            daemon.change { state in
                state.progress = (0...1000).map { .init(endpoint: "gpu-1", status: "pulling abc", completed: $0 * 1_000_000, total: 1_000_000_000) }
                state.outcomes = [.init(endpoint: "gpu-1"), .init(endpoint: "gpu-2", failure: "disk full")]
            }
            let outcome = try run(daemon, ["pull", "qwen3:8b"])
            #expect(outcome.status == 1)
            #expect(outcome.out == "gpu-1\tpulled\t\ngpu-2\tfailed\tdisk full\n")
            let lines = outcome.err.split(separator: "\n")
            #expect((10...14).contains(lines.count), "\(lines.count): \(outcome.err)")
            #expect(lines.last?.hasPrefix("pull qwen3:8b: gpu-1: pulling abc 100% of 1.0 GB") == true, "\(outcome.err)")
        }
    }

    @Test func whatIsStillInFlightIsCancelledAfterItsTime() throws {
        try withDaemon { daemon in
            daemon.change {
                $0.script = { method, _, state in
                    if method == "cancel" { state.status.endpoints[0].inFlight = max(0, state.status.endpoints[0].inFlight - 2) }
                    return .normal
                }
            }
            let outcome = try run(daemon, ["drain", "gpu-1", "--wait", "--cancel-after", "200ms", "--timeout", "5s"])
            // Two requests are on gpu-1; what is left of the three is not in the list.
            #expect(outcome.status == 0, "\(outcome)")
            #expect(daemon.calls.filter { $0 == "cancel" }.count == 2)
        }
    }

    @Test func watchPrintsSoManySnapshotsALineEach() throws {
        try withDaemon { daemon in
            let outcome = try run(daemon, ["watch", "--count", "3", "--interval", "100ms"])
            #expect(outcome.status == 0, "\(outcome.err)")
            let lines = outcome.out.split(separator: "\n")
            #expect(lines.count == 3)
            for line in lines {
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                #expect(object?["schema"] as? Int == 1)
            }
        }
    }

    @Test func followedEventsComeOnceEachAndEndWithTheDaemon() throws {
        try withDaemon { daemon in
            daemon.change {
                $0.script = { method, _, state in
                    guard method == "events" else { return .normal }
                    let next = state.events.count + 1
                    if next > 6 { return .hangUp }
                    state.events.append(EventInfo(sequence: next, at: "2026-11-24T03:10:00.500Z", level: "info", message: "new \(next)"))
                    return .normal
                }
            }
            let outcome = try run(daemon, ["events", "--follow", "--format", "sequence"])
            #expect(outcome.status == 3)
            #expect(outcome.out == "sequence\n1\n2\n3\n4\n5\n6\n", "\(outcome.out)")
        }
    }

    @Test func pingAsksSoOften() throws {
        try withDaemon { daemon in
            let outcome = try run(daemon, ["ping", "--count", "3", "--interval", "1ms"])
            #expect(outcome.status == 0)
            #expect(outcome.out.split(separator: "\n").map { $0.split(separator: "\t").count } == [2, 2, 2], "\(outcome.out)")
        }
    }

    @Test func aConfigurationIsCheckedByTheDaemonAndErrorsStandAtTheBeginningOfTheLine() throws {
        try withDaemon { daemon in
            let file = "\(daemon.folder)/config.yaml"
            try Data("endpoints: []\n".utf8).write(to: URL(fileURLWithPath: file))
            let good = try run(daemon, ["config", "check", file])
            #expect(good.status == 0 && good.out == "\(file)\tgood\n", "\(good)")
            daemon.change { $0.configCheck.errors = ["\(file):1:1: no"] }
            let bad = try run(daemon, ["config", "check", file])
            #expect(bad.status == 1 && bad.out.isEmpty && bad.err == "\(file):1:1: no\n", "\(bad)")
            let missing = try run(daemon, ["config", "check", "\(daemon.folder)/none.yaml"])
            #expect(missing.status == 1 && missing.err.contains("cannot read"), "\(missing)")
        }
    }

    @Test func withoutADaemonTheRouterdBesideIsAsked() throws {
        let folder = try FakeDaemon.makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = "\(folder)/config.yaml"
        try Data("endpoints:\n  - http://127.0.0.1:1\nqueue_limti: 3\n".utf8).write(to: URL(fileURLWithPath: file))
        let bad = try RealProgram.run(["config", "check", file, "--socket", "\(folder)/none"])
        #expect(bad.status == 1 && bad.err.hasPrefix("\(file):3:1: "), "\(bad)")
        try Data("endpoints:\n  - http://127.0.0.1:1\n".utf8).write(to: URL(fileURLWithPath: file))
        let good = try RealProgram.run(["config", "check", file, "--socket", "\(folder)/none"])
        #expect(good.status == 0 && good.out.hasPrefix("\(file)\tgood\n"), "\(good)")
    }
}
