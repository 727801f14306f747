// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// How the daemon starts and stops: in order, or with a clear word.
@Suite struct ShutdownTests {
    /// A stream of three items, each of which waits for the gate.
    private static func paced(by gate: Gate) throws -> FakeEndpoint {
        try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, _ in
            connection.startStream()
            for number in 0..<3 {
                guard gate.pass() else { return connection.close() }
                connection.sendChunk("{\"n\":\(number),\"done\":\(number == 2)}\n")
            }
            connection.sendLastChunk()
        }
    }

    private static func startStream(_ daemon: RunningDaemon) throws -> RawClient {
        let client = try daemon.client()
        try client.send(RawClient.request("POST", "/api/chat", body: #"{"model":"m"}"#))
        _ = try client.readHead()
        return client
    }

    @Test func sigtermLetsStreamsEnd() throws {
        let gate = Gate()
        let endpoint = try Self.paced(by: gate)
        let daemon = try RunningDaemon([endpoint])
        let client = try Self.startStream(daemon)
        let idle = try daemon.client()
        try idle.send(RawClient.request("GET", "/"))
        _ = try idle.readResponse(method: "GET")
        daemon.process.signal(SIGTERM)
        #expect(idle.isClosed(), "a connection without a request is not waited for")
        try eventually("no new connections") { (try? RawClient(port: daemon.port)) == nil }
        #expect(daemon.process.exitStatus == nil)
        gate.open(3)
        let text = try client.read(until: "true}\n")
        #expect(text.hasSuffix("{\"n\":2,\"done\":true}\n"))
        try #expect(daemon.process.waitForExit() == 0)
        #expect(!FileManager.default.fileExists(atPath: daemon.socketPath))
    }

    @Test func shutdownTimeoutCutsWhatIsLeft() throws {
        let endpoint = try Self.paced(by: Gate())
        let daemon = try RunningDaemon([endpoint], "shutdown_timeout: 300ms\n")
        let client = try Self.startStream(daemon)
        daemon.process.signal(SIGTERM)
        try #expect(daemon.process.waitForExit(within: 15) == 0)
        #expect(client.isClosed())
        #expect(!FileManager.default.fileExists(atPath: daemon.socketPath))
    }

    /// As `timeout` of the coreutils and some supervisors do: the process and then its group.
    @Test func aSignalThatComesTwiceIsOneWish() throws {
        let gate = Gate()
        let endpoint = try Self.paced(by: gate)
        let daemon = try RunningDaemon([endpoint])
        let client = try Self.startStream(daemon)
        for _ in 0..<3 { daemon.process.signal(SIGTERM) }
        try eventually("heard") { daemon.log.contains("stopping") }
        daemon.process.signal(SIGINT)
        gate.open(3)
        let text = try client.read(until: "true}\n")
        #expect(text.hasSuffix("{\"n\":2,\"done\":true}\n"), "the stream goes on to its end")
        try #expect(daemon.process.waitForExit() == 0)
        #expect(!FileManager.default.fileExists(atPath: daemon.socketPath))
    }

    /// Breaks when a signal is thrown away between the moment in which it no longer kills and the one in which it is heard.
    @Test(arguments: 0..<4) func aSignalInTheFirstMomentIsNotLost(round: Int) throws {
        let folder = try TemporaryFolder()
        try folder.write("listen: 127.0.0.1:0\nendpoints: [http://127.0.0.1:1]\n", to: "c.yaml")
        let process = try ChildProcess(
            Checkout.binary("routerd"), ["--config", folder.path + "/c.yaml", "--control", folder.path + "/s"], environment: Self.counts(in: folder),
            output: folder.path + "/log", errors: folder.path + "/log")
        let deadline = Deadline(20)
        // Not `eventually`, which looks every few milliseconds: the moment is short.
        while !Self.expects(SIGTERM, process.pid), process.exitStatus == nil, !deadline.hasPassed {}
        process.signal(SIGTERM)
        try #expect(process.waitForExit(within: 20) == 0, "\(folder.read("log"))")
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/s"))
    }

    /// Whether the process has said of this signal that it shall not kill.
    private static func expects(_ signal: Int32, _ pid: Int32) -> Bool {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return false }
        return text.split(separator: "\n").contains { line in
            guard line.hasPrefix("SigIgn:") || line.hasPrefix("SigCgt:") else { return false }
            let mask = line.split(whereSeparator: \.isWhitespace).last.flatMap { UInt64($0, radix: 16) } ?? 0
            return mask & (1 << UInt64(signal - 1)) != 0
        }
    }

    @Test func aSecondSignalStopsAtOnce() throws {
        let endpoint = try Self.paced(by: Gate())
        let daemon = try RunningDaemon([endpoint])
        let client = try Self.startStream(daemon)
        daemon.process.signal(SIGTERM)
        try eventually("the first is heard") { daemon.log.contains("stopping") }
        try eventually("stopped by the second") {
            daemon.process.signal(SIGINT)
            return daemon.process.exitStatus != nil
        }
        #expect(client.isClosed())
    }

    /// Else they would be in the folder that the tests run in.
    private static func counts(in folder: TemporaryFolder) -> [String: String] { ["NOMYO_ROUTER_DB_PATH": folder.path + "/tokens.db"] }

    private static func start(_ arguments: [String], folder: TemporaryFolder) throws -> (status: Int32, errors: String) {
        try folder.write("endpoints: [http://127.0.0.1:1]\n", to: "c.yaml")
        let result = try ChildProcess.run(
            Checkout.binary("routerd"), ["--config", folder.path + "/c.yaml"] + arguments, environment: Self.counts(in: folder), within: 30)
        return (result.status, result.errors)
    }

    @Test func aSecondDaemonOnTheSocketIsRefused() throws {
        try RunningDaemon.run([FakeEndpoint(available: ["m"])]) { daemon in
            let second = try Self.start(["--listen", "127.0.0.1:0", "--control", daemon.socketPath], folder: TemporaryFolder())
            #expect(second.status == 1)
            #expect(second.errors.contains(daemon.socketPath) && second.errors.contains("already"), "\(second.errors)")
            try #expect(daemon.status().endpoints.count == 1, "the first is unharmed")
        }
    }

    @Test func aTakenPortIsNamed() throws {
        try RunningDaemon.run([FakeEndpoint(available: ["m"])]) { daemon in
            let folder = try TemporaryFolder()
            let second = try Self.start(["--listen", "127.0.0.1:\(daemon.port)", "--control", folder.path + "/s"], folder: folder)
            #expect(second.status == 1)
            #expect(second.errors.contains("127.0.0.1:\(daemon.port)") && second.errors.lowercased().contains("in use"), "\(second.errors)")
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/s"), "its socket is not left behind")
        }
    }

    /// After a `kill -9` the file is still there, and nobody listens.
    @Test func aSocketThatWasLeftBehindIsTakenOver() throws {
        let endpoint = try FakeEndpoint(available: ["m"])
        let first = try RunningDaemon([endpoint])
        first.process.kill()
        #expect(FileManager.default.fileExists(atPath: first.socketPath))
        let second = try ChildProcess(
            Checkout.binary("routerd"), ["--config", first.configPath, "--control", first.socketPath],
            environment: Self.counts(in: first.folder), output: first.folder.path + "/log2", errors: first.folder.path + "/log2")
        try eventually("the second answers") { (try? first.status()) != nil }
        second.signal(SIGTERM)
        try #expect(second.waitForExit() == 0)
    }

    /// A file that is no socket may be somebody's work.
    @Test func aFileInTheSocketsPlaceIsNotRemoved() throws {
        let folder = try TemporaryFolder()
        try folder.write("precious", to: "s")
        let result = try Self.start(["--listen", "127.0.0.1:0", "--control", folder.path + "/s"], folder: folder)
        #expect(result.status == 1)
        #expect(folder.read("s") == "precious")
    }

    @Test func theSocketIsForItsOwnerOnly() throws {
        try RunningDaemon.run([FakeEndpoint(available: ["m"])]) { daemon in
            let attributes = try FileManager.default.attributesOfItem(atPath: daemon.socketPath)
            #expect((attributes[.posixPermissions] as? Int) == 0o600)
        }
    }

    /// As another user, with a socket that lets everybody connect: the peer's credentials decide.
    @Test(.enabled(if: geteuid() == 0, "SKIPPED: changing the user takes root")) func astrangerIsNotAllowed() throws {
        try RunningDaemon.run([FakeEndpoint(available: ["m"])], "control_socket_mode: 0666\n") { daemon in
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: daemon.folder.path)
            // The binary may be in a folder that only root can read. Copied by another process: a program that some test starts
            // meanwhile would hold our descriptor for writing for a moment, and the system runs no file that is open for writing.
            let copy = try ChildProcess.run("/bin/cp", [Checkout.binary("routerctl"), daemon.folder.path + "/routerctl"], within: 30)
            #expect(copy.status == 0, "\(copy)")
            let result = try ChildProcess.run(
                "/usr/bin/setpriv",
                [
                    "--reuid=65534", "--regid=65534", "--clear-groups", daemon.folder.path + "/routerctl", "--socket", daemon.socketPath, "drain",
                    "fake",
                ], within: 30)
            #expect(result.status == 5, "\(result)")
            try #expect(daemon.endpoint("fake").state == "up")
        }
    }
}
