// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// What cannot be written is told: by `--check`, at the start, by a reload, and as the daemon runs.
@Suite struct LostLinesTests {
    private static let chat = #"{"model":"m","stream":false,"messages":[]}"#

    private static func routerd(_ config: String, _ arguments: [String] = []) throws -> (status: Int32, output: String, errors: String) {
        let folder = try TemporaryFolder()
        try folder.write("listen: 127.0.0.1:0\nendpoints: []\n" + config, to: "c.yaml")
        return try ChildProcess.run(
            Checkout.binary("routerd"), ["--config", folder.path + "/c.yaml"] + arguments,
            environment: ["NOMYO_ROUTER_DB_PATH": folder.path + "/tokens.db", "XDG_RUNTIME_DIR": folder.path], within: 30)
    }

    @Test(arguments: [
        ("control_group: no-such-group", ":3:16: control_group: the system knows no group 'no-such-group'"),
        ("control_socket: /nowhere/s", ":3:17: control_socket: the control socket /nowhere/s: there is no folder /nowhere"),
    ])
    func theCheckAndTheStartFindTheSame(config: String, text: String) throws {
        for arguments in [["--check"], []] {
            let result = try Self.routerd(config, arguments)
            #expect(result.status == 1 && result.errors.hasSuffix("c.yaml\(text)\n"), "\(result)")
        }
    }

    @Test func theCheckFindsAnAccessLogThatCannotBeWritten() throws {
        let result = try Self.routerd("access_log: /nowhere/a.log", ["--check"])
        #expect(result.status == 1 && result.errors.contains("c.yaml:3:13: access_log: the access log /nowhere/a.log"), "\(result)")
        #expect(!result.output.contains("good"))
    }

    /// Breaks when the lines of an access log vanish without a word.
    @Test func lostLinesAreToldAndSoIsTheEndOfIt() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/logs/access.log"
        try RunningDaemon.run([FakeEndpoint(available: ["m"], loaded: ["m"])], "access_log: \(path)\n") { daemon in
            let line = daemon.log.split(separator: "\n").first { $0.contains("the access log \(path)") } ?? ""
            #expect(line.contains("config.yaml") && line.contains("there is no folder \(folder.path)/logs"), "told at the start: \(daemon.log)")
            for _ in 0..<5 { try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 200) }
            try eventually("counted") { try daemon.status().accessLog?.lostLines == 5 }
            let told = try daemon.control().events(EventParams()).events.filter { $0.message.contains("access log cannot be written") }
            #expect(told.count == 1 && told.first?.facts["reason"] == "No such file or directory")
            #expect(try daemon.status().accessLog?.fault == "No such file or directory")
            #expect(try daemon.routerctl("status").output.contains("access_log\t\(path), cannot be written: No such file or directory, 5 lines lost"))
            let metrics = try RawClient.get(port: daemon.port, "/metrics").text
            #expect(metrics.contains("\nrouterd_access_log_lost_lines_total 5\n"))
            try FileManager.default.createDirectory(atPath: folder.path + "/logs", withIntermediateDirectories: false)
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 200)
            try eventually("written again") { folder.read("logs/access.log").contains("/api/chat") }
            try eventually("told again") { daemon.log.contains("the access log is written again") }
            #expect(try daemon.status().accessLog == .init(path: path, fault: "", lostLines: 5))
        }
    }

    /// A reload that brings such a fault changes nothing, and one that mends something else goes on in spite of an old one.
    @Test func aReloadFindsTheSame() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"])
        let entries = RunningDaemon.entries([endpoint])
        try RunningDaemon.run([endpoint]) { daemon in
            try daemon.rewriteConfig(entries + "access_log: /nowhere/a.log\nqueue_limit: 7\n")
            let refused = try daemon.routerctl("reload")
            #expect(refused.status != 0 && refused.errors.contains("the access log /nowhere/a.log cannot be written"), "\(refused)")
            #expect(try daemon.status().queue.limit != 7)
            let checked = try daemon.routerctl("config", "check", daemon.configPath)
            #expect(checked.status != 0 && (checked.output + checked.errors).contains("the access log /nowhere/a.log"), "\(checked)")
        }
        let old = try RunningDaemon(entries + "access_log: /nowhere/a.log\n")
        try old.rewriteConfig(entries + "access_log: /nowhere/a.log\nqueue_limit: 7\n")
        #expect(try old.routerctl("reload").status == 0)
        #expect(try old.status().queue.limit == 7)
        #expect(try old.stop() == 0)
    }
}
