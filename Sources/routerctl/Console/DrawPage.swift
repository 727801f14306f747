// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The help: written from the key table, so that it cannot miss a key.
enum HelpPage {
    static func lines(_ model: Model, ascii: Bool) -> [(key: String, text: String)] {
        let keys = KeyTable.bindings(in: model, page: false).map { binding in
            let refusal = model.isReadOnly && binding.changes ? " (not with --readonly)" : ""
            return (binding.keys.map { KeyTable.name($0, ascii: ascii) }.joined(separator: " "), binding.help + refusal)
        }
        return keys + [
            ("y n", "Answer a question"), ("Mouse", "Click selects, again opens; a heading sorts; a view's name goes there; the wheel scrolls"),
        ]
    }
}

extension HelpPage {
    static func styled(_ model: Model, columns: Int, _ theme: Theme) -> [StyledLine] {
        let lines = lines(model, ascii: theme.isASCII)
        let names = lines.map { DisplayText.width($0.key) }.max() ?? 0
        let isWide = columns >= 40
        return lines.flatMap { key, text in
            var line = StyledLine(isWide ? "  " : "", .plain, theme)
            line.add(key, .keyName)
            // On a narrow screen the text follows its key, as there is no room for two columns.
            if isWide { line.pad(to: names + 4) } else { line.add(" ") }
            line.add(text)
            return line.wrapped(to: columns - 1, indent: isWide ? names + 4 : 1, theme)
        }
    }
}

/// The lines of whichever page is open: the help, an answer, all about a row. Empty while the table is shown.
func pageLines(_ model: Model, in area: Area, _ theme: Theme) -> [StyledLine] {
    switch model.page {
    case .help: return HelpPage.styled(model, columns: area.columns, theme)
    case .model(let info): return TextPage.model(info, columns: area.columns, theme).lines
    case .text(_, let lines): return TextPage(title: "", text: lines.map { StyledLine($0, .plain, theme) }, columns: area.columns, theme).lines
    case nil: return model.opened.map { DetailPage.lines(model, of: $0, in: area, theme) } ?? []
    }
}

/// The page of the selected row where the table leaves room for it.
func drawPreview(_ model: Model, in area: Area, _ theme: Theme, on screen: inout Screen) {
    guard !area.isEmpty, let selected = model.table.selected else { return }
    let body = area.rows(from: 1)
    let lines = DetailPage.lines(model, of: selected, in: body, theme)
    screen.put(StyledLine.section(DetailPage.title(model, selected), columns: area.columns, theme), in: area, row: 0, theme)
    screen.put(lines, in: body, offset: 0, theme)
}
