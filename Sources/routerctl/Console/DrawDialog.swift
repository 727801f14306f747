// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What is being asked, over the bottom of the screen: the picture above stays in sight.
func drawDialog(_ dialog: Dialog, _ model: Model, _ theme: Theme, on screen: inout Screen) {
    switch dialog {
    case .question(let question): drawQuestion(question, theme, on: &screen)
    case .prompt(let prompt): drawPrompt(prompt, theme, on: &screen)
    case .sort(let place): drawSortChooser(place, model, theme, on: &screen)
    }
}

/// What there is to know before the answer, in lines as wide as the screen: its consequence where the question's own line has no room for
/// it, then what the daemon says.
func noteLines(_ question: Question, columns: Int) -> [StyledLine] {
    let theme = Theme(hasColours: false, isASCII: false)
    let consequence = question.consequence.isEmpty || hasRoomForConsequence(question, columns) ? [] : [question.consequence]
    return (consequence + question.notes).flatMap { note in
        StyledLine(note, note.hasPrefix("warning") ? .bad : .warning, theme).wrapped(to: max(8, columns - 2), indent: 2, theme)
    }
}

private func hasRoomForConsequence(_ question: Question, _ columns: Int) -> Bool {
    DisplayText.width(question.text) + DisplayText.width(question.consequence) + 7 <= columns
}

/// The rows of the question's notes that the screen has room for.
func noteRows(_ question: Question, _ size: Size) -> Int {
    max(0, min(noteLines(question, columns: size.columns).count, size.rows - 7))
}

private func drawQuestion(_ question: Question, _ theme: Theme, on screen: inout Screen) {
    let width = screen.size.columns
    let lines = noteLines(question, columns: width)
    let notes = noteRows(question, screen.size)
    let isTall = screen.size.rows >= 8
    let rows = isTall ? notes + 4 : 1
    let area = Area(column: 0, row: max(0, screen.size.rows - rows), columns: width, rows: rows)
    let answers = question.isPreparing ? "asking routerd what would come of it  n no" : "y yes  n no"
    guard isTall else {
        screen.fill(area, role: .question)
        putQuestion("\(question.text)? y/n", in: area, row: 0, role: .question, theme, on: &screen)
        return
    }
    screen.fill(area, role: .plain)
    screen.fill(area.rows(from: 0, count: 1), role: .warning, with: theme.line)
    screen.fill(area.rows(from: 1, count: 1), role: .question)
    putQuestion("\(question.text)?", in: area, row: 1, role: .question, theme, on: &screen)
    if !question.consequence.isEmpty, hasRoomForConsequence(question, width) {
        screen.put("(\(question.consequence))", in: area, row: 1, column: DisplayText.width(DisplayText.clean(question.text)) + 4, role: .question)
    }
    screen.put(Array(lines.dropFirst(question.offset).prefix(notes)), in: area.rows(from: 2, count: notes).columns(from: 1), theme)
    screen.put(Command.line(question.commands), in: area, row: 2 + notes, column: 1, width: width - 2, role: .dim)
    var column = screen.put(answers, in: area, row: 3 + notes, column: 1, width: width - 2, role: .keyName)
    if lines.count > notes {
        column += 2
        screen.put("Up Down: line \(question.offset + 1) of \(lines.count)", in: area, row: 3 + notes, column: column, role: .dim)
    }
}

/// A question that does not fit loses its end, and never its question mark.
private func putQuestion(_ text: String, in area: Area, row: Int, role: Role, _ theme: Theme, on screen: inout Screen) {
    let text = DisplayText.clean(text, ascii: theme.isASCII)
    let room = area.columns - 2
    if DisplayText.width(text) <= room {
        screen.put(text, in: area, row: row, column: 1, role: role)
    } else {
        let mark = text.hasSuffix("y/n") ? "? y/n" : "?"
        let start = DisplayText.truncate(String(text.dropLast(mark.count)), to: max(1, room - mark.count), ellipsis: "..")
        screen.put(start + mark, in: area, row: row, column: 1, role: role)
    }
}

private func drawPrompt(_ prompt: Prompt, _ theme: Theme, on screen: inout Screen) {
    let area = Area(column: 0, row: screen.size.rows - 1, columns: screen.size.columns, rows: 1)
    screen.fill(area, role: .plain)
    let label = DisplayText.clean(prompt.label, ascii: theme.isASCII)
    var column = screen.put("\(label): ", in: area, column: 1, width: max(4, area.columns * 2 / 3), role: .keyName)
    // The end of what is written matters: that is where the next letter goes.
    let room = max(1, area.columns - column - 2)
    var text = DisplayText.clean(prompt.text, ascii: theme.isASCII)
    while DisplayText.width(text) > room { text.removeFirst() }
    column = screen.put(text, in: area, column: column, role: .value)
    column = screen.put(theme.cursor, in: area, column: column, role: .activePane)
    if area.columns - column > prompt.hint.count + 3 { screen.put(prompt.hint, in: area, column: 1, role: .dim, right: true) }
}

private func drawSortChooser(_ place: Int, _ model: Model, _ theme: Theme, on screen: inout Screen) {
    let table = model.rows(of: model.view)
    let names = table.sortable.map { table.columns[$0].title }
    let rows = min(names.count + 2, screen.size.rows - 1)
    let width = min(screen.size.columns, max(14, (names.map(\.count).max() ?? 0) + 6))
    let area = Area(column: 0, row: screen.size.rows - 1 - rows, columns: width, rows: rows)
    screen.fill(area, role: .plain)
    screen.fill(area.rows(from: 0, count: 1), role: .warning, with: theme.line)
    screen.put(" Sort by ", in: area, column: 1, role: .activePane)
    let visible = max(1, rows - 1)
    let all = ["as it comes"] + names
    let offset = max(0, min(place - visible / 2, all.count - visible))
    for (index, name) in all.dropFirst(offset).prefix(visible).enumerated() {
        let isChosen = offset + index == place
        let text = DisplayText.pad((isChosen ? theme.marker : " ") + " " + name, to: width)
        screen.put(text, in: area, row: 1 + index, role: isChosen ? .tab : .plain)
    }
    let bar = Area(column: 0, row: screen.size.rows - 1, columns: screen.size.columns, rows: 1)
    screen.fill(bar, role: .plain)
    screen.put("Enter sort  Esc leave", in: bar, column: 1, role: .keyName)
}
