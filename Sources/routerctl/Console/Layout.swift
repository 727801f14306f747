// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Which rows of the screen belong to what.
public struct Layout: Equatable, Sendable {
    /// A list with its title and its column headings.
    public struct PaneRows: Equatable, Sendable {
        public var title: Int
        /// Nil where the room is too short for it.
        public var heading: Int?
        public var first: Int
        public var count: Int
    }

    public var headerRows: Int
    /// Nil where only the other pane is shown.
    public var endpoints: PaneRows?
    public var requests: PaneRows?
    /// A line about the selected row.
    public var detail: Int?
    /// The bottom row: keys, question or message.
    public var bar: Int

    public init(_ model: Model) {
        let rows = max(1, model.size.rows)
        bar = rows - 1
        headerRows = rows >= 8 ? 2 : 1
        var body = rows - headerRows - 1
        var next = headerRows
        if body >= 13 {
            detail = rows - 2
            body -= 1
        }
        // A low screen shows the pane that has the keys, and all of it.
        guard body >= 11 else {
            let heading: Int? = body >= 4 ? next + 1 : nil
            let first = next + (heading == nil ? 1 : 2)
            let only = PaneRows(title: next, heading: heading, first: first, count: max(0, headerRows + body - first))
            if model.pane == .endpoints { endpoints = only } else { requests = only }
            return
        }
        // Of no more than three fifths, and not of the number of requests: rows must not jump as requests come and go.
        let list = body - 4
        let count = min(max(1, model.endpoints.count), list * 3 / 5)
        endpoints = PaneRows(title: next, heading: next + 1, first: next + 2, count: count)
        next += 2 + count
        requests = PaneRows(title: next, heading: next + 1, first: next + 2, count: list - count)
    }

    /// How many rows of the list are shown; 0 if the pane is not.
    public func rows(of pane: Model.Pane) -> Int {
        (pane == .endpoints ? endpoints : requests)?.count ?? 0
    }

    /// Index of the first row shown, so that the selected one is among them.
    static func offset(selected: Int?, count: Int, visible: Int) -> Int {
        max(0, min((selected ?? 0) - visible / 2, count - visible))
    }
}
