// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

/// The real program against a fake daemon: what a script sees.
@Suite struct ProgramTests {
    /// Runs `body` with a fake daemon that is gone afterwards.
    private func withDaemon(_ body: (FakeDaemon) throws -> Void) throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        try body(daemon)
    }

    private func run(_ daemon: FakeDaemon, _ arguments: String...) throws -> RealProgram.Outcome {
        try RealProgram.run(["--socket", daemon.path] + arguments)
    }

    @Test(arguments: [
        ["status"], ["endpoints"], ["endpoints", "gpu-1"], ["models"], ["models", "llama"], ["requests"], ["drain", "gpu-1"],
        ["maintenance", "gpu-1"], ["resume", "gpu-2"], ["reload"], ["reload", "--dry-run"], ["version"],
    ])
    func aCommandThatDidItsWorkExits0InTextAndInJSONWithNothingOnStandardError(arguments: [String]) throws {
        try withDaemon { daemon in
            let text = try RealProgram.run(arguments + ["--socket", daemon.path])
            #expect(text.status == 0, "\(text.err)")
            #expect(!text.out.isEmpty)
            #expect(text.err.isEmpty)
            let json = try RealProgram.run(arguments + ["--json", "--socket", daemon.path])
            #expect(json.status == 0, "\(json.err)")
            let object = try JSONSerialization.jsonObject(with: Data(json.out.utf8)) as? [String: Any]
            #expect(object?["schema"] as? Int == 1)
        }
    }

    @Test func optionsStandBeforeOrAfterTheCommand() throws {
        try withDaemon { daemon in
            let before = try RealProgram.run(["--json", "--socket", daemon.path, "status"])
            let after = try RealProgram.run(["status", "--json", "--socket=\(daemon.path)"])
            let mixed = try RealProgram.run(["--json", "status", "--socket", daemon.path])
            #expect(before.status == 0)
            #expect(before.out.hasPrefix("{"))
            #expect(before.out == after.out)
            #expect(before.out == mixed.out)
        }
    }

    @Test func theSocketIsFoundThroughTheEnvironment() throws {
        try withDaemon { daemon in
            let outcome = try RealProgram.run(["status"], environment: ["NOMYO_ROUTER_CONTROL_SOCKET": daemon.path])
            #expect(outcome.status == 0, "\(outcome.err)")
        }
    }

    @Test func aRefusalExits1AndShowsTheDaemonsLinesAsTheyAre() throws {
        try withDaemon { daemon in
            let errors = "config.yaml:3:5: unknown key \"endpoint\"; did you mean \"endpoints\"?\nconfig.yaml:9:1: not a URL: \"gpu\""
            daemon.change { $0.script = { method, _, _ in method == "reload" ? .error(RPCError(.refused, errors)) : .normal } }
            let text = try run(daemon, "reload")
            #expect(text.status == 1)
            #expect(text.out.isEmpty)
            #expect(text.err == errors + "\n")
            let json = try run(daemon, "--json", "reload")
            #expect(json.status == 1)
            #expect(json.out.isEmpty)
            let object = try JSONSerialization.jsonObject(with: Data(json.err.utf8)) as? [String: Any]
            #expect(object?["schema"] as? Int == 1)
            let error = object?["error"] as? [String: String]
            #expect(error?["code"] == "refused")
            #expect(error?["message"] == errors)
        }
    }

    @Test(arguments: [
        ["statsu"], ["status", "--nonsense"], ["drain"], ["drain", "a", "--timeout", "5s"], ["drain", "a", "--wait", "--timeout", "soon"],
        ["top", "--json"], [], ["status", "extra"], ["--socket"],
    ])
    func aWrongCommandLineExits2AndSaysSoOnStandardErrorOnly(arguments: [String]) throws {
        let outcome = try RealProgram.run(arguments)
        #expect(outcome.status == 2)
        #expect(outcome.out.isEmpty)
        #expect(!outcome.err.isEmpty)
    }

    @Test func aWrongCommandLineIsToldInJSONWhereJSONIsAskedFor() throws {
        let outcome = try RealProgram.run(["--json", "status", "--nonsense"])
        let object = try JSONSerialization.jsonObject(with: Data(outcome.err.utf8)) as? [String: Any]
        let error = object?["error"] as? [String: String]
        #expect(outcome.status == 2)
        #expect(error?["code"] == "usage")
    }

    @Test(arguments: [("statsu", "status"), ("drian", "drain"), ("endpoins", "endpoints")])
    func aMistypedCommandSuggestsTheNearest(wrong: String, right: String) throws {
        let outcome = try RealProgram.run([wrong])
        #expect(outcome.status == 2)
        #expect(outcome.err.contains("'\(right)'"), "\(outcome.err)")
    }

    @Test func topWithoutATerminalExits2AndNamesAnotherCommand() throws {
        try withDaemon { daemon in
            let outcome = try run(daemon, "top")
            #expect(outcome.status == 2)
            #expect(outcome.err.contains("routerctl status"))
        }
    }

    @Test func noDaemonExits3WithThePathAndAdvice() throws {
        let folder = try FakeDaemon.makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let missing = try RealProgram.run(["status", "--socket", "\(folder)/none.sock"])
        #expect(missing.status == 3)
        #expect(missing.err.contains("\(folder)/none.sock"))
        #expect(missing.err.contains("no such socket"))
        // A socket that a killed daemon left behind.
        close(try FakeDaemon.bound(to: "\(folder)/dead.sock"))
        let dead = try RealProgram.run(["status", "--json", "--socket", "\(folder)/dead.sock"])
        #expect(dead.status == 3)
        #expect(dead.err.contains("\"no_daemon\""))
        #expect(dead.out.isEmpty)
    }

    @Test func aDaemonThatHangsUpInTheMiddleIsNoDaemon() throws {
        try withDaemon { daemon in
            daemon.change { $0.script = { method, _, _ in method == "status" ? .hangUp : .normal } }
            let outcome = try run(daemon, "status")
            #expect(outcome.status == 3)
        }
    }

    @Test func anAnswerThatIsNotTheProtocolExits1() throws {
        try withDaemon { daemon in
            daemon.change { $0.script = { _, _, _ in .raw("HTTP/1.1 400 Bad Request") } }
            let outcome = try run(daemon, "status")
            #expect(outcome.status == 1)
            #expect(outcome.err.contains("cannot understand"))
        }
    }

    @Test func drainingWithWaitReturnsWhenNothingIsInFlight() throws {
        try withDaemon { daemon in
            daemon.change { state in
                // One request ends each time the daemon is asked.
                state.script = { method, _, state in
                    if method == "endpoints" { state.status.endpoints[0].inFlight = max(0, state.status.endpoints[0].inFlight - 1) }
                    return .normal
                }
            }
            let outcome = try run(daemon, "drain", "gpu-1", "--wait", "--timeout", "20s")
            #expect(outcome.status == 0, "\(outcome.err)")
            #expect(outcome.out == "gpu-1\tdraining\t0\n")
            let calls = daemon.calls
            #expect(calls == ["hello", "drain gpu-1 (dry run)", "drain gpu-1", "endpoints", "endpoints", "endpoints"])
        }
    }

    @Test func drainingWithWaitExits4WhenTheTimeIsOver() throws {
        try withDaemon { daemon in
            let outcome = try run(daemon, "drain", "gpu-1", "--wait", "--timeout", "250ms")
            #expect(outcome.status == 4)
            #expect(outcome.out.isEmpty)
            #expect(outcome.err.contains("3 on gpu-1"))
        }
    }

    @Test func waitingEndsWhenSomeonePutsTheEndpointBackIntoService() throws {
        try withDaemon { daemon in
            daemon.change {
                $0.script = { method, _, state in
                    if method == "endpoints" { state.status.endpoints[0].state = "up" }
                    return .normal
                }
            }
            let outcome = try run(daemon, "drain", "gpu-1", "--wait")
            #expect(outcome.status == 1)
            #expect(outcome.err.contains("back into service"))
        }
    }

    @Test func whatTheDaemonDoesNotAllowExits5() throws {
        try withDaemon { daemon in
            daemon.change {
                $0.script = { method, _, _ in
                    method == "drain" ? .error(RPCError(.notAllowed, "user 1000 may not change anything")) : .normal
                }
            }
            let outcome = try run(daemon, "drain", "gpu-1")
            #expect(outcome.status == 5)
            #expect(outcome.err.contains("user 1000 may not"))
        }
    }

    @Test(.enabled(if: getuid() != 0, "root is let in everywhere"))
    func aSocketOfAnotherUserExits5AndSaysWhoseItIs() throws {
        try withDaemon { daemon in
            chmod(daemon.path, 0)
            let outcome = try run(daemon, "status")
            #expect(outcome.status == 5)
            #expect(outcome.err.contains("mode 0000"))
        }
    }

    @Test func anUnknownNameExits6WithTheDaemonsMessage() throws {
        try withDaemon { daemon in
            let endpoint = try run(daemon, "drain", "gpu-7")
            #expect(endpoint.status == 6)
            #expect(endpoint.err.contains("there are gpu-1, gpu-2, cpu-box"))
            let model = try run(daemon, "models", "gpt-99")
            #expect(model.status == 6)
            #expect(model.out.isEmpty)
        }
    }

    @Test func ofSeveralNamesEachIsTriedAndTheFirstFailureIsTheExitStatus() throws {
        try withDaemon { daemon in
            let outcome = try run(daemon, "drain", "gpu-7", "gpu-1", "--yes")
            #expect(outcome.status == 6)
            #expect(outcome.out == "gpu-1\tdraining\t3\n")
        }
    }

    @Test func anotherVersionOfTheProtocolIsAWarningAndNotAFailure() throws {
        try withDaemon { daemon in
            daemon.change { $0.controlProtocol = 99 }
            let outcome = try run(daemon, "version")
            #expect(outcome.status == 0)
            #expect(outcome.out == "routerctl 0.1.0\nrouterd 0.1.0\n")
            #expect(outcome.err.contains("control protocol 99"))
        }
    }

    @Test func theVersionIsToldWithoutADaemonToo() throws {
        let outcome = try RealProgram.run(["version", "--socket", "/nonexistent/x.sock"])
        #expect(outcome.status == 0)
        #expect(outcome.out == "routerctl 0.1.0\n")
    }

    @Test func theProgramCarriesNeitherICUNorNIO() throws {
        let outcome = try RealProgram.run([RealProgram.routerctl], executable: "/usr/bin/ldd")
        #expect(outcome.status == 0)
        #expect(!outcome.out.contains("libFoundation.so"))
        #expect(!outcome.out.contains("Internationalization"))
    }
}
