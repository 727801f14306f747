// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Moving about: views, rows, pages, filters, order, the mouse.
extension Model {
    /// Puts the rows of the shown view into order. Only that one: the others are when they are shown.
    mutating func arrange() {
        var state = table
        state.arrange(rows(of: view), faultsOnly: faultsOnly)
        table = state
        reveal()
    }

    /// Scrolls so that the selected row is on the screen.
    mutating func reveal() {
        let visible = Layout(self).tableRows
        table.reveal(visible: visible)
        if page != nil || opened != nil { pageOffset = max(0, min(pageOffset, pageLength - Layout(self).pageRows)) }
    }

    /// Lines of the page that is open.
    var pageLength: Int { pageLines(self, in: Layout(self).body, Theme(hasColours: true, isASCII: false)).count }

    mutating func move(by step: Int) {
        if page != nil || opened != nil {
            pageOffset = max(0, min(pageOffset + step, pageLength - Layout(self).pageRows))
        } else {
            table.select(max(0, min(table.position + step, table.count - 1)))
            reveal()
        }
    }

    mutating func go(to view: View) {
        page = nil
        opened = nil
        pageOffset = 0
        self.view = view
        arrange()
    }

    mutating func open() {
        guard page == nil, let selected = table.selected else { return }
        opened = selected
        pageOffset = 0
    }

    /// One step back: the page, the row's page, the marks, the filter.
    mutating func back() {
        pageOffset = 0
        if page != nil {
            page = nil
        } else if opened != nil {
            opened = nil
            reveal()
        } else if !table.marks.isEmpty {
            table.marks = []
        } else {
            table.filter = .init()
            faultsOnly = false
            arrange()
        }
    }

    mutating func mark() {
        guard page == nil, let selected = table.selected else { return }
        if table.marks.remove(selected) == nil { table.marks.insert(selected) }
        move(by: 1)
    }

    mutating func openSortChooser() {
        guard page == nil else { return }
        let sortable = rows(of: view).sortable
        dialog = .sort(place: table.sort.flatMap { sortable.firstIndex(of: $0) }.map { $0 + 1 } ?? 0)
    }

    /// Sorts by a column: numbers from the largest on, as that is what one looks for. Again: the other way round.
    mutating func sort(by column: Int?) {
        if let column, table.sort == column {
            table.isReversed.toggle()
        } else {
            table.sort = column
            table.isReversed = column.map { rows(of: view).columns[$0].right } ?? false
        }
        arrange()
    }

    /// Selects the next row that has the text, `step` rows from the selected one on, round the end.
    mutating func search(_ text: String, from step: Int) {
        searched = text
        guard !text.isEmpty, table.count > 0 else { return }
        let all = rows(of: view)
        for distance in step..<(table.count + step) {
            let place = (table.position + distance) % table.count
            if TableState.Filter.holds(all.words(table.order[place]), text.lowercased()) {
                table.select(place)
                reveal()
                return
            }
        }
        refuse("No row has \(text)")
    }

    mutating func refuse(_ text: String) { message = .init(text: text, isError: true, sinceMs: nowMs) }

    mutating func tell(_ text: String) { message = .init(text: text, isError: false, sinceMs: nowMs) }
}

/// What the mouse does.
func update(_ model: inout Model, _ mouse: Mouse) -> [Effect] {
    switch mouse {
    case .wheel(let rows):
        if case .question(var question)? = model.dialog {
            question.scroll(by: rows, size: model.size)
            model.dialog = .question(question)
        } else if model.dialog == nil {
            model.move(by: rows)
        }
    case .click(let column, let row):
        // A click beside a question is a slip, and no answer.
        guard model.dialog == nil else { break }
        model.message = nil
        click(&model, column: column, row: row)
    }
    return []
}

private func click(_ model: inout Model, column: Int, row: Int) {
    let layout = Layout(model)
    if layout.tabs.contains(column: column, row: row) {
        let tabs = TabLine.tabs(model, columns: layout.tabs.columns)
        if let tab = tabs.first(where: { column >= $0.start && column < $0.start + $0.text.count }) { model.go(to: tab.view) }
        return
    }
    guard layout.body.contains(column: column, row: row), model.page == nil, model.opened == nil else { return }
    let plan = TablePlan(
        model.rows(of: model.view), model.table, cellContext(model, layout.body, Theme(hasColours: true, isASCII: false)), in: layout.body)
    let line = row - layout.body.row - plan.headingRows
    if line < 0 {
        if let column = plan.column(at: column - layout.body.column), model.rows(of: model.view).canSort[column] { model.sort(by: column) }
        return
    }
    let place = plan.offset + line
    guard line >= 0, place < model.table.count else { return }
    if model.table.position == place, model.table.selected != nil {
        model.open()
    } else {
        model.table.select(place)
    }
}
