// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Which part of the screen belongs to what. Parts that a low screen has no room for are empty.
public struct Layout: Equatable, Sendable {
    /// Whose picture this is and how fresh.
    public var header: Area
    /// The names of the views.
    public var tabs: Area
    /// Totals.
    public var overview: Area
    /// The table's name, filter and order.
    public var title: Area
    /// Charts of the view.
    public var charts: Area
    /// Rows of the page that the charts and the table below share.
    var chartRoom: Int
    /// Column headings and rows, or a page.
    public var body: Area
    /// More about the selected row, where the table leaves so much room.
    public var preview: Area
    /// A line about the selected row.
    public var detail: Area
    /// Keys, or a message.
    public var bar: Area

    public init(_ model: Model) {
        let screen = Area(column: 0, row: 0, columns: model.size.columns, rows: model.size.rows)
        let height = screen.rows
        var rest = screen
        func take(_ count: Int) -> Area {
            defer { rest = rest.rows(from: count) }
            return rest.rows(from: 0, count: count)
        }
        func takeLast(_ count: Int) -> Area {
            defer { rest = rest.rows(from: 0, count: rest.rows - count) }
            return rest.rows(from: rest.rows - count)
        }
        bar = takeLast(model.isPrint ? 0 : 1)
        header = take(height >= 2 ? 1 : 0)
        tabs = take(height >= 6 && !model.isPrint ? 1 : 0)
        overview = take(height >= 8 ? Self.overviewRows(model) : 0)
        let hasDetail = model.view != .cache && model.view != .tokens
        detail = takeLast(height >= 18 && hasDetail && !model.isPrint && model.opened == nil && model.page == nil ? 1 : 0)
        chartRoom = Self.chartRoom(model, rest)
        // As many as the summary takes of the room: only making it tells.
        charts = take(chartRoom > 0 ? summaryLines(model, columns: rest.columns, rows: chartRoom, Theme(hasColours: false, isASCII: true)).count : 0)
        title = take(height >= 12 ? 1 : 0)
        // A table that does not fill its room leaves the rest to the selected row.
        let needed = Layout.headingRows(rest.rows) + max(3, model.table.count) + 1
        let hasPreview = !model.isPrint && model.opened == nil && model.page == nil && rest.rows - needed >= 14
        preview = takeLast(hasPreview ? rest.rows - needed : 0)
        body = rest
    }

    /// Rows of the table that the screen has room for.
    public var tableRows: Int { max(0, body.rows - Self.headingRows(body.rows)) }

    /// Rows of a page of text.
    public var pageRows: Int { body.rows }

    static func headingRows(_ rows: Int) -> Int { rows >= 4 ? 1 : 0 }

    private static func overviewRows(_ model: Model) -> Int {
        model.isPrint ? 1 : OverviewStrip.rows(for: model.size)
    }

    private static func chartRoom(_ model: Model, _ room: Area) -> Int {
        guard model.view == .cache || model.view == .tokens, model.page == nil, model.opened == nil, room.rows >= 6 else { return 0 }
        return model.isPrint ? min(room.rows, 30) : room.rows
    }
}
