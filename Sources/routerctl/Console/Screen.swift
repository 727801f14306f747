// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// How a cell looks: what it means, from which the theme makes colours, and whether its row is selected.
public struct CellStyle: Hashable, Sendable {
    public var role: Role
    public var isSelected = false
}

/// One character cell: a character with its combining marks, or the right half of the wide one before.
public struct Cell: Equatable, Sendable {
    public var text: String
    public var style: CellStyle
    /// Nothing of its own: the wide character in the cell before covers it.
    public var isCovered = false
}

/// A grid of styled cells. Whatever is put on it is cleaned and cut to the grid.
public struct Screen: Equatable, Sendable {
    public let size: Size
    /// Whether only ASCII may appear.
    public let isASCII: Bool
    public private(set) var rows: [[Cell]]

    public init(size: Size, isASCII: Bool = false) {
        self.size = size
        self.isASCII = isASCII
        let blank = Cell(text: " ", style: CellStyle(role: .plain))
        rows = Array(repeating: Array(repeating: blank, count: max(0, size.columns)), count: max(0, size.rows))
    }

    /// Writes the text and tells the column after it.
    @discardableResult
    public mutating func put(_ text: String, row: Int, column: Int, role: Role = .plain) -> Int {
        guard rows.indices.contains(row), column >= 0 else { return column }
        let style = CellStyle(role: role)
        var column = column
        for scalar in DisplayText.clean(text, ascii: isASCII).unicodeScalars {
            let width = DisplayText.width(of: scalar)
            if width == 0 {
                // Some marks on a character are language; hundreds are an attack on the terminal.
                let base = rows[row][..<min(column, size.columns)].lastIndex { !$0.isCovered }
                if let base, rows[row][base].text.unicodeScalars.count < 4 { rows[row][base].text.unicodeScalars.append(scalar) }
                continue
            }
            guard column + width <= size.columns else { break }
            rows[row][column] = Cell(text: String(scalar), style: style)
            if width == 2 { rows[row][column + 1] = Cell(text: "", style: style, isCovered: true) }
            column += width
        }
        return column
    }

    /// Marks a whole row as selected.
    public mutating func select(row: Int) {
        guard rows.indices.contains(row) else { return }
        for column in rows[row].indices { rows[row][column].style.isSelected = true }
    }

    public mutating func fill(row: Int, role: Role, with text: String = " ") {
        guard rows.indices.contains(row) else { return }
        put(String(repeating: text, count: size.columns), row: row, column: 0, role: role)
    }

    /// The rows as text, without blanks at their ends.
    public var lines: [String] {
        rows.map { row in
            let text = row.map(\.text).joined()
            return text.lastIndex { $0 != " " }.map { String(text[...$0]) } ?? ""
        }
    }
}
