// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// `routerctl config check|show|diff`
struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check a configuration, show the one in force, or tell how the file differs from it.",
        subcommands: [ConfigCheckCommand.self, ConfigShowCommand.self, ConfigDiffCommand.self])

    @OptionGroup var options: GlobalOptions

    func run() throws {
        throw Failure(
            status: .usage, code: "usage", message: "a command is missing: check, show or diff", advice: ["See routerctl config --help"])
    }
}

struct ConfigShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "List the settings in force; secrets are not shown.", discussion: ListOptions.describe(table([])))

    @OptionGroup var list: ListOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        try list.check(Self.table([]), json: options.json)
        let session = try Session(options)
        let info = try session.ask { client throws(ControlError) in try client.config() }
        let table = Self.table(info.settings)
        try list.show(info, table, on: session.output) { page in
            if page.isTerminal {
                page.line("From \(info.path):", .dim)
                page.blank()
            }
            page.table(table)
        }
    }

    static func table(_ settings: [ConfigInfo.Setting]) -> TextTable {
        var table = TextTable([
            TableColumn("SETTING", minimum: 12, rank: 100),
            TableColumn("VALUE", minimum: 16, rank: 99),
            TableColumn("FROM", rank: 50),
            TableColumn("CHANGES WITH", rank: 40),
        ])
        table.rows = settings.map { setting in
            [
                .init(setting.name, setting.isDefault ? .dim : .plain), .init(setting.value, setting.isDefault ? .dim : .plain),
                .init(setting.isDefault ? "default" : "configuration", .dim), .init(setting.needsRestart ? "restart" : "reload", .dim),
            ]
        }
        return table
    }
}

struct ConfigDiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Tell what a reload would change. The same as reload --dry-run.")

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let session = try Session(options)
        let info = try session.ask { client throws(ControlError) in try client.reload(dryRun: true) }
        try session.output.show(info) { ReloadCommand.print(info, dryRun: true, on: $0) }
    }
}

struct ConfigCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Have a configuration read, and bring nothing of it into force.",
        discussion: """
            Errors are printed as file:line:column, and the exit status is 1. Without a running daemon, the routerd beside routerctl or in \
            the path reads it.
            """)

    @Argument(
        help: ArgumentHelp("The file. Else the one that routerd would read; - is standard input.", valueName: "file"), completion: .file())
    var file: String?

    @Flag(name: [.long, .customShort("q")], help: "Print errors only; the exit status tells.")
    var quiet = false

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        guard let path = file ?? SocketPath.configFile(environment: environment) else {
            throw Failure(
                status: .usage, code: "usage", message: "name a file: there is none at ./config.yaml or /etc/routerd/config.yaml",
                advice: ["routerctl config check FILE"])
        }
        let text = try Self.text(of: path)
        switch Self.session(options) {
        case .success(let session):
            let name = path == "-" ? "<stdin>" : path
            let info = try session.ask { client throws(ControlError) in try client.checkConfig(text, path: name) }
            try tell(info, path, session.output)
        case .failure(let failure):
            guard failure.status == .noDaemon, path != "-" else { throw failure }
            let output = Output(json: options.json, environment: environment)
            try tell(try OfflineCheck.run(path, because: failure, environment: environment), path, output)
        }
    }

    private static func session(_ options: GlobalOptions) -> Result<Session, Failure> {
        do {
            return .success(try Session(options))
        } catch {
            return .failure(error)
        }
    }

    private func tell(_ info: ConfigCheckInfo, _ path: String, _ output: Output) throws {
        if output.json {
            if !quiet { try output.show(info) { _ in } }
        } else {
            // As they are, one on each line: editors read them.
            info.errors.forEach { StandardError.write(line: DisplayText.clean($0)) }
            if info.errors.isEmpty, !quiet { try output.show(info) { Self.print(info, path: path, on: $0) } }
        }
        if !info.errors.isEmpty { throw ExitStatusOnly(status: .failed) }
    }

    static func print(_ info: ConfigCheckInfo, path: String, on page: Page) {
        guard page.isTerminal else {
            page.line([path, "good"], separator: "\t")
            info.notices.forEach { page.line(["notice", $0], separator: "\t") }
            info.changes.forEach { page.line(["change", $0], separator: "\t") }
            info.needsRestart.forEach { page.line(["needs_restart", $0], separator: "\t") }
            return
        }
        page.line("\(path): good", .good)
        info.notices.forEach { page.line("  notice: \($0)", .warning) }
        if !info.changes.isEmpty {
            page.line("Would change:", .heading)
            info.changes.forEach { page.line("  \($0)") }
        }
        if !info.needsRestart.isEmpty {
            page.line("Needs a restart of routerd:", .warning)
            info.needsRestart.forEach { page.line("  \($0)") }
        }
    }

    private static func text(of path: String) throws(Failure) -> String {
        let data = path == "-" ? standardInput() : FileManager.default.contents(atPath: path)
        guard let data else {
            throw Failure(status: .failed, code: "unreadable", message: "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw Failure(status: .failed, code: "unreadable", message: "\(path) is not UTF-8 text")
        }
        return text
    }

    private static func standardInput() -> Data? {
        var data = Data()
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { return data }
            data.append(contentsOf: buffer[..<count])
        }
    }
}
