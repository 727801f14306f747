// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Testing

@testable import routerctl

/// Walks the command tree: a command without help or with options that do not follow the rules fails here.
@Suite struct HelpTests {
    private static func tree(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
        [command] + command.configuration.subcommands.flatMap(tree)
    }

    @Test func theCommandsAreThoseThatAreDocumented() {
        let names = Routerctl.configuration.subcommands.compactMap { $0.configuration.commandName }
        #expect(
            names == ["status", "endpoints", "models", "requests", "drain", "maintenance", "resume", "reload", "cache", "top", "version"])
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
