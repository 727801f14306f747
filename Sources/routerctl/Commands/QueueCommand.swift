// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
import Protocol

/// `routerctl queue`: who waits for what, for how long, behind whom.
struct QueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "List the requests that wait in line, and what for.",
        discussion: "Who has waited longest stands first. AHEAD is how many for the same model go before it. " + ListOptions.describe(table([])))

    @OptionGroup var list: ListOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        try list.check(Self.table([]), json: options.json)
        let session = try Session(options)
        let queue = try session.ask { client throws(ControlError) in try client.queue() }
        let table = Self.table(queue.waiting)
        try list.show(queue, table, on: session.output) { page in
            if queue.waiting.isEmpty, page.isTerminal { page.line("Nobody waits.", .dim) } else { page.table(table) }
        }
    }

    static func table(_ waiting: [WaiterInfo]) -> TextTable {
        var table = TextTable([
            TableColumn("ID", rank: 70),
            TableColumn("KEY", minimum: 6, rank: 40, hidesWhenEmpty: true),
            TableColumn("CLIENT", minimum: 9, rank: 50),
            TableColumn("MODEL", minimum: 10, rank: 100),
            TableColumn("AGE", right: true, rank: 95),
            TableColumn("AHEAD", right: true, rank: 90),
            TableColumn("BEHIND", minimum: 8, rank: 20, hidesWhenEmpty: true),
            TableColumn("BLOCKED BY", minimum: 26, rank: 80),
            TableColumn("BEGINS IN", right: true, rank: 85, hidesWhenEmpty: true),
        ])
        table.rows = waiting.map { waiter in
            [
                .init(waiter.id, .dim), .init(waiter.key), .init(waiter.client), .init(waiter.model),
                .init(Quantity.duration(ms: waiter.ageMs)), .init("\(waiter.position)"), .init(waiter.behind.joined(separator: ", ")),
                .init(waiter.blockedBy.joined(separator: "; ")), .init(waiter.beginsInMs.map { Quantity.duration(ms: $0) } ?? ""),
            ]
        }
        return table
    }
}
