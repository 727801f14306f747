// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Console

/// The lines of an answer in text, as a command puts them together.
final class Page {
    /// Columns of the terminal; nil for a pipe.
    let width: Int?
    let style: Style
    private(set) var lines: [String] = []

    init(width: Int?, style: Style) {
        self.width = width
        self.style = style
    }

    var isTerminal: Bool { width != nil }

    func line(_ text: String, _ tone: Tone = .plain) {
        lines.append(isTerminal ? style.paint(DisplayText.clean(text, ascii: style.ascii), tone) : DisplayText.clean(text))
    }

    /// Columns of a pipe: each cleaned, so that a tab in a value does not make two of it.
    func line(_ columns: [String], separator: String) {
        lines.append(columns.map { DisplayText.clean($0) }.joined(separator: separator))
    }

    func blank() { lines.append("") }

    func table(_ table: TextTable) {
        lines += width.map { table.aligned(width: $0, style: style) } ?? table.separated()
    }

    /// Names and values: aligned, long values wrapped below themselves; on a pipe `name`, tab, value.
    func facts(_ facts: [(name: String, value: String, tone: Tone)]) {
        let names = facts.map { DisplayText.width($0.name) }.max() ?? 0
        for (name, value, tone) in facts {
            guard let width else {
                lines.append("\(name.lowercased().replacing(" ", with: "_"))\t\(DisplayText.clean(value))")
                continue
            }
            let label = style.paint(DisplayText.pad(name, to: names), .dim)
            let indent = String(repeating: " ", count: names + 2)
            for (index, part) in wrapped(DisplayText.clean(value, ascii: style.ascii), width: max(10, width - names - 2)).enumerated() {
                lines.append((index == 0 ? label + "  " : indent) + style.paint(part, tone))
            }
        }
    }

    func wrapped(_ text: String, width: Int) -> [String] {
        var result: [String] = []
        var current = ""
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            if !current.isEmpty, DisplayText.width(current) + 1 + DisplayText.width(String(word)) > width {
                result.append(current)
                current = String(word)
            } else {
                current = current.isEmpty ? String(word) : "\(current) \(word)"
            }
        }
        return result + [current]
    }
}
