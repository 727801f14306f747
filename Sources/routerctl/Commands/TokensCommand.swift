// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
import Protocol

/// `routerctl tokens`: who used how many, and when.
struct TokensCommand: ParsableCommand {
    enum By: String, ExpressibleByArgument, CaseIterable {
        case endpoint, model, both
    }

    static let configuration = CommandConfiguration(
        commandName: "tokens", abstract: "Show the tokens of prompts and answers, by endpoint and model and over time.",
        discussion: ListOptions.describe(table([])))

    @Option(
        name: .long, help: ArgumentHelp("How far back, such as 30m, 24h, 7d; an hour without it.", valueName: "time"), transform: Duration.parse)
    var since: Duration?

    @Option(name: .long, help: ArgumentHelp("A row for each endpoint, model, or both.", valueName: "what"))
    var by: By = .both

    @OptionGroup var list: ListOptions
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        if let since, since.milliseconds < 1000 { throw ValidationError("--since is at least a second") }
    }

    func run() throws {
        try list.check(Self.table([]), json: options.json)
        let session = try Session(options)
        let params = TokensParams(sinceS: since?.seconds, by: by.rawValue)
        let info = try session.ask { client throws(ControlError) in try client.tokens(params) }
        let table = Self.table(info.rows)
        try list.show(info, table, on: session.output) { page in
            if page.isTerminal { Self.chart(info, on: page) }
            page.table(table)
        }
    }

    static func table(_ rows: [TokensInfo.Row]) -> TextTable {
        var table = TextTable([
            TableColumn("ENDPOINT", minimum: 8, rank: 90, hidesWhenEmpty: true),
            TableColumn("MODEL", minimum: 12, rank: 100, hidesWhenEmpty: true),
            TableColumn("INPUT", right: true, rank: 80),
            TableColumn("OUTPUT", right: true, rank: 85),
            TableColumn("TOTAL", right: true, rank: 70),
        ])
        table.rows = rows.map { row in
            [
                .init(row.endpoint), .init(row.model), .init("\(row.inputTokens)"), .init("\(row.outputTokens)"),
                .init("\(row.inputTokens + row.outputTokens)"),
            ]
        }
        return table
    }

    /// The totals, and a chart of input and output together.
    /// `10m`, `24h`, `7d`: as one would write it.
    private static func span(_ seconds: Double) -> String {
        for (unit, name) in [(86_400.0, "d"), (3600, "h"), (60, "m")] where seconds >= unit && seconds.truncatingRemainder(dividingBy: unit) == 0 {
            return "\(Int(seconds / unit))\(name)"
        }
        return Quantity.duration(s: seconds)
    }

    static func chart(_ info: TokensInfo, on page: Page) {
        let input = info.input.reduce(0, +)
        let output = info.output.reduce(0, +)
        page.facts([
            ("In the last \(span(info.sinceS))", "\(input) in, \(output) out", .plain),
            ("Of all time", "\(info.totalInput) in, \(info.totalOutput) out", .plain),
        ])
        page.blank()
        let count = max(info.input.count, info.output.count)
        let sums = (0..<count).map {
            (info.input.indices.contains($0) ? info.input[$0] : 0) + (info.output.indices.contains($0) ? info.output[$0] : 0)
        }
        let room = max(10, (page.width ?? 80) - 12)
        let lines = BarChart(values: sums, ascii: page.style.ascii).lines(width: room)
        guard !lines.isEmpty else { return }
        let columns = BarChart.fitted(sums, to: room)
        let highest = Quantity.count(columns.max() ?? 0)
        let labels = max(DisplayText.width(highest), 1)
        for (index, line) in lines.enumerated() {
            let label = index == 0 ? highest : index == lines.count - 1 ? "0" : ""
            page.line("\(DisplayText.pad(label, to: labels, right: true)) \(page.style.ascii ? "|" : "┤")\(line)")
        }
        let step = info.stepS * Double((sums.count + columns.count - 1) / max(1, columns.count))
        page.line("\(String(repeating: " ", count: labels + 2))a bar is \(Quantity.duration(s: step)); now is at the right", .dim)
        page.blank()
    }
}
