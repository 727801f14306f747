// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The whole screen for a model. Pure.
public func draw(_ model: Model, theme: Theme) -> Screen {
    var screen = Screen(size: model.size, isASCII: theme.isASCII)
    guard model.size.columns > 0, model.size.rows > 0 else { return screen }
    let layout = Layout(model)
    if model.size.rows > 1 { drawHeader(model, layout, theme, on: &screen) }
    if model.showsHelp {
        drawHelp(model, layout, theme, on: &screen)
    } else {
        if let pane = layout.endpoints { drawEndpoints(model, pane, theme, on: &screen) }
        if let pane = layout.requests { drawRequests(model, pane, theme, on: &screen) }
        if let row = layout.detail { drawDetail(model, row: row, theme, on: &screen) }
    }
    drawBar(model, row: layout.bar, theme, on: &screen)
    return screen
}

/// A list's title line: its name and number of rows, then a rule.
func drawTitle(_ name: String, count: Int, isActive: Bool, row: Int, _ theme: Theme, on screen: inout Screen) {
    screen.fill(row: row, role: .rule, with: theme.line)
    screen.put(" \(name) \(count) ", row: row, column: 1, role: isActive ? .activePane : .idlePane)
}

/// One cell of a list.
struct ListCell {
    var text: String
    var role: Role = .plain
}

/// A list: headings, and those rows that fit, with the selected one among them.
func drawList(
    columns: [TableColumn], rows: [[ListCell]], selected: Int?, isActive: Bool, pane: Layout.PaneRows, _ theme: Theme, on screen: inout Screen
) {
    let rows = rows.map { $0.map { ListCell(text: DisplayText.clean($0.text, ascii: theme.isASCII), role: $0.role) } }
    // Columns 0 and 1 are the marker of the selected row.
    let width = screen.size.columns - 2
    let gap = width >= 110 ? 3 : width >= 40 ? 2 : 1
    let layout = ColumnLayout(columns: columns, rows: rows.map { $0.map(\.text) }, width: width, gap: gap)
    func line(_ row: Int, _ cell: (Int) -> ListCell) {
        var column = 2
        for place in layout.places {
            let content = cell(place.column)
            let text = DisplayText.pad(content.text, to: place.width, right: columns[place.column].right, ellipsis: theme.ellipsis)
            screen.put(text, row: row, column: column, role: content.role)
            column += place.width + gap
        }
    }
    if let heading = pane.heading { line(heading) { ListCell(text: columns[$0].title, role: .heading) } }
    let offset = Layout.offset(selected: selected, count: rows.count, visible: pane.count)
    if rows.count > pane.count, pane.count > 0 {
        let range = " \(offset + 1)-\(offset + pane.count) of \(rows.count) "
        screen.put(range, row: pane.title, column: max(16, screen.size.columns - range.count - 1), role: .dim)
    }
    for (position, index) in (offset..<max(offset, min(rows.count, offset + pane.count))).enumerated() {
        let row = pane.first + position
        line(row) { rows[index][$0] }
        guard index == selected else { continue }
        screen.put(theme.marker, row: row, column: 0, role: isActive ? .activePane : .idlePane)
        if isActive { screen.select(row: row) }
    }
}
