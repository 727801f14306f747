// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Text that is scrolled: made once for a width, drawn often.
struct TextPage: Sendable {
    var title: String
    var lines: [StyledLine]

    /// - Parameter text: lines; those that are longer than `columns` are broken, and what continues one is indented.
    init(title: String, text: [StyledLine], columns: Int, _ theme: Theme) {
        self.title = title
        lines = text.flatMap { $0.wrapped(to: columns - 1, indent: 2, theme) }
    }

    /// Rows of the text that an area shows.
    static func visibleRows(_ area: Area) -> Int { max(0, area.rows - 1) }

    /// The largest offset that still fills the area.
    func lastOffset(in area: Area) -> Int { max(0, lines.count - Self.visibleRows(area)) }

    func draw(in area: Area, offset: Int = 0, _ theme: Theme, on screen: inout Screen) {
        guard !area.isEmpty else { return }
        let visible = Self.visibleRows(area)
        let offset = max(0, min(offset, lastOffset(in: area)))
        let note = lines.count > visible ? "\(offset + 1)-\(offset + visible) of \(lines.count)" : ""
        screen.put(StyledLine.section(title, note, columns: area.columns, theme), in: area, row: 0, theme)
        screen.put(lines, in: area.rows(from: 1).columns(from: 1), offset: offset, theme)
    }

    /// What `model.show` answers: where it comes from, then the details with their names coloured.
    static func model(_ info: ModelActionInfo, columns: Int, _ theme: Theme) -> TextPage {
        var text: [StyledLine] = []
        for outcome in info.outcomes {
            var line = StyledLine("endpoint ", .dim, theme)
            line.add(outcome.endpoint, .value)
            if !outcome.failure.isEmpty { line.add(" \(outcome.failure)", .bad) }
            text.append(line)
        }
        if let details = info.details {
            text.append(StyledLine(theme))
            text += JSONLines.lines(details, theme)
        } else {
            text.append(StyledLine("The endpoint tells nothing about it", .dim, theme))
        }
        return TextPage(title: info.model, text: text, columns: columns, theme)
    }

    /// What a reload changes or would change: what comes is good, what goes is bad, the rest is changed.
    static func reload(_ info: ReloadInfo, columns: Int, _ theme: Theme) -> TextPage {
        var text = info.changes.map { change($0, theme) }
        if !info.needsRestart.isEmpty {
            if !text.isEmpty { text.append(StyledLine(theme)) }
            text.append(StyledLine("In force only after a restart:", .warning, theme))
            text += info.needsRestart.map { change($0, theme) }
        }
        if text.isEmpty { text = [StyledLine("Nothing is different", .dim, theme)] }
        return TextPage(title: info.applied ? "What the reload changed" : "What a reload would change", text: text, columns: columns, theme)
    }

    private static func change(_ text: String, _ theme: Theme) -> StyledLine {
        let words = text.lowercased().split(separator: " ")
        let isAdded = text.hasPrefix("+") || words.contains { $0 == "added" || $0 == "new" }
        let isRemoved = text.hasPrefix("-") || words.contains { $0 == "removed" || $0 == "gone" }
        let role: Role = isRemoved ? .bad : isAdded ? .good : .warning
        var line = StyledLine(isRemoved ? "- " : isAdded ? "+ " : "~ ", role, theme)
        // The sign is there once only.
        let hasSign = text.hasPrefix("+ ") || text.hasPrefix("- ") || text.hasPrefix("~ ")
        line.add(hasSign ? String(text.dropFirst(2)) : text, isRemoved || isAdded ? role : .plain)
        return line
    }
}

/// JSON text as lines to read: indented, names apart from values. It keeps the order, and shows text that is no JSON as it is.
enum JSONLines {
    static func lines(_ text: String, _ theme: Theme) -> [StyledLine] {
        var writer = Writer(theme)
        let bytes = Array(text.utf8)
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                let close = bytes[index] == UInt8(ascii: "{") ? UInt8(ascii: "}") : UInt8(ascii: "]")
                var next = index + 1
                while next < bytes.count, isBlank(bytes[next]) { next += 1 }
                writer.add(String(UnicodeScalar(bytes[index])), .dim)
                if next < bytes.count, bytes[next] == close {
                    writer.add(String(UnicodeScalar(close)), .dim)
                    index = next
                } else {
                    writer.open()
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                writer.close()
                writer.add(String(UnicodeScalar(bytes[index])), .dim)
            case UInt8(ascii: ","):
                writer.add(",", .dim)
                writer.newLine()
            case UInt8(ascii: ":"): writer.add(": ", .dim)
            case UInt8(ascii: "\""):
                let end = endOfString(bytes, from: index)
                var next = end
                while next < bytes.count, isBlank(bytes[next]) { next += 1 }
                let isName = next < bytes.count && bytes[next] == UInt8(ascii: ":")
                let string = String(decoding: bytes[index..<end], as: UTF8.self)
                writer.add(isName ? String(string.dropFirst().dropLast()) : string, isName ? .keyName : .plain)
                index = end - 1
            case let byte where isBlank(byte): break
            default:
                var end = index + 1
                while end < bytes.count, !isBlank(bytes[end]), !",:{}[]\"".utf8.contains(bytes[end]) { end += 1 }
                writer.add(String(decoding: bytes[index..<end], as: UTF8.self), .value)
                index = end - 1
            }
            index += 1
        }
        return writer.finished()
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// The index after the closing quote, or the end of the text.
    private static func endOfString(_ bytes: [UInt8], from start: Int) -> Int {
        var index = start + 1
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\\") {
                index += 2
                continue
            }
            if bytes[index] == UInt8(ascii: "\"") { return index + 1 }
            index += 1
        }
        return bytes.count
    }

    private struct Writer {
        private let theme: Theme
        private var lines: [StyledLine] = []
        private var line: StyledLine
        private var depth = 0

        init(_ theme: Theme) {
            self.theme = theme
            line = StyledLine(theme)
        }

        mutating func add(_ text: String, _ role: Role) { line.add(text, role) }

        mutating func newLine() {
            lines.append(line)
            line = StyledLine(theme)
            // Garbage may open a thousand brackets; a page is not that wide.
            line.pad(to: 2 * min(depth, 20))
        }

        mutating func open() {
            depth += 1
            newLine()
        }

        mutating func close() {
            depth = max(0, depth - 1)
            newLine()
        }

        mutating func finished() -> [StyledLine] {
            if line.width > 0 { lines.append(line) }
            return lines
        }
    }
}
