// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import FakeControl
import Foundation
import Testing

@testable import routerctl

/// Walks the command tree: a command without help or with options that do not follow the rules fails here.
@Suite struct HelpTests {
    private static func tree(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
        [command] + command.configuration.subcommands.flatMap(tree)
    }

    @Test func theCommandsAreThoseThatAreDocumented() {
        let names = Routerctl.configuration.subcommands.filter { $0.configuration.shouldDisplay }.compactMap { $0.configuration.commandName }
        #expect(
            names == [
                "status", "endpoints", "models", "requests", "queue", "explain", "tokens", "events", "cancel", "drain", "maintenance", "resume",
                "weight",
                "load", "unload", "pull", "delete", "copy", "show", "reload", "config", "cache", "top", "watch", "ping", "version", "completion",
            ])
    }

    @Test func everyTableTellsItsColumnsInTheHelpOfItsCommand() {
        let tables: [(any ParsableCommand.Type, TextTable)] = [
            (EndpointsCommand.self, EndpointsCommand.table([])), (ModelsCommand.self, ModelsCommand.table([])),
            (ModelsCommand.self, ModelsCommand.places([])), (RequestsCommand.self, RequestsCommand.table([])),
            (QueueCommand.self, QueueCommand.table([])), (TokensCommand.self, TokensCommand.table([])),
            (EventsCommand.self, EventsCommand.table([])), (ConfigShowCommand.self, ConfigShowCommand.table([])),
        ]
        for (command, table) in tables {
            let words = Set(command.helpMessage(columns: 1000).split { !$0.isLetter && $0 != "_" && !$0.isNumber }.map(String.init))
            let missing = table.columnNames.filter { !words.contains($0) }
            #expect(missing.isEmpty, "\(command): \(missing)")
        }
    }

    /// The manual, as the reader sees it: without the macros.
    private static func manual() throws -> String {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../man/routerctl.1").path
        return try RealProgram.run(["-T", "ascii", "-O", "width=500", path], executable: "/usr/bin/mandoc").out.replacing(/.\u{8}/, with: "")
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/mandoc"), "SKIPPED: mandoc is not installed"))
    func everyCommandOptionAndColumnStandsInTheManual() throws {
        let manual = try Self.manual()
        func walk(_ command: any ParsableCommand.Type, _ path: [String]) {
            guard command.configuration.shouldDisplay else { return }
            let name = (path + [command.configuration.commandName ?? ""]).dropFirst().joined(separator: " ")
            #expect(name.isEmpty || manual.contains(name), "no \(name)")
            let entry = manual.split(separator: "\n").filter { name.isEmpty || $0.contains(name) }.joined(separator: "\n")
            let help = command.helpMessage(columns: 1000)
            for line in help.split(separator: "\n") where line.hasPrefix("  -") {
                for option in line.split(separator: "  ")[0].split(whereSeparator: { $0 == "," || $0 == " " }) where option.hasPrefix("--") {
                    let isGlobal = ["--json", "--socket", "--version", "--help", "--format", "--quiet", "--yes"].contains(option)
                    #expect(isGlobal ? manual.contains(option) : entry.contains(option), "no \(option) of \(name)")
                }
            }
            command.configuration.subcommands.forEach { walk($0, path + [command.configuration.commandName ?? ""]) }
        }
        walk(Routerctl.self, [])
        let columns =
            EndpointsCommand.table([]).columnNames + ModelsCommand.table([]).columnNames + ModelsCommand.places([]).columnNames
            + RequestsCommand.table([]).columnNames + QueueCommand.table([]).columnNames + TokensCommand.table([]).columnNames
            + EventsCommand.table([]).columnNames + ConfigShowCommand.table([]).columnNames
        let missing = Set(columns.filter { !manual.contains($0) })
        #expect(missing.isEmpty, "\(missing)")
    }

    @Test func everyCommandHasANameAnAbstractAndTheOptionsThatAllShare() {
        for command in Self.tree(Routerctl.self) {
            let help = command.helpMessage(columns: 100)
            let abstract = command.configuration.abstract
            #expect(command.configuration.commandName != nil)
            #expect(abstract.hasSuffix("."), "\(command)")
            #expect(help.contains(abstract))
            #expect(help.contains("--json"), "\(command)")
            #expect(help.contains("--socket <path>"), "\(command)")
        }
    }

    @Test func noOptionOrArgumentLacksItsHelp() {
        for command in Self.tree(Routerctl.self) {
            let lines = command.helpMessage(columns: 200).split(separator: "\n")
            for line in lines where line.hasPrefix("  <") || line.hasPrefix("  -") {
                let words = line.split(separator: "  ", omittingEmptySubsequences: true)
                #expect(words.count >= 2, "\(command): \(line)")
            }
        }
    }
}
