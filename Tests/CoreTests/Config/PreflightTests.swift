// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport
import Testing

@testable import Core

/// What breaks without these: `--check` calls a configuration good with which the daemon does not start, or serves without what was
/// asked for.
@Suite struct PreflightTests {
    private func findings(_ yaml: String, _ environment: [String: String] = [:], control: String? = nil) throws -> [Preflight.Finding] {
        let config = try ConfigReader.read(yaml: "endpoints: []\n" + yaml, file: "c.yaml", environment: environment)
        return Preflight.findings(config, controlPath: control ?? config.control.socketPath ?? "/nowhere/s", controlOption: control)
    }

    @Test(arguments: [
        (
            "access_log: /nowhere/a.log", "c.yaml:2:13: access_log: the access log /nowhere/a.log cannot be written: there is no folder /nowhere",
            false
        ),
        ("access_log: /etc", "c.yaml:2:13: access_log: the access log /etc cannot be written: it is a folder", false),
        ("access_log: /etc/passwd/a.log", "c.yaml:2:13: access_log: the access log /etc/passwd/a.log cannot be written: Not a directory", false),
        (
            "db_path: /nowhere/t.db",
            "c.yaml:2:10: db_path: the database of token counts, /nowhere/t.db, cannot be written: there is no folder /nowhere", false
        ),
        ("control_socket: /nowhere/s", "c.yaml:2:17: control_socket: the control socket /nowhere/s: there is no folder /nowhere", true),
        ("control_socket: /etc/passwd", "c.yaml:2:17: control_socket: the control socket /etc/passwd: there is a file that is no socket", true),
        ("control_group: no-such-group", "c.yaml:2:16: control_group: the system knows no group 'no-such-group'", true),
        ("control_read_group: no-such-group", "c.yaml:2:21: control_read_group: the system knows no group 'no-such-group'", true),
        (
            "cache_enabled: true\ncache_backend: sqlite\ncache_db_path: /nowhere/c.db",
            "c.yaml:4:16: cache_db_path: the database of the cache, /nowhere/c.db, cannot be written: there is no folder /nowhere", false
        ),
        (
            "cache_enabled: true\ncache_similarity: 0.9\ncache_model_path: /nowhere",
            "c.yaml:4:19: the sentence model is not in /nowhere: `make model` installs it (cache_model_path names another folder)", false
        ),
    ])
    func whatTheMachineLacksIsToldWithItsPlace(yaml: String, text: String, stops: Bool) throws {
        let found = try findings(yaml)
        #expect(found.map(\.description) == [text])
        #expect(found.map { $0.consequence == .noStart } == [stops])
    }

    @Test func whatIsThereOrNotAskedForIsNotTold() throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "old.log")
        for yaml in [
            "", "access_log: \(folder.path)/a.log", "access_log: \(folder.path)/old.log", "access_log: \"-\"", "access_log: off",
            "access_log: /dev/full", "db_path: \"\"", "db_path: \(folder.path)/t.db", "control_socket: \(folder.path)/s", "control_group: 0",
            "cache_backend: sqlite\ncache_db_path: /nowhere/c.db", "cache_enabled: true\ncache_db_path: /nowhere/c.db",
            "cache_enabled: true\ncache_model_path: /nowhere",
            "cache_enabled: true\ncache_similarity: 0.9\ncache_model_path: /nowhere\ncache_embedding: endpoint:m",
        ] { #expect(try findings(yaml).map(\.description) == [], "\(yaml)") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["old.log"], "looking makes no files")
    }

    @Test func variablesAndOptionsAreNamed() throws {
        let variable = try findings("", ["NOMYO_ROUTER_ACCESS_LOG": "/nowhere/a.log"])
        #expect(
            variable.map(\.description) == ["$NOMYO_ROUTER_ACCESS_LOG: the access log /nowhere/a.log cannot be written: there is no folder /nowhere"])
        let option = try findings("control_socket: /nowhere/other", control: "/nowhere/s")
        #expect(option.map(\.description) == ["--control: the control socket /nowhere/s: there is no folder /nowhere"])
    }

    @Test(.enabled(if: geteuid() != 0, "SKIPPED: root may write everywhere")) func foldersOfOthersAreTold() throws {
        #expect(
            try findings("access_log: /a.log").map(\.description) == [
                "c.yaml:2:13: the access log /a.log cannot be written: no file can be made in /: Permission denied"
            ])
    }

    /// Two files that mean the same are no change, wherever the lines stand.
    @Test func placesAreNoPartOfTheMeaning() throws {
        let one = try ConfigReader.read(yaml: "endpoints: []\naccess_log: /a", file: "1", environment: [:])
        let two = try ConfigReader.read(yaml: "# moved\naccess_log: /a\nendpoints: []", file: "1", environment: [:])
        #expect(one.origins.places.count == 1 && one.origins.places["access_log"] != nil)
        var same = two
        same.notices = one.notices
        #expect(same == one)
    }
}
