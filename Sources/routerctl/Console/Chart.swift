// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// How one value, or two on top of each other, went over time: a title with the newest and the largest value, a plot with a labelled
/// axis, and times below. Any size: what has no room goes, the plot last.
struct Chart: Sendable {
    var title: String
    /// Oldest first; nil where nothing is known.
    var values: [Double?]
    /// Stands on top of `values`; empty for a chart of one series.
    var second: [Double?] = []
    /// Of both series, for the legend; empty for a chart of one.
    var names: [String] = []
    /// Seconds that all values together stand for.
    var spanS: Double
    /// The top of the axis; nil for a round number above the largest value.
    var ceiling: Double?
    var take = Resample.Take.mean
    var format: @Sendable (Double) -> String = Quantity.rate
    /// Whether the title tells the newest value: not for sums, whose last step is not over yet.
    var showsNewest = true

    /// The chart as lines: as many as `rows`, none wider than `columns`.
    func lines(columns: Int, rows: Int, _ theme: Theme) -> [StyledLine] {
        guard columns > 0, rows > 0 else { return [] }
        if rows == 1 { return [titleWithSparkline(columns, theme)] }
        let hasTimes = rows >= 4 && columns >= 16
        let plotRows = rows - 1 - (hasTimes ? 1 : 0)
        var labels = axisLabels(plotRows)
        var axis = (labels.map { DisplayText.width($0) }.max() ?? 0) + 1
        if columns - axis < 10 {
            axis = 0
            labels = []
        }
        let plot = plotLines(columns: columns - axis, rows: plotRows, theme)
        var lines = [titleLine(columns, theme)]
        for row in 0..<plotRows {
            var line = StyledLine(theme)
            if axis > 0 {
                let label = labels[row]
                line.add(String(repeating: " ", count: max(0, axis - 1 - DisplayText.width(label))) + label, .dim)
                line.add(theme.isASCII ? "|" : label.isEmpty ? "│" : "┤", .axis)
            }
            line.add(plot[row])
            lines.append(line)
        }
        if hasTimes { lines.append(timeLine(indent: axis, columns: columns - axis, theme)) }
        return lines.map { $0.cut(to: columns, theme) }
    }

    /// Both series together at each place.
    private var sums: [Double?] {
        guard !second.isEmpty else { return values }
        return (0..<max(values.count, second.count)).map { index in
            let first = index < values.count ? Resample.plain(values[index]) : nil
            let above = index < second.count ? Resample.plain(second[index]) : nil
            return first == nil && above == nil ? nil : (first ?? 0) + (above ?? 0)
        }
    }

    private func top(_ shown: [Double?]) -> Double {
        if let ceiling = Resample.plain(ceiling), ceiling > 0 { return max(ceiling, Resample.peak(shown)) }
        return Resample.roundCeiling(Resample.peak(shown))
    }

    /// The title, then as much of the rest as there is room for.
    private func titleLine(_ columns: Int, _ theme: Theme) -> StyledLine {
        var line = StyledLine(title, .title, theme).cut(to: columns, theme)
        let sums = sums
        if showsNewest {
            line.addIfFits(StyledLine(Resample.last(sums).map(format) ?? "-", .value, theme), columns: columns)
        }
        if sums.contains(where: { Resample.plain($0) != nil }) {
            line.addIfFits(StyledLine("peak \(format(Resample.peak(sums)))", .dim, theme), columns: columns)
        }
        for (index, name) in names.prefix(2).enumerated() {
            var part = StyledLine(index == 0 ? Self.full(theme) : Self.fullSecond(theme), index == 0 ? .chart : .chartSecond, theme)
            part.add(" \(name)", .dim)
            line.addIfFits(part, columns: columns)
        }
        return line
    }

    private func titleWithSparkline(_ columns: Int, _ theme: Theme) -> StyledLine {
        var line = titleLine(min(columns, max(columns - 10, columns / 2)), theme)
        let room = columns - line.width - 1
        if room >= 4 {
            line.add(" ")
            line.add(Sparkline.text(sums, columns: room, ceiling: ceiling, take: take, theme), .chart)
        }
        return line
    }

    /// The labels of the axis by row: its top, its middle where there is a row for it, and zero.
    private func axisLabels(_ rows: Int) -> [String] {
        guard rows > 0 else { return [] }
        let top = top(sums)
        var labels = Array(repeating: "", count: rows)
        labels[0] = format(top)
        guard rows > 1 else { return labels }
        labels[rows - 1] = format(0)
        if rows >= 5 { labels[rows / 2] = format(top / 2) }
        return labels
    }

    private static func full(_ theme: Theme) -> String { theme.isASCII ? "#" : "█" }
    /// Without colours a second series needs a look of its own.
    private static func fullSecond(_ theme: Theme) -> String { theme.isASCII ? ":" : theme.hasColours ? "█" : "░" }

    /// The plot alone.
    func plot(columns: Int, rows: Int, _ theme: Theme) -> [StyledLine] { plotLines(columns: columns, rows: rows, theme) }

    private func plotLines(columns: Int, rows: Int, _ theme: Theme) -> [StyledLine] {
        guard columns > 0, rows > 0 else { return Array(repeating: StyledLine(theme), count: max(0, rows)) }
        let first = Resample.columns(values, count: columns, take: take)
        let above = second.isEmpty ? [] : Resample.columns(second, count: columns, take: take)
        let top = top(sums)
        // Levels of a row: an eighth of it each, or a fifth in ASCII.
        let levels = Sparkline.glyphs(theme).count
        let height = rows * levels
        func level(_ value: Double) -> Int { value > 0 ? max(1, min(height, Int((value / top * Double(height)).rounded()))) : 0 }
        let bars = (0..<columns).map { column -> Bar? in
            let under = first[column]
            let over = column < above.count ? above[column] : nil
            if under == nil, over == nil { return nil }
            let lower = level(under ?? 0)
            return Bar(lower: lower, upper: min(height, max(lower, level((under ?? 0) + (over ?? 0)))))
        }
        return (0..<rows).map { row in
            let base = (rows - 1 - row) * levels
            var line = StyledLine(theme)
            var run = ""
            var role = Role.plain
            for bar in bars {
                let cell = cell(bar, base: base, levels: levels, theme)
                if cell.role != role {
                    line.add(run, role)
                    run = ""
                    role = cell.role
                }
                run += cell.text
            }
            line.add(run, role)
            return line
        }
    }

    /// The heights of one column in levels, of the first series and of both.
    private struct Bar {
        var lower: Int
        var upper: Int
    }

    private func cell(_ bar: Bar?, base: Int, levels: Int, _ theme: Theme) -> (text: String, role: Role) {
        guard let bar else { return (" ", .plain) }
        guard bar.upper > base else {
            // A measured zero is a thin line; what is not known is a gap.
            return base == 0 ? (theme.isASCII ? "_" : "▁", .axis) : (" ", .plain)
        }
        let filled = min(levels, bar.upper - base)
        let lower = max(0, min(levels, bar.lower - base))
        // A cell has one role: that of the series which has more of it.
        let isSecond = filled - lower > lower
        if isSecond, theme.isASCII || !theme.hasColours { return filled * 2 >= levels ? (Self.fullSecond(theme), .chartSecond) : (" ", .plain) }
        return (Sparkline.glyphs(theme)[filled - 1], isSecond ? .chartSecond : .chart)
    }

    /// Times below the plot: its begin, its middle, now; on a wide one the quarters too.
    private func timeLine(indent: Int, columns: Int, _ theme: Theme) -> StyledLine {
        var line = StyledLine(theme)
        line.pad(to: indent)
        let parts = columns >= 48 ? 4 : 2
        for part in 0...parts {
            let text = part == parts ? "now" : Self.ago(spanS * Double(parts - part) / Double(parts))
            let place = columns * part / parts
            let start = part == 0 ? 0 : part == parts ? columns - text.count : place - text.count / 2
            guard indent + start > line.width || part == 0, start + text.count <= columns else { continue }
            line.pad(to: indent + start)
            line.add(text, .dim)
        }
        return line
    }

    /// A time before now in a few characters: `-90s`, `-7.5m`, `-12h`, `-30d`.
    static func ago(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds > 0 else { return "now" }
        let (value, unit) =
            seconds < 120
            ? (seconds, "s") : seconds < 7200 ? (seconds / 60, "m") : seconds < 172_800 ? (seconds / 3600, "h") : (seconds / 86_400, "d")
        let tenths = Int((min(value, 1e9) * 10).rounded())
        return tenths % 10 == 0 ? "-\(tenths / 10)\(unit)" : "-\(tenths / 10).\(tenths % 10)\(unit)"
    }
}
