// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Where the cells of a table are: for drawing it, and for knowing what a click hit.
struct TablePlan {
    struct Place {
        var column: Int
        /// From the left of the area.
        var start: Int
        var width: Int
    }

    /// The marker of the selected row and the sign of a marked one.
    static let margin = 2

    var places: [Place]
    /// Of the rows that are shown, every column.
    var cells: [[ListCell]]
    /// 1 where there are column headings.
    var headingRows: Int
    /// The first row shown.
    var offset: Int

    init(_ table: AnyTable, _ state: TableState, _ context: CellContext, in area: Area) {
        headingRows = Layout.headingRows(area.rows)
        let visible = max(0, area.rows - headingRows)
        offset = max(0, min(state.offset, state.count - visible))
        let shown = state.order.dropFirst(offset).prefix(visible)
        let columns = table.columns.indices
        cells = shown.map { row in
            columns.map { column in
                let cell = table.cells[column](row, context)
                return ListCell(DisplayText.clean(cell.text, ascii: context.theme.isASCII), cell.role)
            }
        }
        let gap = area.columns >= 40 ? 2 : 1
        var natural = columns.map { DisplayText.width(table.title($0, width: area.columns)) + (state.sort == $0 ? 1 : 0) }
        var isEmpty = [Bool](repeating: true, count: natural.count)
        for column in columns {
            if let width = table.widths[column] {
                natural[column] = max(natural[column], width)
                isEmpty[column] = false
            }
            for row in cells where !row[column].text.isEmpty {
                isEmpty[column] = false
                natural[column] = max(natural[column], DisplayText.width(row[column].text))
            }
        }
        // Rows that are not on the screen count too: a column must not change its width as one scrolls.
        for column in columns where table.widths[column] == nil && (table.columns[column].minimum == nil || table.canSort[column]) {
            let length = table.lengths[column]
            for row in state.order where natural[column] < area.columns {
                if let bytes = length?(row), bytes <= natural[column] {
                    if bytes > 0 { isEmpty[column] = false }
                    continue
                }
                let text = table.cells[column](row, context).text
                if !text.isEmpty { isEmpty[column] = false }
                if text.utf8.count > natural[column] {
                    natural[column] = max(natural[column], DisplayText.width(DisplayText.clean(text, ascii: context.theme.isASCII)))
                }
            }
        }
        let layout = ColumnLayout(
            columns: table.columns, natural: natural, isEmpty: isEmpty, width: area.columns - Self.margin, gap: gap, fill: false)
        var start = Self.margin
        places = layout.places.map { place in
            defer { start += place.width + gap }
            return Place(column: place.column, start: start, width: place.width)
        }
    }

    /// The column whose heading is at the place.
    func column(at column: Int) -> Int? { places.first { column >= $0.start && column < $0.start + $0.width }?.column }
}

/// The table, drawn.
func drawTable(_ model: Model, in area: Area, _ theme: Theme, on screen: inout Screen) {
    let table = model.rows(of: model.view)
    let state = model.table
    guard state.count > 0 else {
        screen.put(emptiness(model), in: area, row: Layout.headingRows(area.rows), column: TablePlan.margin, role: .dim)
        return
    }
    let plan = TablePlan(table, state, cellContext(model, area, theme), in: area)
    for place in plan.places where plan.headingRows > 0 {
        let column = table.columns[place.column]
        let isSorted = state.sort == place.column
        let mark = isSorted ? (state.isReversed ? theme.descending : theme.ascending) : ""
        screen.put(
            clean: table.title(place.column, width: area.columns) + mark, in: area, row: 0, field: place.start, width: place.width,
            role: isSorted ? .activePane : .heading, right: column.right, ellipsis: theme.ellipsis)
    }
    for (index, cells) in plan.cells.enumerated() {
        let row = plan.headingRows + index
        let id = state.ids[plan.offset + index]
        let isMarked = state.marks.contains(id)
        for place in plan.places {
            let cell = cells[place.column]
            screen.put(
                clean: cell.text, in: area, row: row, field: place.start, width: place.width, role: isMarked ? .marked : cell.role,
                right: table.columns[place.column].right, ellipsis: theme.ellipsis)
        }
        if isMarked { screen.put(theme.mark, in: area, row: row, column: 1, role: .marked) }
        if id == state.selected, !model.isPrint {
            screen.put(theme.marker, in: area, row: row, column: 0, role: .activePane)
            screen.select(row: area.row + row)
        }
    }
}

func cellContext(_ model: Model, _ area: Area, _ theme: Theme) -> CellContext {
    CellContext(theme: theme, width: area.columns, wallS: model.wallS, slots: area.columns >= 100 ? 8 : 4)
}

/// What an empty table says.
private func emptiness(_ model: Model) -> String {
    if model.snapshot == nil { return "Waiting for routerd" }
    if model.table.total > 0 {
        return model.faultsOnly
            ? "Nothing has a fault among the \(model.table.total) (z shows all)" : "None of the \(model.table.total) fits the filter"
    }
    switch model.view {
    case .endpoints: return "No endpoints are configured"
    case .models: return "No endpoint has a model"
    case .requests: return "Nothing is in flight"
    case .queue: return "Nobody waits"
    case .cache: return model.snapshot?.status.cache.enabled == true ? "Nothing is kept" : "The cache is off"
    case .tokens: return model.tokens == nil ? "Waiting for the counts" : "No tokens were used in this time"
    case .events: return "Nothing has happened"
    }
}

/// The line above the table: its name, how many rows, and what is done to them.
func drawTitle(_ model: Model, _ layout: Layout, _ theme: Theme, on screen: inout Screen) {
    let area = layout.title
    guard !area.isEmpty else { return }
    let state = model.table
    if model.page != nil || model.opened != nil {
        let length = pageLines(model, in: layout.body, theme).count
        let last = min(length, model.pageOffset + layout.body.rows)
        let range = length > layout.body.rows ? "\(model.pageOffset + 1)-\(last) of \(length)" : ""
        screen.put(StyledLine.section(pageTitle(model, theme), range, columns: area.columns, theme), in: area, row: 0, theme)
        return
    }
    screen.fill(area, role: .rule, with: theme.line)
    let names: [View: String] = [.cache: "Namespaces", .tokens: "By model and endpoint"]
    var column = screen.put(" \(names[model.view] ?? model.view.title) ", in: area, column: 1, width: max(8, area.columns - 4), role: .activePane)
    let count = state.count == state.total ? "\(state.total)" : "\(state.count) of \(state.total)"
    let isKnown = model.view != .tokens || model.tokens != nil
    if isKnown { column = screen.put("\(count) ", in: area, column: column, role: .value) }
    var notes: [(String, Role)] = []
    if !state.filter.typed.isEmpty { notes.append(("filter \(state.filter.typed)", .warning)) }
    if model.faultsOnly { notes.append(("faults only", .warning)) }
    if model.view == .events, model.eventLevel != "debug" { notes.append(("\(model.eventLevel) and worse", .warning)) }
    if !state.marks.isEmpty { notes.append(("\(state.marks.count) marked", .marked)) }
    for (text, role) in notes {
        column = screen.put(theme.line, in: area, column: column, role: .rule)
        column = screen.put(" \(text) ", in: area, column: column, width: max(0, area.columns - column - 1), role: role)
    }
    let visible = layout.tableRows
    guard state.count > visible, visible > 0, !model.isPrint else { return }
    let range = " \(state.offset + 1)-\(min(state.count, state.offset + visible)) "
    if column + range.count < area.columns { screen.put(range, in: area, column: 1, role: .dim, right: true) }
}

private func pageTitle(_ model: Model, _ theme: Theme) -> String {
    switch model.page {
    case .help: "Keys of \(model.view.title)"
    case .model(let info): info.model
    case .text(let title, _): title
    case nil: "\(model.view.title) \(theme.angle) \(model.opened.map { DetailPage.title(model, $0) } ?? "")"
    }
}
