// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Testing

@testable import Protocol
@testable import routerctl

/// A daemon on another machine. Without these, an address could become an option of ssh, and a failure of the way there could not be told
/// from one of the daemon.
@Suite struct SSHTests {
    /// A folder with a program called ssh; `body` is its shell script.
    private func withSSH(_ body: String, _ test: (_ folder: String, _ environment: [String: String]) throws -> Void) throws {
        let folder = try FakeDaemon.makeFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Written by a process of its own: whoever is started meanwhile by another test would hold this one's file open for writing for a
        // moment, and a program that somebody writes to does not run ("Text file busy").
        try Data("#!/bin/sh\n\(body)\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/script"))
        let copied = try RealProgram.run(["-m", "755", "\(folder)/script", "\(folder)/ssh"], environment: [:], executable: "/usr/bin/install")
        try #require(copied.status == 0, "\(copied.err)")
        // The other end finds routerctl in its path, too.
        let programs = (RealProgram.routerctl as NSString).deletingLastPathComponent
        try test(folder, ["PATH": "\(folder):\(programs):/usr/bin:/bin", "ROUTERCTL_TIMEOUT": "20s"])
    }

    /// Runs the last argument by a shell, as sshd does, and notes the others.
    private let runsIt = #"printf '%s\n' "$@" > "$(dirname "$0")/arguments"; for last; do :; done; exec sh -c "$last""#

    @Test func anAddressIsTakenApart() throws {
        let whole = try SSHAddress("ssh://ann@router.lan:2222/run/routerd/control.sock")
        #expect(whole.user == "ann" && whole.host == "router.lan" && whole.port == 2222 && whole.path == "/run/routerd/control.sock")
        let short = try SSHAddress("ssh://router/")
        #expect(short.user == nil && short.host == "router" && short.port == nil && short.path == nil)
        let six = try SSHAddress("ssh://[2001:db8::1]:22/x")
        #expect(six.host == "2001:db8::1" && six.port == 22 && six.path == "/x")
    }

    @Test(arguments: [
        "ssh://", "ssh:///path", "ssh://-oProxyCommand=x", "ssh://-l@host", "ssh://@host", "ssh://host:", "ssh://host:0", "ssh://host:x", "ssh://a b",
        "ssh://[::1", "ssh://[::1]x", "ssh://host/a\nb", "http://host",
    ])
    func whatIsNoAddressIsRefused(text: String) {
        #expect(throws: SSHAddress.Invalid.self) { try SSHAddress(text) }
    }

    @Test func hostsStandBehindTheGuardAndPathsAreQuotedForTheShellThere() throws {
        let address = try SSHAddress("ssh://ann@host:22/it's;$(x)")
        let arguments = address.arguments(mayAsk: false)
        #expect(arguments.suffix(3) == ["--", "host", #"routerctl proxy --socket '/it'\''s;$(x)'"#])
        #expect(arguments.contains("BatchMode=yes"))
        #expect(!address.arguments(mayAsk: true).contains("BatchMode=yes"))
    }

    @Test func aCommandIsAnsweredByTheDaemonOfTheOtherMachine() throws {
        let daemon = try FakeDaemon(name: "it's a socket")
        defer { daemon.stop() }
        // Blanks are no part of an address; the quote is.
        let plain = try FakeDaemon(name: "it's")
        defer { plain.stop() }
        try withSSH(runsIt) { folder, environment in
            let outcome = try RealProgram.run(["endpoints", "--quiet", "--socket", "ssh://ann@box:2022\(plain.path)"], environment: environment)
            #expect(outcome.status == 0, "\(outcome.err)")
            #expect(outcome.out == "gpu-1\ngpu-2\ncpu-box\n")
            let arguments = try String(contentsOfFile: "\(folder)/arguments", encoding: .utf8)
            #expect(arguments.contains("-l\nann\n--\nbox\n"), "\(arguments)")
            #expect(arguments.contains("BatchMode=yes"))
        }
    }

    @Test func theEnvironmentNamesAnotherMachineAndALongAnswerPassesWhole() throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        daemon.change { state in
            state.status.endpoints = (0..<3000).map { number in
                var endpoint = Sample.endpoints[0]
                endpoint.name = "gpu-\(number)"
                return endpoint
            }
        }
        try withSSH(runsIt) { _, environment in
            let outcome = try RealProgram.run(
                ["endpoints", "--quiet"], environment: environment.merging(["NOMYO_ROUTER_CONTROL_SOCKET": "ssh://box\(daemon.path)"]) { $1 })
            #expect(outcome.status == 0, "\(outcome.err)")
            #expect(outcome.out.split(separator: "\n").count == 3000)
        }
    }

    @Test func noDaemonAtTheOtherEndExits3WithItsWords() throws {
        try withSSH(runsIt) { folder, environment in
            let outcome = try RealProgram.run(["status", "--socket", "ssh://box\(folder)/none.sock"], environment: environment)
            #expect(outcome.status == 3)
            #expect(outcome.err.contains("no routerd on box") && outcome.err.contains("none.sock"), "\(outcome.err)")
        }
    }

    @Test(arguments: [
        ("echo 'ssh: Could not resolve hostname box: Name or service not known' >&2; exit 255", 3, "Could not resolve hostname"),
        ("echo 'ann@box: Permission denied (publickey,password).' >&2; exit 255", 5, "Permission denied (publickey"),
        ("echo 'Host key verification failed.' >&2; exit 255", 5, "Host key verification failed"),
        ("echo 'sh: 1: routerctl: not found' >&2; exit 127", 1, "there is no routerctl on box"),
        ("echo 'oh dear' >&2; exit 77", 1, "oh dear"),
    ])
    func whatSSHSaysIsShownAndHasItsExitStatus(script: String, status: Int, words: String) throws {
        try withSSH(script) { _, environment in
            let outcome = try RealProgram.run(["status", "--socket", "ssh://box"], environment: environment)
            #expect(outcome.status == Int32(status), "\(outcome.err)")
            #expect(outcome.err.contains(words), "\(outcome.err)")
            #expect(outcome.out.isEmpty)
        }
    }

    @Test func withoutSSHThatIsWhatIsSaid() throws {
        let outcome = try RealProgram.run(["status", "--socket", "ssh://box"], environment: ["PATH": "/nonexistent"])
        #expect(outcome.status == 1)
        #expect(outcome.err.contains("there is no ssh on this machine"), "\(outcome.err)")
    }

    @Test func aBadAddressIsWrongUse() throws {
        let outcome = try RealProgram.run(["status", "--socket", "ssh://-oProxyCommand=x"])
        #expect(outcome.status == 2)
        #expect(outcome.err.contains("ssh://[user@]host"), "\(outcome.err)")
    }

    @Test func nothingStaysBehindWhenSSHHangs() throws {
        try withSSH(#"echo $$ > "$(dirname "$0")/pid"; exec sleep 600"#) { folder, environment in
            let outcome = try RealProgram.run(
                ["version", "--socket", "ssh://box"], environment: environment.merging(["ROUTERCTL_TIMEOUT": "500ms"]) { $1 })
            #expect(outcome.status == 0)
            #expect(outcome.err.contains("did not answer in time"), "\(outcome.err)")
            let text = try String(contentsOfFile: "\(folder)/pid", encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
            let pid = try #require(pid_t(text))
            let isGone = RealProgram.eventually { kill(pid, 0) != 0 }
            #expect(isGone)
        }
    }
}
