// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Text that is scrolled: made once for a width, drawn often.
struct TextPage: Sendable {
    var title: String
    var lines: [StyledLine]

    /// - Parameter text: lines; those that are longer than `columns` are broken, and what continues one is indented.
    init(title: String, text: [StyledLine], columns: Int, _ theme: Theme) {
        self.title = title
        lines = text.flatMap { line in
            let indent = line.spans.first.map { $0.text.prefix { $0 == " " }.count } ?? 0
            return line.wrapped(to: columns - 1, indent: indent + 2, theme)
        }
    }

    /// Rows of the text that an area shows.
    static func visibleRows(_ area: Area) -> Int { max(0, area.rows - 1) }

    /// The largest offset that still fills the area.
    func lastOffset(in area: Area) -> Int { max(0, lines.count - Self.visibleRows(area)) }

    func draw(in area: Area, offset: Int = 0, _ theme: Theme, on screen: inout Screen) {
        guard !area.isEmpty else { return }
        let visible = Self.visibleRows(area)
        let offset = max(0, min(offset, lastOffset(in: area)))
        let note = lines.count > visible ? "\(offset + 1)-\(offset + visible) of \(lines.count)" : ""
        screen.put(StyledLine.section(title, note, columns: area.columns, theme), in: area, row: 0, theme)
        screen.put(lines, in: area.rows(from: 1).columns(from: 1), offset: offset, theme)
    }

    /// What `model.show` answers: where it comes from, then the details with their names coloured.
    static func model(_ info: ModelActionInfo, columns: Int, _ theme: Theme) -> TextPage {
        var text: [StyledLine] = []
        for outcome in info.outcomes {
            var line = StyledLine("endpoint ", .dim, theme)
            line.add(outcome.endpoint, .value)
            if !outcome.failure.isEmpty { line.add(" \(outcome.failure)", .bad) }
            text.append(line)
        }
        if let details = info.details {
            text.append(StyledLine(theme))
            text += JSONLines.lines(details, theme)
        } else {
            text.append(StyledLine("The endpoint tells nothing about it", .dim, theme))
        }
        return TextPage(title: info.model, text: text, columns: columns, theme)
    }

    /// What a reload changes or would change: what comes is good, what goes is bad, the rest is changed.
    static func reload(_ info: ReloadInfo, columns: Int, _ theme: Theme) -> TextPage {
        var text = info.changes.map { change($0, theme) }
        if !info.needsRestart.isEmpty {
            if !text.isEmpty { text.append(StyledLine(theme)) }
            text.append(StyledLine("In force only after a restart:", .warning, theme))
            text += info.needsRestart.map { change($0, theme) }
        }
        if text.isEmpty { text = [StyledLine("Nothing is different", .dim, theme)] }
        return TextPage(title: info.applied ? "What the reload changed" : "What a reload would change", text: text, columns: columns, theme)
    }

    private static func change(_ text: String, _ theme: Theme) -> StyledLine {
        let words = text.lowercased().split(separator: " ")
        let isAdded = text.hasPrefix("+") || words.contains { $0 == "added" || $0 == "new" }
        let isRemoved = text.hasPrefix("-") || words.contains { $0 == "removed" || $0 == "gone" }
        let role: Role = isRemoved ? .bad : isAdded ? .good : .warning
        var line = StyledLine(isRemoved ? "- " : isAdded ? "+ " : "~ ", role, theme)
        // The sign is there once only.
        let hasSign = text.hasPrefix("+ ") || text.hasPrefix("- ") || text.hasPrefix("~ ")
        line.add(hasSign ? String(text.dropFirst(2)) : text, isRemoved || isAdded ? role : .plain)
        return line
    }
}
