// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Pages of text: what the daemon or an endpoint said, broken into lines.
enum TextPage {
    /// Lines that are longer than `columns` are broken, and what continues one is indented.
    static func lines(_ text: [StyledLine], columns: Int, _ theme: Theme) -> [StyledLine] {
        text.flatMap { line in
            let indent = line.spans.first.map { $0.text.prefix { $0 == " " }.count } ?? 0
            return line.wrapped(to: columns - 1, indent: indent + 2, theme)
        }
    }

    /// What `model.show` answers: where it comes from, then the details with their names coloured.
    static func model(_ info: ModelActionInfo, columns: Int, _ theme: Theme) -> [StyledLine] {
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
        return lines(text, columns: columns, theme)
    }
}
