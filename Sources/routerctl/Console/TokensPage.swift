// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// What was used over an hour, a day or a month: totals, a chart, and who used it.
struct TokensPage: Sendable {
    /// How far back the page looks.
    enum Span: Int, Sendable, CaseIterable {
        case hour, day, month

        var title: String {
            switch self {
            case .hour: "hour"
            case .day: "day"
            case .month: "30 days"
            }
        }

        /// Parameters of `tokens` for it.
        var seconds: Double {
            switch self {
            case .hour: 3600
            case .day: 86_400
            case .month: 30 * 86_400
            }
        }
    }

    /// Nil while the daemon has not answered.
    var tokens: TokensInfo?
    var span = Span.hour
    /// Rows as they are to be shown: filtered and sorted. Nil for those of `tokens` as they are.
    var rows: [TokensInfo.Row]?
    /// Index of the selected row.
    var selected: Int?

    /// Draws all but the table, and tells the area that is left for it.
    func drawSummary(in area: Area, _ theme: Theme, on screen: inout Screen) -> Area {
        guard !area.isEmpty else { return area }
        var lines = [titleLine(columns: area.columns, theme)]
        if let tokens {
            lines.append(totals(tokens, columns: area.columns, theme))
            // The table keeps a third of the page, and at least its title, its heading and two rows.
            let room = area.rows - lines.count - max(4, min((tokens.rows.count + 2), area.rows / 2))
            if room >= 3 {
                lines += chart(tokens).lines(columns: area.columns - 2, rows: min(room, 16), theme).map { indented($0, theme) }
            }
        }
        let shown = lines.prefix(area.rows)
        screen.put(Array(shown), in: area, theme)
        return area.rows(from: shown.count)
    }

    func draw(in area: Area, _ theme: Theme, on screen: inout Screen) {
        let rest = drawSummary(in: area, theme, on: &screen)
        guard !rest.isEmpty else { return }
        guard let tokens else {
            screen.put("Waiting for routerd", in: rest, column: 1, role: .dim)
            return
        }
        let rows = rows ?? tokens.rows
        screen.put(StyledLine.section("By model and endpoint", "\(rows.count)", columns: rest.columns, theme), in: rest, row: 0, theme)
        let list = rest.rows(from: 1)
        guard !rows.isEmpty else {
            screen.put("Nothing was used in this time", in: list, column: 1, role: .dim)
            return
        }
        let window = Window.rows(count: rows.count, visible: list.rows - 1, selected: selected)
        let lines = table(Array(rows[window]), of: tokens, columns: list.columns, theme)
        screen.put(lines, in: list, theme)
        if let selected, window.contains(selected) {
            let row = 1 + selected - window.lowerBound
            screen.put(theme.marker, in: list, row: row, role: .activePane)
            screen.select(row: list.row + row)
        }
    }

    private func indented(_ line: StyledLine, _ theme: Theme) -> StyledLine {
        var indented = StyledLine(" ", .plain, theme)
        indented.add(line)
        return indented
    }

    /// The spans, of which one is shown.
    private func titleLine(columns: Int, _ theme: Theme) -> StyledLine {
        var line = StyledLine(theme.line, .rule, theme)
        line.add(" Tokens ", .activePane)
        for other in Span.allCases {
            let isShown = other == span
            var part = StyledLine(theme)
            part.add(isShown ? "[\(other.title)]" : " \(other.title) ", isShown ? .value : .dim)
            if !isShown, columns < 34 { continue }
            line.addIfFits(part, gap: 0, columns: columns)
        }
        line.add(" ", .rule)
        if line.width < columns { line.add(String(repeating: theme.line, count: columns - line.width), .rule) }
        return line
    }

    private func totals(_ tokens: TokensInfo, columns: Int, _ theme: Theme) -> StyledLine {
        let input = tokens.rows.reduce(0.0) { $0 + Double($1.inputTokens) }
        let output = tokens.rows.reduce(0.0) { $0 + Double($1.outputTokens) }
        let facts = [
            ("in all", input + output), ("prompts", input), ("answers", output),
            ("since ever", Double(tokens.totalInput) + Double(tokens.totalOutput)),
        ]
        var line = StyledLine(" ", .plain, theme)
        for (index, fact) in facts.enumerated() {
            var part = StyledLine("\(fact.0) ", .dim, theme)
            part.add(Amount.text(fact.1), .value)
            line.addIfFits(part, gap: index == 0 ? 0 : 3, columns: columns)
        }
        return line
    }

    private func chart(_ tokens: TokensInfo) -> Chart {
        let unit = tokens.stepS >= 86_400 ? "day" : tokens.stepS >= 3600 ? Self.per(tokens.stepS, 3600, "hour") : Self.per(tokens.stepS, 60, "minute")
        return Chart(
            title: "Tokens per \(unit)", values: tokens.input.map { Double($0) }, second: tokens.output.map { Double($0) },
            names: ["prompts", "answers"],
            spanS: tokens.sinceS, format: Amount.text, showsNewest: false)
    }

    private static func per(_ seconds: Double, _ unit: Double, _ name: String) -> String {
        let count = Int(max(1, min(1e6, seconds.isFinite ? (seconds / unit).rounded() : 1)))
        return count == 1 ? name : "\(count) \(name)s"
    }

    private func table(_ rows: [TokensInfo.Row], of tokens: TokensInfo, columns: Int, _ theme: Theme) -> [StyledLine] {
        let all = tokens.rows.reduce(0.0) { $0 + Double($1.inputTokens) + Double($1.outputTokens) }
        let barColumns = columns >= 100 ? 20 : 10
        return Listing(
            columns: [
                TableColumn("MODEL", minimum: 8, rank: 100, hidesWhenEmpty: true),
                TableColumn("ENDPOINT", minimum: 7, rank: 80, hidesWhenEmpty: true),
                TableColumn("PROMPTS", right: true, rank: 40), TableColumn("ANSWERS", right: true, rank: 50),
                TableColumn("ALL", right: true, rank: 90), TableColumn("SHARE", right: true, rank: 70), TableColumn("", rank: 10),
            ],
            rows: rows.map { row in
                let sum = Double(row.inputTokens) + Double(row.outputTokens)
                return [
                    .init(row.model, .value), .init(row.endpoint), .init(Amount.text(Double(row.inputTokens))),
                    .init(Amount.text(Double(row.outputTokens))), .init(Amount.text(sum), .value), .init(Share.text(sum, of: all)),
                    .init(Gauge.bar(all > 0 ? sum / all : nil, columns: barColumns, theme).text, .chart),
                ]
            }
        ).lines(columns: columns, theme)
    }
}

/// Counts in a few characters.
enum Amount {
    /// `9999`, `12.3k`, `4.5M`, `1.2G`; `-` for what is no number.
    @Sendable static func text(_ value: Double) -> String {
        guard !value.isNaN else { return "-" }
        let value = max(0, min(value, 9e17))
        if value < 9999.5 { return value < 10 && value != value.rounded() ? Quantity.rate(value) : "\(Int(value.rounded()))" }
        if value < 1e9 { return Quantity.rate(value) }
        if value < 999.95e9 { return Quantity.rate(value / 1e9) + "G" }
        return Quantity.rate(value / 1e12) + "T"
    }
}
