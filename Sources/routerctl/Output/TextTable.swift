// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Console

/// A table of text: aligned columns that fit a terminal, or tab-separated whole values for a pipe.
struct TextTable {
    struct Cell {
        var text: String
        var tone: Tone = .plain

        init(_ text: String, _ tone: Tone = .plain) {
            self.text = text
            self.tone = tone
        }
    }

    var columns: [TableColumn]
    var rows: [[Cell]] = []

    init(_ columns: [TableColumn]) { self.columns = columns }

    /// Tab-separated, a line with the titles first. No column is left out and no value cut.
    func separated() -> [String] {
        let titles = columns.map { $0.title.lowercased().replacing(" ", with: "_") }
        return [titles.joined(separator: "\t")]
            + rows.map { row in row.map { DisplayText.clean($0.text) }.joined(separator: "\t") }
    }

    func aligned(width: Int, style: Style) -> [String] {
        let clean = rows.map { $0.map { DisplayText.clean($0.text, ascii: style.ascii) } }
        let layout = ColumnLayout(columns: columns, rows: clean, width: width)
        let last = layout.places.last?.column
        func line(_ cell: (Int) -> (String, Tone)) -> String {
            let line = layout.places.map { place in
                let (text, tone) = cell(place.column)
                let column = columns[place.column]
                // No blanks at the end of a line: they wrap on a narrow terminal and spoil a copied text.
                let padded =
                    place.column == last && !column.right
                    ? DisplayText.truncate(text, to: place.width, ellipsis: style.ellipsis)
                    : DisplayText.pad(text, to: place.width, right: column.right, ellipsis: style.ellipsis)
                return style.paint(padded, tone)
            }.joined(separator: "  ")
            return line.lastIndex { $0 != " " }.map { String(line[...$0]) } ?? ""
        }
        return [line { (columns[$0].title, .heading) }]
            + zip(rows, clean).map { row, texts in line { (texts[$0], row[$0].tone) } }
    }
}
