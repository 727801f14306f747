// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A small table of lines, for pages: columns drop and shrink by the rules of `ColumnLayout`.
struct Listing: Sendable {
    struct Cell: Sendable {
        var text: String
        var role: Role

        init(_ text: String, _ role: Role = .plain) {
            self.text = text.isEmpty ? "-" : text
            self.role = text.isEmpty ? .dim : role
        }
    }

    var columns: [TableColumn]
    var rows: [[Cell]]
    /// Blanks before each line.
    var indent = 1

    /// The heading, then a line for each row.
    func lines(columns width: Int, _ theme: Theme) -> [StyledLine] {
        let texts = rows.map { $0.map { DisplayText.clean($0.text, ascii: theme.isASCII) } }
        let gap = width >= 60 ? 2 : 1
        // What has nothing to say in any row is no column, though its cells have a dash.
        let empty = columns.indices.filter { column in columns[column].hidesWhenEmpty && rows.allSatisfy { $0[column].text == "-" } }
        let measured = empty.isEmpty ? texts : texts.map { row in row.indices.map { empty.contains($0) ? "" : row[$0] } }
        let layout = ColumnLayout(columns: columns, rows: measured, width: max(1, width - indent), gap: gap)
        func line(_ cell: (Int) -> (text: String, role: Role)) -> StyledLine {
            var line = StyledLine(theme)
            line.pad(to: indent)
            for (index, place) in layout.places.enumerated() {
                if index > 0 { line.pad(to: line.width + gap) }
                let cell = cell(place.column)
                line.add(DisplayText.pad(cell.text, to: place.width, right: columns[place.column].right, ellipsis: theme.ellipsis), cell.role)
            }
            return line.cut(to: width, theme)
        }
        let heading = line { (columns[$0].title, .heading) }
        return [heading] + rows.indices.map { row in line { (texts[row][$0], rows[row][$0].role) } }
    }
}
