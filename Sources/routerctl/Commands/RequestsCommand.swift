// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
import Protocol

/// `routerctl requests`: what is in the router now, oldest first.
struct RequestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests", abstract: "List the requests that are in the router now.",
        discussion: ListOptions.describe(table([])), aliases: ["request"])

    @OptionGroup var list: ListOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        try list.check(Self.table([]), json: options.json)
        let session = try Session(options)
        let found = try session.ask { client throws(ControlError) in try client.requests() }
        let table = Self.table(found.requests)
        try list.show(found, table, on: session.output) { page in
            if found.requests.isEmpty, page.isTerminal { page.line("Nothing is in flight.", .dim) } else { page.table(table) }
        }
    }

    static func table(_ requests: [RequestInfo]) -> TextTable {
        var table = TextTable(
            [
                TableColumn("ID", rank: 70),
                TableColumn("CLIENT", minimum: 9, rank: 60),
                TableColumn("ROUTE", minimum: 9, rank: 50),
                TableColumn("MODEL", minimum: 10, rank: 100),
                TableColumn("ENDPOINT", minimum: 8, rank: 90),
                TableColumn("PHASE", rank: 95),
                TableColumn("AGE", right: true, rank: 92),
                TableColumn("TOKENS", right: true, rank: 80),
                TableColumn("WHY", rank: 75),
                TableColumn("CACHE", rank: 65),
            ], more: ["KEY", "SENT", "TOKENS PER SECOND", "PHASE AGE"])
        table.rows = requests.map { request in
            [
                .init(request.id, .dim), .init(request.client), .init("\(request.method) \(request.route)"),
                .init(request.model.isEmpty ? "-" : request.model), .init(request.endpoint.isEmpty ? "-" : request.endpoint),
                .init(request.phase.words, request.phase == .streaming ? .good : request.phase == .waiting ? .warning : .plain),
                .init(Quantity.duration(ms: request.ageMs)), .init("\(request.tokens)"), .init(request.placed, .dim), .init(request.cache, .dim),
                .init(request.key), .init(Quantity.bytes(request.bytesSent)), .init(request.tokensPerSecond.map(Quantity.rate) ?? "-"),
                .init(Quantity.duration(ms: request.phaseMs)),
            ]
        }
        return table
    }
}
