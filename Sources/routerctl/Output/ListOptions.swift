// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol
import ArgumentParser
import Console

/// `--format` and `--quiet` of commands that list.
struct ListOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("Only these columns, in this order, separated by commas; the names stand above.", valueName: "columns"))
    var format: String?

    @Flag(name: [.long, .customShort("q")], help: "Only the names or ids, one on each line.")
    var quiet = false

    func validate() throws {
        if format != nil, quiet { throw ValidationError("--format and --quiet exclude each other") }
    }

    /// Prints the value as JSON, or its table as asked for.
    ///
    /// - Parameters:
    ///   - text: what is printed where nothing was chosen; nil for the table itself.
    func show(_ value: some Encodable, _ table: TextTable, on output: Output, text: ((Page) -> Void)? = nil) throws {
        let chosen = try format.map { try table.choosing($0) }
        try output.show(value) { page in
            if quiet {
                table.names.forEach { page.line([$0], separator: "\t") }
            } else if let chosen {
                page.table(chosen)
            } else if let text {
                text(page)
            } else {
                page.table(table)
            }
        }
    }

    /// Before the daemon is asked: a wrong column is wrong without it too.
    func check(_ columns: TextTable, json: Bool) throws(Failure) {
        if json, format != nil || quiet {
            throw Failure(status: .usage, code: "usage", message: "--json and \(quiet ? "--quiet" : "--format") exclude each other")
        }
        if let format { _ = try columns.choosing(format) }
    }

    /// The sentence of a command's help.
    static func describe(_ table: TextTable) -> String {
        "Columns for --format: \(table.columnNames.joined(separator: ", "))."
    }
}

/// `--quiet` and `--yes` of commands that change something.
struct ChangeOptions: ParsableArguments {
    @Flag(name: [.long, .customShort("q")], help: "Print nothing where it worked; the exit status tells.")
    var quiet = false

    @Flag(name: [.long, .customShort("y")], help: "Do not ask. Without a terminal nothing dangerous is done without it.")
    var yes = false

    func show(_ value: some Encodable, on output: Output, text: (Page) -> Void) throws {
        if !quiet { try output.show(value, text: text) }
    }
}
