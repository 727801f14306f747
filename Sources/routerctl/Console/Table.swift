// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// One cell of a table.
public struct ListCell: Sendable {
    public var text: String
    public var role: Role

    public init(_ text: String, _ role: Role = .plain) {
        self.text = text
        self.role = role
    }
}

/// What cells need to know beside their row.
struct CellContext {
    var theme: Theme
    /// Columns of the table's area.
    var width: Int
    /// Seconds since 1970.
    var wallS: Int
    /// Cells of a bar of slots. The same whatever is loaded: with the bars the columns after them would move.
    var slots: Int
}

/// One column of a table: its looks, its order and its cells.
struct Column<Row>: Sendable {
    var column: TableColumn
    /// What its heading says on a table that is narrower than so many columns.
    var short: (below: Int, title: String)?
    /// The least width, for what changes all the time: a table whose columns move with every digit cannot be read.
    var width: Int?
    /// Whether a row goes before another; nil where nobody sorts by it.
    var precedes: (@Sendable (Row, Row) -> Bool)?
    /// A stored text that no cell is longer than: so that the width of a column is known without making the cells of all rows.
    var bound: (any KeyPath<Row, String> & Sendable)?
    var cell: @Sendable (Row, CellContext) -> ListCell

    /// A column of text, as wide as its widest cell.
    static func text(
        _ title: String, minimum: Int? = nil, width: Int? = nil, rank: Int, hidesWhenEmpty: Bool = false, short: (below: Int, title: String)? = nil,
        by value: (@Sendable (Row) -> String)? = nil, bound: (any KeyPath<Row, String> & Sendable)? = nil,
        cell: @escaping @Sendable (Row, CellContext) -> ListCell
    ) -> Column {
        var precedes: (@Sendable (Row, Row) -> Bool)?
        if let value { precedes = { left, right in value(left) < value(right) } }
        return Column(
            column: TableColumn(title, minimum: minimum, rank: rank, hidesWhenEmpty: hidesWhenEmpty), short: short, width: width, precedes: precedes,
            bound: bound, cell: cell)
    }

    /// A column of a text as it is, or less of it; where there is none, a cell may say so in one column.
    static func text(
        _ title: String, minimum: Int? = nil, rank: Int, hidesWhenEmpty: Bool = false, of path: any KeyPath<Row, String> & Sendable,
        cell: @escaping @Sendable (Row, CellContext) -> ListCell
    ) -> Column {
        text(title, minimum: minimum, rank: rank, hidesWhenEmpty: hidesWhenEmpty, by: { $0[keyPath: path] }, bound: path, cell: cell)
    }

    /// A column of numbers of a fixed width. `by` nil sorts to the end.
    static func number(
        _ title: String, width: Int, rank: Int, hidesWhenEmpty: Bool = false, by value: @escaping @Sendable (Row) -> Double?,
        cell: @escaping @Sendable (Row, CellContext) -> ListCell
    ) -> Column {
        Column(
            column: TableColumn(title, right: true, rank: rank, hidesWhenEmpty: hidesWhenEmpty), width: max(width, title.count),
            precedes: { (value($0) ?? -.infinity) < (value($1) ?? -.infinity) }, cell: cell)
    }
}

/// The table of a view with its rows: what the generic parts (order, filter, drawing) need to know of it.
struct AnyTable {
    var columns: [TableColumn]
    /// Of columns with a fixed width.
    var widths: [Int?]
    var shorts: [(below: Int, title: String)?]
    var canSort: [Bool]
    var count: Int
    /// Whether the newest row is at the top and a selection there stays at the top.
    var followsTop: Bool
    var id: (Int) -> String
    /// What a filter looks into.
    var words: (Int) -> [String]
    var isFault: (Int) -> Bool
    /// The order of a column.
    var precedes: (Int) -> (Int, Int) -> Bool
    /// By column, then by row.
    var cells: [(Int, CellContext) -> ListCell]
    /// By column, then by row: how many bytes the text of a cell has at most; nil where only making it tells.
    var lengths: [((Int) -> Int)?]

    init<Row>(
        _ rows: [Row], columns: [Column<Row>], followsTop: Bool = false, id: @escaping (Row) -> String, words: @escaping (Row) -> [String],
        isFault: @escaping (Row) -> Bool
    ) {
        self.columns = columns.map(\.column)
        widths = columns.map(\.width)
        shorts = columns.map(\.short)
        canSort = columns.map { $0.precedes != nil }
        count = rows.count
        self.followsTop = followsTop
        self.id = { id(rows[$0]) }
        self.words = { words(rows[$0]) }
        self.isFault = { isFault(rows[$0]) }
        precedes = { column in
            guard let precedes = columns[column].precedes else { return { $0 < $1 } }
            return { precedes(rows[$0], rows[$1]) }
        }
        cells = columns.map { column in
            let cell = column.cell
            return { cell(rows[$0], $1) }
        }
        lengths = columns.map { column in
            guard let bound = column.bound, let offset = MemoryLayout<Row>.offset(of: bound) else { return nil }
            return { row in
                rows.withUnsafeBytes { bytes in
                    let text = bytes.baseAddress?.advanced(by: row * MemoryLayout<Row>.stride + offset)
                    return text?.assumingMemoryBound(to: String.self).pointee.utf8.count ?? 0
                }
            }
        }
    }

    /// The heading of a column on a table of so many columns.
    func title(_ column: Int, width: Int) -> String {
        if let short = shorts[column], width < short.below { return short.title }
        return columns[column].title
    }

    /// Columns that can be sorted by.
    var sortable: [Int] { columns.indices.filter { canSort[$0] } }
}

extension Model {
    /// The table of a view. Cheap: rows are made into cells only where they are shown.
    func rows(of view: View) -> AnyTable {
        switch view {
        case .endpoints: EndpointTable.table(endpoints)
        case .models: ModelTable.table(models)
        case .requests: RequestTable.table(requests)
        case .queue: QueueTable.table(queue)
        case .cache: NamespaceTable.table(namespaces)
        case .tokens: TokenTable.table(tokens?.rows ?? [])
        case .events: EventTable.table(events, level: eventLevel)
        }
    }
}
