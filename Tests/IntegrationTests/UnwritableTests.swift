// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Files that cannot be written and output that nobody takes. What breaks without these: lines are lost for weeks and nobody knows, or a command goes
/// on for ever behind a pipe that has ended.
@Suite struct UnwritableTests {
    private static let endpoints = "endpoints: [http://127.0.0.1:1]\n"

    // MARK: Told before it happens

    struct Place: Sendable, CustomStringConvertible {
        /// The key that names it.
        let key: String
        /// `FOLDER` is one that the test owns.
        let config: String
        var description: String { key }
    }

    static let places = [
        Place(key: "access_log", config: "access_log: FOLDER/none/access.log\n"),
        Place(key: "control_socket", config: "control_socket: FOLDER/none/c.sock\n"),
        Place(key: "control_group", config: "control_group: no-such-group-here\n"),
        Place(key: "control_read_group", config: "control_read_group: no-such-group-here\n"),
        Place(key: "db_path", config: "db_path: FOLDER/none/tokens.db\n"),
        Place(key: "cache_db_path", config: "cache_enabled: true\ncache_backend: sqlite\ncache_db_path: FOLDER/none/cache.db\n"),
        Place(key: "cache_model_path", config: "cache_enabled: true\ncache_similarity: 0.9\ncache_model_path: FOLDER/none/model\n"),
    ]

    /// - Returns: what `routerd --check` says of such a configuration.
    private static func check(_ config: String, _ folder: TemporaryFolder) throws -> (status: Int32, text: String) {
        try folder.write(endpoints + config.replacingOccurrences(of: "FOLDER", with: folder.path), to: "c.yaml")
        let result = try ChildProcess.run(Checkout.binary("routerd"), ["--config", folder.path + "/c.yaml", "--check"], within: 20)
        return (result.status, result.output + result.errors)
    }

    @Test(arguments: places) func checkSeesWhatCannotBeWrittenOrRead(_ place: Place) throws {
        let result = try Self.check(place.config, TemporaryFolder())
        #expect(result.status == 1 && result.text.contains(place.key), "\(result)")
    }

    /// The same is checked at the start: the daemon does not begin, or says at once what it goes on without.
    @Test(arguments: places) func theStartSeesItToo(_ place: Place) throws {
        let folder = try TemporaryFolder()
        var config = Self.endpoints + "listen: 127.0.0.1:0\n" + place.config
        if place.key != "db_path" { config += "db_path: \"\"\n" }
        if place.key != "control_socket" { config += "control_socket: FOLDER/c.sock\n" }
        try folder.write(config.replacingOccurrences(of: "FOLDER", with: folder.path), to: "c.yaml")
        let log = folder.path + "/log"
        let process = try ChildProcess(Checkout.binary("routerd"), ["--config", folder.path + "/c.yaml"], output: log, errors: log)
        defer { process.kill() }
        let names = [place.key, folder.path + "/none", "no-such-group-here"]
        let levels = ["warning", "error", "critical"]
        func isTold(atALevel: Bool) -> Bool {
            folder.read("log").split(separator: "\n").contains { line in
                names.contains { line.contains($0) } && (!atALevel || levels.contains { line.contains($0) })
            }
        }
        try eventually("it says so: \(folder.read("log"))", within: 8) {
            process.exitStatus.map { $0 == 1 && isTold(atALevel: false) } ?? isTold(atALevel: true)
        }
    }

    @Test func checkIsContentWithWhatIsThere() throws {
        let folder = try TemporaryFolder()
        let result = try Self.check(
            "access_log: FOLDER/access.log\ncontrol_socket: FOLDER/c.sock\ncontrol_group: root\ndb_path: FOLDER/tokens.db\n"
                + "cache_enabled: true\ncache_backend: sqlite\ncache_db_path: FOLDER/cache.db\n", folder)
        #expect(result.status == 0, "\(result)")
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(left == ["c.yaml"], "a check leaves nothing behind: \(left)")
    }

    // MARK: Told while it happens

    private static func tellings(_ daemon: RunningDaemon) throws -> [EventInfo] {
        try daemon.control().events().events.filter { ($0.message + $0.facts.values.joined(separator: " ")).contains("access") }
    }

    /// Sixty requests, and the disk is full: one warning, not none and not sixty.
    @Test func aFullDiskIsToldOnce() throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint], "access_log: /dev/full\n") { daemon in
            for round in 0..<3 {
                for number in 0..<20 { try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body("\(round) \(number)")).status == 200) }
                try eventually("it is told", within: 5) { try Self.tellings(daemon).contains { $0.severity >= 3 } }
            }
            let told = try Self.tellings(daemon)
            #expect(told.count == 1 && "\(told)".contains("/dev/full"), "\(told)")
            #expect(daemon.log.contains("/dev/full"))
        }
    }

    /// The folder goes, and comes back: told both times, and lines come again without a restart.
    @Test func aFolderThatGoesAndComesBackIsToldBothTimes() throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"])
        let folder = try TemporaryFolder()
        let logs = folder.path + "/logs"
        try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: false)
        try RunningDaemon.run([endpoint], "access_log: \(logs)/access.log\n") { daemon in
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body("one")).status == 200)
            try eventually("a line") { folder.read("logs/access.log").contains("/api/chat") }
            try FileManager.default.removeItem(atPath: logs)
            // As after a rotation: the file is opened anew.
            _ = try daemon.control().reload()
            try eventually("it is told that it fails", within: 5) {
                try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body("lost")).status == 200)
                return try Self.tellings(daemon).count == 1
            }
            try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: false)
            try eventually("it is told that it works", within: 5) {
                try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body("two")).status == 200)
                return try Self.tellings(daemon).count == 2
            }
            try eventually("lines again") { folder.read("logs/access.log").contains("/api/chat") }
        }
    }
}
