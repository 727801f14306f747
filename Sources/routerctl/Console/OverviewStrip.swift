// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The strip at the top of every view: how the router does, in six figures, each with a line of its last minutes where there is room.
struct OverviewStrip: Sendable {
    var status: StatusInfo
    /// Nil from a daemon that does not tell.
    var history: HistoryInfo?
    /// Requests and tokens a second now; nil while unknown.
    var requestsPerSecond: Double?
    var tokensPerSecond: Double?

    /// The sparklines look back so far.
    static let spanS = 300.0

    /// Rows that suit a screen: one on a small one, two with sparklines, three with high ones.
    static func rows(for size: Size) -> Int {
        if size.columns < 60 || size.rows < 16 { return 1 }
        return size.columns >= 100 && size.rows >= 40 ? 3 : 2
    }

    private struct Figure {
        var label: String
        /// For a line that is too short for the labels.
        var short: String
        var value: String
        var role = Role.value
        /// The most important has the highest.
        var rank: Int
        var values: [Double?] = []
        var ceiling: Double?
        var take = Resample.Take.mean
    }

    func draw(in area: Area, _ theme: Theme, on screen: inout Screen) {
        guard !area.isEmpty else { return }
        let figures = figures
        // Two cells of margin, as in the lines above and below; not where every column counts.
        let margin = area.columns >= 30 ? 1 : 0
        let inner = area.columns(from: margin, count: area.columns - 2 * margin)
        let cell = (inner.columns + 2) / figures.count
        if area.rows >= 2, cell >= 13 {
            drawCells(figures, width: cell - 2, in: inner, theme, on: &screen)
        } else {
            screen.put(oneLine(figures, columns: inner.columns, theme), in: inner, row: 0, theme)
        }
    }

    private var figures: [Figure] {
        let up = status.endpoints.count { $0.state == "up" || $0.state == "degraded" }
        let all = status.endpoints.count
        let waiting = status.requests.waiting > 0 ? status.requests.waiting : status.queue.waiting
        let fleet = history?.fleet
        let rate = status.cache.hitRates.first { $0.minutes == 10 }?.rate ?? status.cache.hitRates.first?.rate
        return [
            Figure(label: "REQ/S", short: "R/S", value: requestsPerSecond.map(Quantity.rate) ?? "-", rank: 5, values: recent(fleet?.requests)),
            Figure(label: "TOK/S", short: "T/S", value: tokensPerSecond.map(Quantity.rate) ?? "-", rank: 6, values: recent(fleet?.tokens)),
            Figure(
                label: "IN FLIGHT", short: "BUSY", value: Quantity.count(status.requests.inFlight), rank: 8,
                values: recent(fleet?.inFlight), take: .peak),
            Figure(
                label: "WAITING", short: "WAIT", value: Quantity.count(waiting), role: waiting > 0 ? .warning : .value, rank: 7,
                values: recent(fleet?.waiting), take: .peak),
            Figure(
                label: "HIT RATE", short: "HIT", value: status.cache.enabled ? Share.text(rate) : "off",
                role: status.cache.enabled ? .value : .dim, rank: 4, values: history.map { Array($0.hitRate.suffix(steps)) } ?? [], ceiling: 1),
            Figure(label: "UP", short: "UP", value: "\(up)/\(all)", role: up == all ? .good : up == 0 ? .bad : .warning, rank: 9),
        ]
    }

    /// Values in the time that the sparklines look back.
    private var steps: Int {
        guard let step = history?.stepS, step > 0 else { return 0 }
        return max(1, Int(min(Self.spanS / step, 10_000)))
    }

    private func recent(_ values: [Double]?) -> [Double?] { values.map { $0.suffix(steps).map { $0 } } ?? [] }
    private func recent(_ values: [Int]?) -> [Double?] { values.map { $0.suffix(steps).map { Double($0) } } ?? [] }

    /// The figures beside each other at fixed places, each above its sparkline.
    private func drawCells(_ figures: [Figure], width: Int, in area: Area, _ theme: Theme, on screen: inout Screen) {
        for (index, figure) in figures.enumerated() {
            let cell = area.columns(from: index * (width + 2), count: width)
            var line = StyledLine(figure.label + " ", .dim, theme)
            if line.width + DisplayText.width(figure.value) > width { line = StyledLine(figure.short + " ", .dim, theme) }
            line.add(figure.value, figure.role)
            let peak = StyledLine(
                "\(theme.isASCII ? "^" : "↑")\(figure.ceiling == nil ? Quantity.rate(Resample.peak(figure.values)) : "")", .dim, theme)
            if figure.ceiling == nil, !figure.values.isEmpty, width >= 22 { line.addIfFits(peak, columns: width) }
            screen.put(line, in: cell, row: 0, theme)
            let plot = cell.rows(from: 1)
            if figure.label == "UP" {
                drawStates(in: plot, theme, on: &screen)
            } else if plot.rows == 1 {
                let text = Sparkline.text(figure.values, columns: plot.columns, ceiling: figure.ceiling, take: figure.take, theme)
                screen.put(text, in: plot, role: .chart)
            } else if !figure.values.isEmpty {
                let chart = Chart(
                    title: "", values: Resample.newest(figure.values, count: max(steps, 1)), spanS: Self.spanS, ceiling: figure.ceiling,
                    take: figure.take)
                screen.put(chart.plot(columns: plot.columns, rows: plot.rows, theme), in: plot, theme)
            }
        }
    }

    /// A sign for each endpoint: which are up is seen before any number is read.
    private func drawStates(in area: Area, _ theme: Theme, on screen: inout Screen) {
        guard area.columns > 0 else { return }
        for (index, endpoint) in status.endpoints.prefix(area.columns * area.rows).enumerated() {
            let state = theme.stateGlyph(endpoint.state)
            screen.put(state, in: area, row: index / area.columns, column: index % area.columns, role: theme.role(state: endpoint.state))
        }
    }

    /// Everything in one row: the least important figures go where it is short, sparklines come where it is long.
    private func oneLine(_ figures: [Figure], columns: Int, _ theme: Theme) -> StyledLine {
        func width(_ shown: [Int], _ isShort: Bool, gap: Int) -> Int {
            shown.reduce(gap * max(0, shown.count - 1)) {
                $0 + (isShort ? figures[$1].short : figures[$1].label).count + 1 + figures[$1].value.count
            }
        }
        var shown = Array(figures.indices)
        var isShort = false
        var gap = 3
        if width(shown, false, gap: 2) > columns {
            isShort = true
            gap = 2
            while shown.count > 1, width(shown, true, gap: 1) > columns, let least = shown.min(by: { figures[$0].rank < figures[$1].rank }) {
                shown.removeAll { $0 == least }
            }
        }
        if width(shown, isShort, gap: gap) > columns { gap -= 1 }
        let spare = columns - width(shown, isShort, gap: gap)
        let hasLine = shown.filter { !figures[$0].values.isEmpty }
        let spark = hasLine.isEmpty ? 0 : min(16, spare / hasLine.count - 1)
        var line = StyledLine(theme)
        for index in shown {
            let figure = figures[index]
            if line.width > 0 { line.pad(to: line.width + gap) }
            line.add("\(isShort ? figure.short : figure.label) ", .dim)
            line.add(figure.value, figure.role)
            guard spark >= 4, !figure.values.isEmpty else { continue }
            line.add(" ")
            line.add(Sparkline.text(figure.values, columns: spark, ceiling: figure.ceiling, take: figure.take, theme), .chart)
        }
        return line
    }
}

/// Shares of a whole as text.
enum Share {
    /// `0%`, `0.3%`, `42%`, `100%`; never `100%` for less than all; `-` for what is unknown.
    static func text(_ share: Double?) -> String {
        guard let share = Resample.plain(share) else { return "-" }
        let percent = min(1, share) * 100
        if percent > 0, percent < 9.95 {
            let tenths = max(1, Int((percent * 10).rounded()))
            return tenths % 10 == 0 ? "\(tenths / 10)%" : "\(tenths / 10).\(tenths % 10)%"
        }
        return percent < 100 ? "\(min(99, Int(percent.rounded())))%" : "100%"
    }

    static func text(_ part: Double, of whole: Double) -> String { text(whole > 0 ? part / whole : nil) }
}
