// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// One column of a table: how it behaves when there is not room for all.
public struct TableColumn: Sendable {
    public var title: String
    /// Numbers stand at the right.
    public var right: Bool
    /// The narrowest it may be shrunk to; nil for a column that is never shrunk.
    public var minimum: Int?
    /// Where room is short, the column with the lowest rank goes first.
    public var rank: Int
    /// Left out where every cell is empty.
    public var hidesWhenEmpty: Bool

    public init(_ title: String, right: Bool = false, minimum: Int? = nil, rank: Int, hidesWhenEmpty: Bool = false) {
        self.title = title
        self.right = right
        self.minimum = minimum
        self.rank = rank
        self.hidesWhenEmpty = hidesWhenEmpty
    }
}

/// Which columns of a table are shown and how wide, for a given room. Used by the console and by plain tables.
public struct ColumnLayout: Sendable, Equatable {
    public struct Place: Sendable, Equatable {
        /// Index of the column.
        public var column: Int
        public var width: Int
    }

    /// The columns shown, in order.
    public var places: [Place]

    /// - Parameters:
    ///   - rows: clean texts, one for each column.
    ///   - width: columns of the terminal, of which each gap takes `gap`.
    ///   - fill: the last shrinkable column takes what room is left.
    public init(columns: [TableColumn], rows: [[String]], width: Int, gap: Int = 2, fill: Bool = false) {
        var natural = columns.map { DisplayText.width($0.title) }
        var isEmpty = [Bool](repeating: true, count: columns.count)
        for row in rows {
            for (index, cell) in row.enumerated() where !cell.isEmpty && index < natural.count {
                natural[index] = max(natural[index], DisplayText.width(cell))
                isEmpty[index] = false
            }
        }
        self.init(columns: columns, natural: natural, isEmpty: isEmpty, width: width, gap: gap, fill: fill)
    }

    /// - Parameters:
    ///   - natural: the width that each column would like to have, its title's at least.
    ///   - isEmpty: whether no cell of the column has a text.
    init(columns: [TableColumn], natural: [Int], isEmpty: [Bool], width: Int, gap: Int, fill: Bool) {
        func least(_ index: Int) -> Int {
            columns[index].minimum.map { min($0, natural[index]) } ?? natural[index]
        }
        var shown = columns.indices.filter { !(columns[$0].hidesWhenEmpty && isEmpty[$0]) }
        func needed() -> Int { shown.reduce(0) { $0 + least($1) } + gap * max(0, shown.count - 1) }
        var dropped: [Int] = []
        while shown.count > 1, needed() > width, let victim = shown.min(by: { columns[$0].rank < columns[$1].rank }) {
            shown.removeAll { $0 == victim }
            dropped.append(victim)
        }
        // Where a wide one had to go there may be room for narrow ones that went before it, without anything shrinking for them.
        var wanted = shown.reduce(0) { $0 + natural[$1] } + gap * max(0, shown.count - 1)
        for column in dropped.reversed() where wanted + gap + natural[column] <= width {
            shown.insert(column, at: shown.firstIndex { $0 > column } ?? shown.endIndex)
            wanted += gap + natural[column]
        }
        var widths = natural
        var total = shown.reduce(0) { $0 + widths[$1] } + gap * max(0, shown.count - 1)
        // The widest gives first, so that columns that have to shrink end up alike.
        while total > width {
            let widest = shown.filter { columns[$0].minimum != nil && widths[$0] > least($0) }.max { widths[$0] < widths[$1] }
            guard let widest else { break }
            widths[widest] -= 1
            total -= 1
        }
        if total > width, let only = shown.first { widths[only] = max(1, widths[only] - (total - width)) }
        if fill, total < width, let last = shown.last(where: { columns[$0].minimum != nil }) { widths[last] += width - total }
        places = shown.map { Place(column: $0, width: widths[$0]) }
    }
}
