// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The help: written from the key table, so that it cannot miss a key.
enum HelpPage {
    static func lines(ascii: Bool) -> [(key: String, text: String)] {
        KeyTable.bindings.map { binding in
            (binding.keys.map { KeyTable.name($0, ascii: ascii) }.joined(separator: " "), binding.help)
        } + [("y n", "Answer a question"), ("Esc", "No; close the help")]
    }

    /// Rows for its lines: all between its title and the bar.
    static func visibleRows(_ size: Size) -> Int { max(1, size.rows - (size.rows >= 8 ? 2 : 1) - 2) }
}

func drawHelp(_ model: Model, _ layout: Layout, _ theme: Theme, on screen: inout Screen) {
    screen.fill(row: layout.headerRows, role: .rule, with: theme.line)
    screen.put(" Keys ", row: layout.headerRows, column: 1, role: .activePane)
    let lines = HelpPage.lines(ascii: theme.isASCII)
    let names = lines.map { DisplayText.width($0.key) }.max() ?? 0
    let visible = HelpPage.visibleRows(screen.size)
    let offset = min(model.helpOffset, max(0, lines.count - visible))
    for (position, line) in lines.dropFirst(offset).prefix(visible).enumerated() {
        let row = layout.headerRows + 1 + position
        let indent = screen.size.columns >= 40 ? 2 : 0
        let column = screen.put(line.key, row: row, column: indent, role: .keyName)
        let text = indent + names + 2
        // On a narrow screen the text follows its key, as there is no room for two columns.
        let start = screen.size.columns >= 40 ? text : column + 1
        screen.put(DisplayText.truncate(line.text, to: screen.size.columns - start, ellipsis: theme.ellipsis), row: row, column: start)
    }
}
