// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// What was used over an hour, a day or a month: totals and a chart. Who used it is the table below.
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

    /// Everything but the table, on a page of so many rows.
    func lines(columns: Int, rows: Int, _ theme: Theme) -> [StyledLine] {
        guard columns > 0, rows > 0 else { return [] }
        var lines = [titleLine(columns: columns, theme)]
        if let tokens {
            lines.append(totals(tokens, columns: columns, theme))
            // The table keeps a third of the page, and at least its title, its heading and two rows.
            let room = rows - lines.count - max(4, min(tokens.rows.count + 2, rows / 2))
            if room >= 3 {
                lines += chart(tokens).lines(columns: columns - 2, rows: min(room, 16), theme).map { indented($0, theme) }
            }
        }
        return Array(lines.prefix(rows))
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
