// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A row of text in which each piece has a role of its own. It knows its width, whatever the text is made of.
struct StyledLine: Equatable, Sendable {
    struct Span: Equatable, Sendable {
        var text: String
        var role: Role
    }

    private(set) var spans: [Span] = []
    /// Columns that it takes.
    private(set) var width = 0
    private let isASCII: Bool

    init(_ theme: Theme) {
        isASCII = theme.isASCII
    }

    init(_ text: String, _ role: Role = .plain, _ theme: Theme) {
        self.init(theme)
        add(text, role)
    }

    /// Without its roles.
    var text: String { spans.map(\.text).joined() }

    mutating func add(_ text: String, _ role: Role = .plain) {
        guard !text.isEmpty else { return }
        // Cleaned here and not when it is drawn: a character that is replaced may change its width.
        let text = DisplayText.clean(text, ascii: isASCII)
        width += DisplayText.width(text)
        if let last = spans.indices.last, spans[last].role == role {
            spans[last].text += text
        } else {
            spans.append(Span(text: text, role: role))
        }
    }

    mutating func add(_ line: StyledLine) {
        for span in line.spans { add(span.text, span.role) }
    }

    /// Blanks up to a column. A line that is longer stays as it is.
    mutating func pad(to column: Int) {
        if width < column { add(String(repeating: " ", count: column - width)) }
    }

    /// Adds what there is room for, after a gap, and tells whether there was.
    @discardableResult
    mutating func addIfFits(_ line: StyledLine, gap: Int = 2, columns: Int) -> Bool {
        let gap = width == 0 ? 0 : gap
        guard width + gap + line.width <= columns else { return false }
        pad(to: width + gap)
        add(line)
        return true
    }

    /// The line cut to at most `columns`, with an ellipsis where something was cut.
    func cut(to columns: Int, _ theme: Theme) -> StyledLine {
        guard width > columns else { return self }
        var line = StyledLine(theme)
        let mark = DisplayText.width(theme.ellipsis)
        for span in spans {
            // What fits as a whole needs no ellipsis unless more comes after it.
            if line.width + DisplayText.width(span.text) <= columns - mark {
                line.add(span.text, span.role)
                continue
            }
            // One scalar more than there is room for, so that `truncate` sees that something is cut.
            let room = columns - line.width
            line.add(
                room > mark ? DisplayText.truncate(span.text + "    ", to: room, ellipsis: theme.ellipsis) : String(theme.ellipsis.prefix(room)),
                span.role)
            break
        }
        return line
    }

    /// The line broken between words into lines of at most `columns`; words that are longer are broken too.
    ///
    /// - Parameter indent: blanks before all lines but the first.
    func wrapped(to columns: Int, indent: Int = 0, _ theme: Theme) -> [StyledLine] {
        guard width > columns, columns > 0 else { return [self] }
        let indent = indent + 8 <= columns ? indent : 0
        var lines: [StyledLine] = []
        var line = StyledLine(theme)
        func next() -> StyledLine {
            var line = StyledLine(theme)
            line.pad(to: indent)
            return line
        }
        for span in spans {
            for word in Self.words(span.text) {
                var word = word
                if line.width + DisplayText.width(word) > columns, line.width > indent {
                    // A blank at the end of a line is no reason for another line.
                    if word.allSatisfy({ $0 == " " }) { continue }
                    lines.append(line)
                    line = next()
                }
                while DisplayText.width(word) > columns - line.width {
                    let head = Self.prefix(word, columns - line.width)
                    guard !head.isEmpty else { break }
                    line.add(head, span.role)
                    lines.append(line)
                    line = next()
                    word = String(word.unicodeScalars.dropFirst(head.unicodeScalars.count))
                }
                // A wide character in a single column has no place at all.
                if DisplayText.width(word) <= columns - line.width { line.add(word, span.role) }
            }
        }
        if line.width > indent || lines.isEmpty { lines.append(line) }
        return lines
    }

    /// Words and the blanks between them, one after another.
    private static func words(_ text: String) -> [String] {
        var words: [String] = []
        var current = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if let last = current.last, (last == " ") != (scalar == " ") {
                words.append(String(current))
                current = String.UnicodeScalarView()
            }
            current.append(scalar)
        }
        if !current.isEmpty { words.append(String(current)) }
        return words
    }

    private static func prefix(_ text: String, _ columns: Int) -> String {
        var result = String.UnicodeScalarView()
        var used = 0
        for scalar in text.unicodeScalars {
            used += DisplayText.width(of: scalar)
            if used > columns { break }
            result.append(scalar)
        }
        return String(result)
    }
}

extension StyledLine {
    /// The title of a section: its name, what there is to say beside it, then a rule to the end.
    static func section(_ title: String, _ note: String = "", columns: Int, _ theme: Theme) -> StyledLine {
        var line = StyledLine(theme.line, .rule, theme)
        line.add(" \(title)", .activePane)
        if !note.isEmpty, line.width + DisplayText.width(note) + 2 <= columns { line.add(" \(note)", .dim) }
        line.add(" ", .rule)
        if line.width < columns { line.add(String(repeating: theme.line, count: columns - line.width), .rule) }
        return line
    }

    /// Several blocks of lines beside each other, each `columns` wide, with a gap between them.
    static func beside(_ blocks: [[StyledLine]], columns: Int, gap: Int, _ theme: Theme) -> [StyledLine] {
        let height = blocks.map(\.count).max() ?? 0
        return (0..<height).map { row in
            var line = StyledLine(theme)
            for (index, block) in blocks.enumerated() where row < block.count {
                line.pad(to: index * (columns + gap))
                line.add(block[row].cut(to: columns, theme))
            }
            return line
        }
    }

    /// Labels with their values, in as many columns as there is room for.
    ///
    /// - Parameter perRow: the most that stand in a row.
    static func facts(_ facts: [LabelledValue], columns: Int, perRow: Int = 8, _ theme: Theme) -> [StyledLine] {
        guard !facts.isEmpty, columns > 0 else { return [] }
        let labels = facts.map { DisplayText.width($0.label) }.max() ?? 0
        // One long value must not push all others into a single column.
        let widths = facts.map { DisplayText.width(DisplayText.clean($0.value, ascii: theme.isASCII)) }
        let value = min(widths.max() ?? 0, max(8, columns / 3))
        let cell = labels + 1 + value
        let count = max(1, min(perRow, (columns + 3) / (cell + 3)))
        var lines: [StyledLine] = []
        var line = StyledLine(theme)
        var place = 0
        for (index, fact) in facts.enumerated() {
            let needsRow = widths[index] > value
            if place > 0, place == count || needsRow {
                lines.append(line)
                line = StyledLine(theme)
                place = 0
            }
            line.pad(to: place * (cell + 3))
            line.add(fact.label, .dim)
            line.pad(to: place * (cell + 3) + labels + 1)
            line.add(fact.value, fact.role)
            place = needsRow ? count : place + 1
        }
        lines.append(line)
        return lines.map { $0.cut(to: columns, theme) }
    }
}

/// A label with its value.
struct LabelledValue: Sendable {
    var label: String
    var value: String
    var role: Role

    init(_ label: String, _ value: String, _ role: Role = .value) {
        self.label = label
        self.value = value.isEmpty ? "-" : value
        self.role = value.isEmpty ? .dim : role
    }
}

extension Screen {
    /// Writes a line, cut where the area ends.
    mutating func put(_ line: StyledLine, in area: Area, row: Int, _ theme: Theme) {
        guard (0..<area.rows).contains(row) else { return }
        var column = area.column
        // Spans are clean, and a line that is cut fits.
        for span in line.cut(to: area.columns, theme).spans { column = put(clean: span.text, row: area.row + row, column: column, role: span.role) }
    }

    /// Writes those of the lines that the area shows.
    ///
    /// - Parameter offset: lines above the area; more than there are shows the end.
    mutating func put(_ lines: [StyledLine], in area: Area, offset: Int = 0, _ theme: Theme) {
        let offset = max(0, min(offset, lines.count - area.rows))
        for (row, line) in lines.dropFirst(offset).prefix(area.rows).enumerated() { put(line, in: area, row: row, theme) }
    }
}
