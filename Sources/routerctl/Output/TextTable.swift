// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol
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
    /// How many of the columns, from the first, are shown where none is chosen.
    private var usual: Int

    /// - Parameters:
    ///   - columns: shown where the room is there.
    ///   - more: shown only where `--format` names them. Their cells follow those of `columns`.
    init(_ columns: [TableColumn], more: [String] = []) {
        self.columns = columns + more.map { TableColumn($0, rank: 0) }
        usual = columns.count
    }

    /// The names of all columns, as `--format` and the first line on a pipe spell them.
    var columnNames: [String] { columns.map { $0.title.lowercased().replacing(" ", with: "_") } }

    /// The first column: what identifies a row.
    var names: [String] {
        var seen: Set<String> = []
        return rows.compactMap { $0.first?.text }.filter { seen.insert($0).inserted }
    }

    /// The columns that `list` names, in its order. None of them is left out on a narrow terminal: they shrink.
    func choosing(_ list: String) throws(Failure) -> TextTable {
        let known = columnNames
        var places: [Int] = []
        for part in list.split(separator: ",", omittingEmptySubsequences: false) {
            let name = part.filter { !$0.isWhitespace }.lowercased()
            guard let place = known.firstIndex(of: name) else {
                let near = Suggestion.nearest(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
                throw Failure(
                    status: .usage, code: "usage", message: "there is no column '\(name)'\(near)",
                    advice: ["Columns: \(known.joined(separator: ", "))"])
            }
            places.append(place)
        }
        var table = TextTable(
            places.map { place in
                var column = columns[place]
                column.hidesWhenEmpty = false
                column.minimum = 1
                return column
            })
        table.rows = rows.map { row in places.map { row[$0] } }
        return table
    }

    /// Without the columns that have to be asked for.
    private var shown: TextTable {
        guard usual < columns.count else { return self }
        var table = TextTable(Array(columns.prefix(usual)))
        table.rows = rows.map { Array($0.prefix(usual)) }
        return table
    }

    /// Tab-separated, a line with the titles first. No column is left out and no value cut.
    func separated() -> [String] {
        let table = shown
        return [table.columnNames.joined(separator: "\t")]
            + table.rows.map { row in row.map { DisplayText.clean($0.text) }.joined(separator: "\t") }
    }

    func aligned(width: Int, style: Style) -> [String] {
        let (columns, rows) = (shown.columns, shown.rows)
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
