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
        return put(clean: DisplayText.clean(text, ascii: isASCII), row: row, column: column, role: role)
    }

    /// As `put(_:row:column:role:)`, for a text that `DisplayText.clean` has cleaned already.
    @discardableResult
    mutating func put(clean text: String, row: Int, column: Int, role: Role) -> Int {
        guard rows.indices.contains(row), column >= 0 else { return column }
        let style = CellStyle(role: role)
        var column = column
        if let count = putPlain(text, row: row, column: column, style) { return column + count }
        for scalar in text.unicodeScalars {
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

    /// The common case: a text of which each byte is a character of one column. Tells how many there was room for, or nil if it is none.
    private mutating func putPlain(_ text: String, row: Int, column: Int, _ style: CellStyle) -> Int? {
        let signs = Self.signs
        let room = max(0, size.columns - column)
        return text.utf8.withContiguousStorageIfAvailable { bytes -> Int? in
            guard DisplayText.isPlain(bytes) else { return nil }
            let count = min(bytes.count, room)
            rows[row].withUnsafeMutableBufferPointer { cells in
                for index in 0..<count { cells[column + index] = Cell(text: signs[Int(bytes[index])], style: style) }
            }
            return count
        } ?? nil
    }

    /// A text for each byte below 128: made once, as a frame has thousands.
    private static let signs = (0..<128).map { String(Unicode.Scalar(UInt8($0))) }

    /// Fills the cells of a row with blanks.
    mutating func blank(row: Int, columns: Range<Int>, role: Role) {
        guard rows.indices.contains(row) else { return }
        let cell = Cell(text: " ", style: CellStyle(role: role))
        for column in columns.clamped(to: 0..<max(0, size.columns)) { rows[row][column] = cell }
    }

    /// Marks a whole row as selected.
    public mutating func select(row: Int) {
        guard rows.indices.contains(row) else { return }
        for column in rows[row].indices { rows[row][column].style.isSelected = true }
    }

    /// The rows as text, without blanks at their ends.
    public var lines: [String] {
        rows.map { row in
            let text = row.map(\.text).joined()
            return text.lastIndex { $0 != " " }.map { String(text[...$0]) } ?? ""
        }
    }
}
