// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A rectangle of the screen, in character cells. What is drawn into one never leaves it.
public struct Area: Equatable, Sendable {
    public var column: Int
    public var row: Int
    public var columns: Int
    public var rows: Int

    /// A negative extent is none.
    public init(column: Int, row: Int, columns: Int, rows: Int) {
        self.column = column
        self.row = row
        self.columns = max(0, columns)
        self.rows = max(0, rows)
    }

    public var isEmpty: Bool { columns == 0 || rows == 0 }
    /// The first column at the right that is not in it.
    public var endColumn: Int { column + columns }
    /// The first row below that is not in it.
    public var endRow: Int { row + rows }

    /// The rows from `first` on, counted from the top of this area: `count` of them, or all that are left.
    public func rows(from first: Int, count: Int? = nil) -> Area {
        let first = min(max(0, first), rows)
        return Area(column: column, row: row + first, columns: columns, rows: min(count ?? rows, rows - first))
    }

    /// The columns from `first` on, counted from the left of this area: `count` of them, or all that are left.
    public func columns(from first: Int, count: Int? = nil) -> Area {
        let first = min(max(0, first), columns)
        return Area(column: column + first, row: row, columns: min(count ?? columns, columns - first), rows: rows)
    }

    public func contains(column: Int, row: Int) -> Bool {
        (self.column..<endColumn).contains(column) && (self.row..<endRow).contains(row)
    }
}

/// Drawing inside an area: rows and columns count from its upper left corner.
extension Screen {
    /// The whole screen.
    public var area: Area { Area(column: 0, row: 0, columns: size.columns, rows: size.rows) }

    /// Writes the text, cut with an ellipsis where the area ends, and tells the column after it.
    ///
    /// - Parameters:
    ///   - column: where it begins; the cell that it ends before, counted from the area's right, if `right`.
    ///   - width: columns that it may take at most; nil for all up to the area's end.
    @discardableResult
    public mutating func put(
        _ text: String, in area: Area, row: Int = 0, column: Int = 0, width: Int? = nil, role: Role = .plain, right: Bool = false
    ) -> Int {
        let room = min(area.columns - column, width ?? .max)
        guard (0..<area.rows).contains(row), column >= 0, room > 0 else { return column }
        let text = DisplayText.truncate(DisplayText.clean(text, ascii: isASCII), to: room, ellipsis: isASCII ? ".." : "…")
        let start = right ? area.endColumn - column - DisplayText.width(text) : area.column + column
        return put(clean: text, row: area.row + row, column: start, role: role) - area.column
    }

    /// Writes a clean text into a field of the area, with blanks of its role where it is shorter, cut with an ellipsis where it is longer.
    mutating func put(
        clean text: String, in area: Area, row: Int, field column: Int, width: Int, role: Role, right: Bool, ellipsis: String
    ) {
        let width = min(width, area.columns - column)
        guard (0..<area.rows).contains(row), column >= 0, width > 0 else { return }
        let text = DisplayText.truncate(text, to: width, ellipsis: ellipsis)
        let used = DisplayText.width(text)
        let (row, start) = (area.row + row, area.column + column)
        let blanks = right ? start..<start + width - used : start + used..<start + width
        blank(row: row, columns: blanks, role: role)
        put(clean: text, row: row, column: right ? blanks.upperBound : start, role: role)
    }

    /// Writes cells of which each has a role of its own, such as those of a gauge: `cells` of one column each.
    @discardableResult
    public mutating func put(_ cells: [(text: String, role: Role)], in area: Area, row: Int = 0, column: Int = 0) -> Int {
        var column = column
        for cell in cells { column = put(cell.text, in: area, row: row, column: column, role: cell.role) }
        return column
    }

    /// Fills the area with a character of one column.
    public mutating func fill(_ area: Area, role: Role, with text: String = " ") {
        let line = String(repeating: text, count: area.columns)
        for row in 0..<area.rows { put(line, in: area, row: row, role: role) }
    }
}
