// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Protocol

/// `routerctl reload [--dry-run]`
struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Read the configuration again and apply it, all or nothing.",
        discussion:
            "Requests in flight are not touched. A bad configuration changes nothing; its errors are printed. Where endpoints would go away, it asks first."
    )

    @Flag(name: .customLong("dry-run"), help: "Only tell what would change.")
    var dryRun = false

    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let session = try Session(options)
        if !dryRun, !change.yes {
            let planned = try session.ask { client throws(ControlError) in try client.reload(dryRun: true) }
            let warnings = Self.warnings(planned)
            if !warnings.isEmpty { try Confirmation.require("Reload", warnings: warnings, yes: false) }
        }
        let info = try session.ask { [dryRun] client throws(ControlError) in try client.reload(dryRun: dryRun) }
        try change.show(info, on: session.output) { Self.print(info, dryRun: dryRun, on: $0) }
    }

    /// What an operator may not have meant. Where the daemon does not tell which endpoints go, any change may be such a one.
    static func warnings(_ planned: ReloadInfo) -> [String] {
        planned.removedEndpoints?.map { "endpoint \($0) goes away" } ?? planned.changes
    }

    static func print(_ info: ReloadInfo, dryRun: Bool, on page: Page) {
        guard page.isTerminal else {
            info.changes.forEach { page.line(["change", $0], separator: "\t") }
            info.needsRestart.forEach { page.line(["needs_restart", $0], separator: "\t") }
            info.operators?.forEach { page.line(["operator", $0], separator: "\t") }
            return
        }
        if info.changes.isEmpty, info.needsRestart.isEmpty { page.line(dryRun ? "Nothing would change." : "Nothing changed.") }
        if !info.changes.isEmpty {
            page.line(dryRun ? "Would change:" : "Changed:", .heading)
            info.changes.forEach { page.line("  \($0)") }
        }
        if !info.needsRestart.isEmpty {
            page.line("Needs a restart of routerd:", .warning)
            info.needsRestart.forEach { page.line("  \($0)") }
        }
        if let operators = info.operators, !operators.isEmpty {
            page.line(dryRun ? "Would stay as an operator set it:" : "Stays as an operator set it:", .heading)
            operators.forEach { page.line("  \($0)") }
        }
    }
}
