// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Events of the log as lines: one in a row, or all of one.
enum EventLines {
    /// The facts as a person reads them, the telling ones first: `gpu-1  llama3.2:3b  4.2 s`, `gpu-2  up → down  connection refused`.
    static func summary(_ event: EventInfo, _ theme: Theme) -> String {
        var rest = event.facts
        // What was called, of an operator's change.
        var parts = ["endpoint", "model", "method"].compactMap { rest.removeValue(forKey: $0) }
        if let from = rest["from"], let to = rest["to"] {
            parts.append("\(from) \(theme.isASCII ? "->" : "→") \(to)")
            (rest["from"], rest["to"]) = (nil, nil)
        }
        if let seconds = rest.removeValue(forKey: "seconds") { parts.append("\(seconds) s") }
        parts += ["reason", "failure"].compactMap { rest.removeValue(forKey: $0) }
        if let cause = rest.removeValue(forKey: "for") { parts.append("for \(cause)") }
        // The address is the endpoint's, whose name stands before it.
        let url = rest.removeValue(forKey: "url")
        parts += rest.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        if let url { parts.append(url) }
        return parts.filter { !$0.isEmpty }.joined(separator: "  ")
    }

    /// One event in one row: when, how serious, what, and its facts as far as there is room.
    static func line(_ event: EventInfo, columns: Int, _ theme: Theme) -> StyledLine {
        var line = StyledLine(" ", .plain, theme)
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
        let facts = summary(event, theme)
        if !facts.isEmpty { line.add("  \(facts)", .dim) }
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
