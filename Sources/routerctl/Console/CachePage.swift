// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// How the cache does: what it answered and what not, why not, what it holds and what it saved. Its namespaces are the table below.
struct CachePage: Sendable {
    var cache: CacheInfo
    /// Nil from a daemon that does not tell.
    var history: HistoryInfo?

    /// Everything but the namespaces, on a page of so many rows.
    func lines(columns: Int, rows: Int, _ theme: Theme) -> [StyledLine] {
        guard columns > 0, rows > 0 else { return [] }
        // The table keeps a third of the page, and at least its title, its heading and two rows.
        let room = max(1, rows - max(4, min(cache.namespaces.count + 2, rows / 3)))
        return Array(summary(columns: columns, rows: room, theme).prefix(room))
    }

    /// The most important first: on a low screen the rest is cut.
    private func summary(columns: Int, rows: Int, _ theme: Theme) -> [StyledLine] {
        var lines = [titleLine(columns: columns, theme)]
        lines += faults(columns: columns, theme)
        guard cache.enabled else { return lines }
        let isWide = columns >= 108
        let isHalved = columns >= 66
        let width = isWide ? min(44, (columns - 2 - 3 * 4) / 4) : isHalved ? (columns - 2 - 3) / 2 : columns - 2
        let blocks = [kinds(columns: width, theme), rates(columns: width, theme), contents(theme)]
        let whyNot = reasons(theme)
        let room = rows - lines.count
        if isWide {
            lines += indented(StyledLine.beside(blocks + [whyNot], columns: width, gap: 4, theme), theme)
        } else if isHalved {
            let left = StyledLine.beside([blocks[0], blocks[1]], columns: width, gap: 3, theme)
            let below = StyledLine.beside([blocks[2], whyNot], columns: width, gap: 3, theme)
            let both = left + [StyledLine(theme)] + below
            // Rates and kinds have to do where there is no room for both halves.
            lines += indented(room < both.count ? Array((left + below).prefix(max(0, room))) : both, theme)
        } else {
            lines += indented(blocks[1] + blocks[0] + blocks[2] + whyNot, theme)
        }
        guard let history, !history.hitRate.isEmpty else { return lines }
        let height = min(12, rows - lines.count)
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
}
