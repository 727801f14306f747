// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
import Protocol

/// `routerctl explain MODEL`: where a request would go now, and what each alternative would cost.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Tell where a request for a model would go now, and why.",
        discussion: """
            Nothing is sent anywhere. The best stands first: it has the least COST, which is what the router compares. EXPECTED is the time to \
            the first token; the cost adds what the choice does to others (the models that a load pushes out, a line that grows), and counts a \
            load in part, as it serves later requests too. All are expectations, from what was measured; what was not yet is called a guess. \
            \(ListOptions.describe(table([])))
            """)

    @Argument(help: "The model, as a request would name it.", completion: Completions.models) var model: String
    @Option(name: .long, help: "The route, such as /api/chat; /v1/chat/completions without it.") var route: String?

    @Option(
        name: .customLong("num-ctx"),
        help: ArgumentHelp("Tokens of context that the request asks for; the route is /api/chat then.", valueName: "tokens"))
    var numCtx: Int?

    @OptionGroup var list: ListOptions
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        if let numCtx, numCtx < 1 { throw ValidationError("--num-ctx takes a number of tokens, 1 or more.") }
    }

    func run() throws {
        try list.check(Self.table([]), json: options.json)
        let session = try Session(options)
        let info = try session.ask { [model, route, numCtx] client throws(ControlError) in
            try client.explain(model, route: route, numCtx: numCtx)
        }
        // The line is no name.
        let table = Self.table(list.quiet ? info.options.filter { !$0.endpoint.isEmpty } : info.options)
        try list.show(info, table, on: session.output) { page in
            if page.isTerminal { page.line(Self.summary(info), info.refusal.isEmpty ? .heading : .bad) }
            page.table(table)
            if page.isTerminal, !info.options.isEmpty {
                let note =
                    "Cost is what the router compares: a load counts in part, as it serves later requests too, and harm to others is added. "
                    + "A guess: nothing was measured yet."
                for line in page.wrapped(note, width: page.width ?? 80) { page.line(line, .dim) }
            }
        }
    }

    static func summary(_ info: ExplainInfo) -> String {
        guard info.refusal.isEmpty else { return "A request for \(info.model) would be refused: \(info.refusal)" }
        guard let chosen = info.options.first(where: \.isChosen) else { return "Nothing can be said of \(info.model) now" }
        let place = chosen.endpoint.isEmpty ? "would wait in line" : "would go to \(chosen.endpoint)"
        let first = chosen.expectedS.map { ", first token in about \(seconds($0))" } ?? ""
        return "A request for \(info.model) \(place)\(first); \(info.waiting) waiting"
    }

    static func table(_ options: [ExplainInfo.Option]) -> TextTable {
        var table = TextTable([
            TableColumn("ENDPOINT", minimum: 8, rank: 100),
            TableColumn("CHOSEN", rank: 99),
            TableColumn("COST", right: true, rank: 95),
            TableColumn("EXPECTED", right: true, rank: 80),
            TableColumn("WHY", rank: 70, hidesWhenEmpty: true),
            TableColumn("EXPLANATION", minimum: 34, rank: 90),
            TableColumn("LOADED WITH", minimum: 12, rank: 60, hidesWhenEmpty: true),
            TableColumn("ESTIMATES", minimum: 30, rank: 50, hidesWhenEmpty: true),
        ])
        table.rows = options.map { option in
            [
                .init(option.endpoint.isEmpty ? "in line" : option.endpoint), .init(option.isChosen ? "yes" : "-", option.isChosen ? .good : .dim),
                .init(option.costS.map(seconds) ?? "-"), .init(option.expectedS.map(seconds) ?? "-"), .init(option.why),
                .init(option.obstacle.isEmpty ? option.words : option.obstacle, option.obstacle.isEmpty ? .plain : .dim),
                .init(option.configuration ?? "", .dim), .init(option.estimates?.words ?? "", .dim),
            ]
        }
        return table
    }

    private static func seconds(_ value: Double) -> String { Quantity.latency(ms: min(max(0, value), 1e9) * 1000) }
}
