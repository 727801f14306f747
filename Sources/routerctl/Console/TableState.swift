// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Where the operator is in one table: selection, marks, sort order, filter. Rows are known by name and not by position, so that
/// all of it stays with its row when others come and go.
public struct TableState: Equatable, Sendable {
    public struct Filter: Equatable, Sendable {
        /// In lower case; empty for all rows.
        public var text = ""
        public var isInverted = false

        public init() {}

        /// As typed: a `!` at the beginning shows the rows that do not have it.
        public init(typed: String) {
            isInverted = typed.hasPrefix("!")
            text = (isInverted ? String(typed.dropFirst()) : typed).lowercased()
        }

        public var typed: String { (isInverted ? "!" : "") + text }

        func accepts(_ words: [String]) -> Bool {
            text.isEmpty || Self.holds(words, text) != isInverted
        }

        static func holds(_ words: [String], _ text: String) -> Bool {
            words.contains { $0.lowercased().contains(text) }
        }
    }

    public var selected: String?
    public var marks: Set<String> = []
    /// The column sorted by; nil for the daemon's order.
    public var sort: Int?
    public var isReversed = false
    public var filter = Filter()
    /// Rows that are shown, as indices into the view's rows, in the order shown.
    public private(set) var order: [Int] = []
    /// Their names, in the same order.
    public private(set) var ids: [String] = []
    /// Of all rows, shown or not.
    public private(set) var total = 0
    /// Where the selected row is among those shown.
    public private(set) var position = 0
    /// The first row on the screen.
    public var offset = 0

    public init() {}

    public var count: Int { ids.count }

    /// Puts the rows into order. A selected row that is gone gives the selection to the one in its place.
    mutating func arrange(_ table: AnyTable, faultsOnly: Bool) {
        total = table.count
        order = (0..<table.count).filter { (!faultsOnly || table.isFault($0)) && (filter.text.isEmpty || filter.accepts(table.words($0))) }
        if let sort, table.columns.indices.contains(sort) {
            let precedes = table.precedes(sort)
            // Equal rows keep their order: without that they would dance from one snapshot to the next.
            order.sort { left, right in
                if isReversed ? precedes(right, left) : precedes(left, right) { return true }
                if isReversed ? precedes(left, right) : precedes(right, left) { return false }
                return left < right
            }
        } else if isReversed {
            order.reverse()
        }
        ids = order.map(table.id)
        if !marks.isEmpty { marks.formIntersection((0..<table.count).map(table.id)) }
        let isAtTop = position == 0 && offset == 0
        if let selected, !(table.followsTop && isAtTop), let index = ids.firstIndex(of: selected) {
            position = index
        } else {
            select(table.followsTop && isAtTop ? 0 : position)
        }
    }

    /// Selects the row at the place, or the last one where there are not so many.
    mutating func select(_ place: Int) {
        position = max(0, min(place, ids.count - 1))
        selected = ids.isEmpty ? nil : ids[position]
    }

    /// Scrolls so that the selected row is among the `visible`.
    mutating func reveal(visible: Int) {
        offset = min(offset, position)
        if visible > 0, position >= offset + visible { offset = position - visible + 1 }
        offset = max(0, min(offset, ids.count - visible))
    }

    /// The marked rows in the order shown, or the selected one.
    var targets: [String] {
        let marked = ids.filter(marks.contains)
        return marked.isEmpty ? [selected].compactMap { $0 } : marked
    }
}
