// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The log: the newest event at the bottom, as in `tail -f`.
struct EventsPage: Sendable {
    /// Oldest first.
    var events: [EventInfo]
    /// Only events at least as serious; nil for all.
    var level: String?
    /// Only events that have it in their text or their facts, whatever its case; a `!` before it: only those that do not.
    var text = ""
    /// Sequence number of the selected event; nil follows the newest.
    var selected: Int?

    /// Those that are shown.
    var shown: [EventInfo] {
        let least = level.flatMap { EventInfo.levels.firstIndex(of: $0) } ?? 0
        let isInverted = text.hasPrefix("!")
        let wanted = (isInverted ? String(text.dropFirst()) : text).lowercased()
        guard least > 0 || !wanted.isEmpty else { return events }
        return events.filter { event in
            event.severity >= least && (wanted.isEmpty || Self.holds(event, wanted) != isInverted)
        }
    }

    private static func holds(_ event: EventInfo, _ text: String) -> Bool {
        event.message.lowercased().contains(text) || event.level.contains(text)
            || event.facts.contains { $0.key.lowercased().contains(text) || $0.value.lowercased().contains(text) }
    }

    func draw(in area: Area, _ theme: Theme, on screen: inout Screen) {
        guard !area.isEmpty else { return }
        let shown = shown
        let list = area.rows >= 3 ? area.rows(from: 1) : area
        if area.rows >= 3 { screen.put(title(shown, columns: area.columns, theme), in: area, row: 0, theme) }
        guard !shown.isEmpty else {
            let text = events.isEmpty ? "No events yet" : "No event of \(events.count) fits the filter"
            screen.put(text, in: list, column: 1, role: .dim)
            return
        }
        // An event that the filter hides is followed by the one after it.
        let index = selected.flatMap { wanted in shown.firstIndex { $0.sequence >= wanted } }
        let rows = Window.rows(count: shown.count, visible: list.rows, selected: index, offset: shown.count)
        // The newest stands at the bottom of a long list, and below the title while there are few.
        for (row, place) in rows.enumerated() {
            let isSelected = index == place
            screen.put(Self.line(shown[place], columns: list.columns, isSelected: isSelected, theme), in: list, row: row, theme)
            if isSelected { screen.select(row: list.row + row) }
        }
    }

    private func title(_ shown: [EventInfo], columns: Int, _ theme: Theme) -> StyledLine {
        var notes = [shown.count == events.count ? "\(events.count)" : "\(shown.count) of \(events.count)"]
        if let level, level != EventInfo.levels[0] { notes.append("\(level) and worse") }
        if !text.isEmpty { notes.append("/\(text)") }
        notes.append(selected == nil ? "following" : "held")
        return StyledLine.section("Events", notes.joined(separator: theme.separator), columns: columns, theme)
    }

    /// One event in one row: when, how serious, what, and its facts as far as there is room.
    static func line(_ event: EventInfo, columns: Int, isSelected: Bool = false, _ theme: Theme) -> StyledLine {
        var line = StyledLine(isSelected ? theme.marker : " ", .activePane, theme)
        // The date where there is room for it, else the time alone; on a phone's width the sign of the level has to do.
        if columns >= 110 {
            line.add(event.at.prefix(19).replacing("T", with: " ") + " ", .dim)
        } else if columns >= 32 {
            line.add(clock(event.at) + " ", .dim)
        }
        let role = role(event.level)
        if columns >= 50 {
            line.add(DisplayText.pad(event.level, to: 8, ellipsis: theme.ellipsis) + " ", role)
        } else {
            line.add(sign(event.level) + " ", role)
        }
        line.add(event.message, event.severity >= 3 ? role : .plain)
        for (index, fact) in facts(event).enumerated() {
            let (name, value) = fact
            line.add(index == 0 ? "  " : " ")
            line.add(name == "endpoint" ? value : "\(name)=\(value)", name == "endpoint" ? .value : .dim)
            if line.width >= columns { break }
        }
        return line.cut(to: columns, theme)
    }

    /// All of one event, wrapped, for a page of its own.
    static func detail(_ event: EventInfo, columns: Int, _ theme: Theme) -> [StyledLine] {
        var lines = StyledLine(event.message, role(event.level) == .dim ? .value : role(event.level), theme).wrapped(to: columns, theme)
        lines.append(StyledLine(theme))
        let facts = [("time", event.at), ("level", event.level), ("number", "\(event.sequence)")] + Self.facts(event)
        let width = min(16, facts.map { DisplayText.width(DisplayText.clean($0.0, ascii: theme.isASCII)) }.max() ?? 0)
        for (name, value) in facts {
            var line = StyledLine(
                DisplayText.pad(DisplayText.clean(name, ascii: theme.isASCII), to: width, ellipsis: theme.ellipsis) + "  ", .dim, theme)
            line.add(value, name == "level" ? role(value) : .plain)
            lines += line.wrapped(to: columns, indent: width + 2, theme)
        }
        return lines
    }

    /// The endpoint first, then by name.
    private static func facts(_ event: EventInfo) -> [(String, String)] {
        let others = event.facts.filter { $0.key != "endpoint" }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return event.facts["endpoint"].map { [("endpoint", $0)] + others } ?? others
    }

    static func role(_ level: String) -> Role {
        switch level {
        case "critical", "error": .bad
        case "warning": .warning
        case "notice": .good
        case "info": .plain
        default: .dim
        }
    }

    private static func sign(_ level: String) -> String {
        level.first.map { String($0).uppercased() } ?? "-"
    }

    /// Hours, minutes and seconds of an RFC 3339 time; blanks where it is none.
    static func clock(_ at: String) -> String {
        let time = at.dropFirst(11).prefix(8)
        return time.count == 8 ? String(time) : "--:--:--"
    }
}
