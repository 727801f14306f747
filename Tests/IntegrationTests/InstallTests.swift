// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport
import Testing

/// `make install` into a folder, as a packager does it. Without this a manual page or a shell's completion would be missing where it is
/// looked for, or `make uninstall` would leave files that nobody knows the origin of.
@Suite struct InstallTests {
    private static let program = "/usr/bin/make"
    private static let hasMake = FileManager.default.isExecutableFile(atPath: program)

    /// With the binaries of the tests in place of a release's: building those is another matter.
    private func runMake(_ target: String, _ variables: [String: String]) throws {
        let assignments = variables.merging(["RELEASE_DIR": Checkout.binaries]) { $1 }.map { "\($0)=\($1)" }
        // The tests themselves run under make: what it hands down is not for this one.
        let result = try ChildProcess.run(
            Self.program, ["-C", Checkout.root, "-o", "build", target] + assignments, environment: ["MAKEFLAGS": "", "MAKELEVEL": "", "MFLAGS": ""])
        try #require(result.status == 0, "\(result.output)\(result.errors)")
    }

    /// Paths of all files below the folder, with their modes.
    private func files(_ folder: String) throws -> [String: Int] {
        var found: [String: Int] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder) {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(path)")
            if attributes[.type] as? FileAttributeType == .typeDirectory { continue }
            found[path] = attributes[.posixPermissions] as? Int ?? 0
        }
        return found
    }

    @Test(.enabled(if: hasMake, "SKIPPED: no make"), arguments: ["/usr/local", "/opt/a folder"])
    func everyFileLandsAndUninstallTakesAllAway(prefix: String) throws {
        let folder = try TemporaryFolder()
        try runMake("install", ["DESTDIR": folder.path, "PREFIX": prefix])
        let base = prefix.dropFirst()
        var expected = ["\(base)/bin/routerd": 0o755, "\(base)/bin/routerctl": 0o755]
        let pages = try FileManager.default.contentsOfDirectory(atPath: Checkout.root + "/man")
        try #require(pages.count >= 4)
        for page in pages { expected["\(base)/share/man/man\(page.suffix(1))/\(page)"] = 0o644 }
        let completions = [
            ("bash", "bash-completion/completions/routerctl"), ("zsh", "zsh/site-functions/_routerctl"),
            ("fish", "fish/vendor_completions.d/routerctl.fish"),
        ]
        for (_, path) in completions { expected["\(base)/share/\(path)"] = 0o644 }
        let installed = try files(folder.path)
        #expect(installed == expected)

        // They are what they should be, and work from where they are.
        let version = try ChildProcess.run("\(folder.path)\(prefix)/bin/routerd", ["--version"])
        #expect(version.status == 0 && !version.output.isEmpty)
        for page in pages {
            let copy = try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)\(prefix)/share/man/man\(page.suffix(1))/\(page)"))
            #expect(try copy == Data(contentsOf: URL(fileURLWithPath: "\(Checkout.root)/man/\(page)")), "\(page)")
        }
        for (shell, path) in completions {
            let script = try String(contentsOfFile: "\(folder.path)\(prefix)/share/\(path)", encoding: .utf8)
            #expect(try script == ChildProcess.run(Checkout.binary("routerctl"), ["completion", shell]).output && script.contains("routerctl"))
        }

        // What was there before stays.
        try folder.write("theirs", to: "\(base)/bin/other")
        try runMake("uninstall", ["DESTDIR": folder.path, "PREFIX": prefix])
        #expect(try files(folder.path).keys.sorted() == ["\(base)/bin/other"])
    }
}
