// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// How the cache does: what it answered and what not, why not, what it holds and what it saved; below, its namespaces.
struct CachePage: Sendable {
    var cache: CacheInfo
    /// Nil from a daemon that does not tell.
    var history: HistoryInfo?
    /// Namespaces as they are to be shown: filtered and sorted. Nil for those of `cache` as they are.
    var namespaces: [CacheInfo.Namespace]?
    /// Index of the selected namespace.
    var selected: Int?

    /// Draws all but the namespaces, and tells the area that is left for them.
    func drawSummary(in area: Area, _ theme: Theme, on screen: inout Screen) -> Area {
        guard !area.isEmpty else { return area }
        // The table keeps a third of the page, and at least its title, its heading and two rows.
        let count = (namespaces ?? cache.namespaces).count
        let room = max(1, area.rows - max(4, min(count + 2, area.rows / 3)))
        let lines = summary(columns: area.columns, rows: room, theme).prefix(room)
        screen.put(Array(lines), in: area, theme)
        return area.rows(from: lines.count)
    }

    func draw(in area: Area, _ theme: Theme, on screen: inout Screen) {
        let rest = drawSummary(in: area, theme, on: &screen)
        guard !rest.isEmpty else { return }
        let all = namespaces ?? cache.namespaces
        screen.put(StyledLine.section("Namespaces", "\(all.count)", columns: rest.columns, theme), in: rest, row: 0, theme)
        let list = rest.rows(from: 1)
        guard !all.isEmpty else {
            screen.put(cache.enabled ? "Nothing is kept yet" : "The cache is off", in: list, column: 1, role: .dim)
            return
        }
        let window = Window.rows(count: all.count, visible: list.rows - 1, selected: selected)
        screen.put(table(Array(all[window]), columns: list.columns, theme), in: list, theme)
        if let selected, window.contains(selected) {
            let row = 1 + selected - window.lowerBound
            screen.put(theme.marker, in: list, row: row, role: .activePane)
            screen.select(row: list.row + row)
        }
    }

    /// Everything but the namespaces as lines, the most important first: on a low screen the rest is cut, and a page that scrolls can
    /// show it all (`rows` nil).
    func summary(columns: Int, rows: Int?, _ theme: Theme) -> [StyledLine] {
        var lines = [titleLine(columns: columns, theme)]
        lines += faults(columns: columns, theme)
        guard cache.enabled else { return lines }
        let isWide = columns >= 108
        let isHalved = columns >= 66
        let width = isWide ? min(44, (columns - 2 - 3 * 4) / 4) : isHalved ? (columns - 2 - 3) / 2 : columns - 2
        let blocks = [kinds(columns: width, theme), rates(columns: width, theme), contents(theme)]
        let whyNot = reasons(theme)
        let room = rows.map { $0 - lines.count }
        if isWide {
            lines += indented(StyledLine.beside(blocks + [whyNot], columns: width, gap: 4, theme), theme)
        } else if isHalved {
            let left = StyledLine.beside([blocks[0], blocks[1]], columns: width, gap: 3, theme)
            let below = StyledLine.beside([blocks[2], whyNot], columns: width, gap: 3, theme)
            let both = left + [StyledLine(theme)] + below
            // Rates and kinds have to do where there is no room for both halves.
            lines += indented(room.map { $0 < both.count } == true ? Array((left + below).prefix(max(0, room ?? 0))) : both, theme)
        } else {
            lines += indented(blocks[1] + blocks[0] + blocks[2] + whyNot, theme)
        }
        guard let history, !history.hitRate.isEmpty else { return lines }
        let height = min(12, (rows ?? lines.count + 8) - lines.count)
        guard height >= 3 else { return lines }
        let step = history.stepS.isFinite && history.stepS > 0 ? history.stepS : 1
        let chart = Chart(
            title: "Hit rate", values: history.hitRate, spanS: step * Double(history.hitRate.count), ceiling: 1, format: { Share.text($0) })
        return lines + indented(chart.lines(columns: columns - 2, rows: height, theme), theme)
    }

    private func indented(_ lines: [StyledLine], _ theme: Theme) -> [StyledLine] {
        lines.map { line in
            var indented = StyledLine(" ", .plain, theme)
            indented.add(line)
            return indented
        }
    }

    private func titleLine(columns: Int, _ theme: Theme) -> StyledLine {
        var notes = [cache.enabled ? cache.backend.isEmpty ? "on" : cache.backend : "off"]
        if cache.enabled { notes.append(cache.semantic ? "by meaning" : "exact only") }
        return StyledLine.section("Cache", notes.joined(separator: theme.separator), columns: columns, theme)
    }

    private func faults(columns: Int, _ theme: Theme) -> [StyledLine] {
        [("store", cache.fault), ("meaning", cache.semanticFault)].filter { !$0.1.isEmpty }.flatMap { name, fault in
            StyledLine(" \(name): \(fault)", .bad, theme).wrapped(to: columns, indent: 3, theme).prefix(2)
        }
    }

    private static func sum(_ counts: [Int]) -> Double { counts.reduce(0.0) { $0 + Double(max(0, $1)) } }

    private var hits: Double { Self.sum([cache.exactHits, cache.semanticHits, cache.shared]) }

    /// What became of the requests, with the share of each.
    private func kinds(columns: Int, _ theme: Theme) -> [StyledLine] {
        let bypassed = Self.sum(Array(cache.bypasses.values))
        let looked = hits + Double(max(0, cache.misses))
        let kinds: [(String, Double, Role)] = [
            ("exact hits", Double(cache.exactHits), .good), ("by meaning", Double(cache.semanticHits), .good),
            ("shared", Double(cache.shared), .good),
            ("misses", Double(cache.misses), .plain),
        ]
        var lines = [StyledLine("SINCE THE START", .heading, theme)]
        for (name, count, role) in kinds { lines.append(Self.row(name, count, of: looked, role, columns: columns, theme)) }
        lines.append(Self.row("bypassed", bypassed, of: nil, .dim, columns: columns, theme))
        return lines
    }

    /// A name, its count and, of a whole, its share with a bar.
    private static func row(_ name: String, _ count: Double, of whole: Double?, _ role: Role, columns: Int, _ theme: Theme) -> StyledLine {
        var line = StyledLine(DisplayText.pad(DisplayText.clean(name, ascii: theme.isASCII), to: 11, ellipsis: theme.ellipsis), .dim, theme)
        line.add(DisplayText.pad(Amount.text(count), to: 7, right: true, ellipsis: theme.ellipsis), count > 0 ? .value : .dim)
        guard let whole else { return line }
        line.add(DisplayText.pad(Share.text(count, of: whole), to: 6, right: true), role)
        let bar = Gauge.bar(whole > 0 ? count / whole : nil, columns: 8, role: role == .good ? .barUsed : .chartSecond, theme)
        line.addIfFits(bar, columns: columns)
        return line
    }

    private func rates(columns: Int, _ theme: Theme) -> [StyledLine] {
        var lines = [StyledLine("HIT RATE", .heading, theme)]
        let looked = hits + Double(max(0, cache.misses))
        let all = cache.hitRates.map { ("\($0.minutes) min", $0.rate, Double($0.requests)) } + [("start", looked > 0 ? hits / looked : nil, looked)]
        for (name, rate, requests) in all {
            var line = StyledLine(DisplayText.pad(name, to: 7), .dim, theme)
            line.add(DisplayText.pad(Share.text(rate), to: 5, right: true), rate == nil ? .dim : .value)
            line.addIfFits(Gauge.bar(rate, columns: 10, theme), columns: columns)
            line.addIfFits(StyledLine("of \(Amount.text(requests))", .dim, theme), columns: columns)
            lines.append(line)
        }
        return lines
    }

    private func contents(_ theme: Theme) -> [StyledLine] {
        let facts = [
            LabelledValue("entries", Quantity.count(max(0, cache.entries))), LabelledValue("bytes", Quantity.bytes(max(0, cache.bytes))),
            LabelledValue("oldest", cache.oldestS.map { Latency.age(ms: max(0, min($0, 1_000_000_000_000)) * 1000) } ?? ""),
            LabelledValue("questions", Quantity.count(max(0, cache.vectors))),
            LabelledValue("saved", "\(Amount.text(Double(cache.tokensSaved))) tokens", .good),
            LabelledValue("", Quantity.duration(s: cache.secondsSaved) + " of work", .good),
        ]
        return [StyledLine("CONTENTS", .heading, theme)] + StyledLine.facts(facts, columns: 40, perRow: 1, theme)
    }

    /// Why requests passed the cache by, answers were not kept, and questions that were near were told apart. The most frequent first.
    private func reasons(_ theme: Theme) -> [StyledLine] {
        var lines: [StyledLine] = []
        for (title, counts) in [("BYPASSED", cache.bypasses), ("NOT KEPT", cache.notKept), ("TOLD APART", cache.guarded)] {
            let shown = counts.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            guard !shown.isEmpty else { continue }
            lines.append(StyledLine(title, .heading, theme))
            for (name, count) in shown {
                var line = StyledLine(DisplayText.pad(Amount.text(Double(count)), to: 6, right: true), .value, theme)
                line.add("  \(name)", .dim)
                lines.append(line)
            }
        }
        return lines.isEmpty ? [StyledLine("BYPASSED", .heading, theme), StyledLine("nothing", .dim, theme)] : lines
    }

    private func table(_ namespaces: [CacheInfo.Namespace], columns: Int, _ theme: Theme) -> [StyledLine] {
        let all = cache.namespaces.reduce(0.0) { $0 + Double(max(0, $1.bytes)) }
        return Listing(
            columns: [
                TableColumn("NAMESPACE", minimum: 8, rank: 60), TableColumn("MODEL", minimum: 8, rank: 90),
                TableColumn("TENANT", minimum: 6, rank: 50, hidesWhenEmpty: true), TableColumn("ENTRIES", right: true, rank: 70),
                TableColumn("BYTES", right: true, rank: 100), TableColumn("SHARE", right: true, rank: 40), TableColumn("", rank: 10),
            ],
            rows: namespaces.map { namespace in
                let bytes = Double(max(0, namespace.bytes))
                return [
                    .init(namespace.name, .dim), .init(namespace.model, .value), .init(namespace.tenant),
                    .init(Quantity.count(max(0, namespace.entries))), .init(Quantity.bytes(max(0, namespace.bytes)), .value),
                    .init(Share.text(bytes, of: all)),
                    .init(Gauge.bar(all > 0 ? bytes / all : nil, columns: columns >= 100 ? 20 : 10, theme).text, .chart),
                ]
            }
        ).lines(columns: columns, theme)
    }
}
