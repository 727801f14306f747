// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// JSON text as lines to read: indented, names apart from values. It keeps the order, and shows text that is no JSON as it is.
enum JSONLines {
    static func lines(_ text: String, _ theme: Theme) -> [StyledLine] {
        let bytes = Array(text.utf8)
        guard let first = bytes.first(where: { !isBlank($0) }), first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else {
            return text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { StyledLine(String($0), .plain, theme) }
        }
        var writer = Writer(theme)
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
                if isName {
                    writer.add(String(decoding: bytes[index + 1..<max(index + 1, end - 1)], as: UTF8.self), .keyName)
                } else {
                    writer.add(lines: paragraphs(bytes[index..<end]))
                }
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

    /// A string cut where it says `\n`: licences and templates are to be read.
    private static func paragraphs(_ string: ArraySlice<UInt8>) -> [String] {
        var parts: [String] = []
        var start = string.startIndex
        var index = start
        while index < string.endIndex {
            guard string[index] == UInt8(ascii: "\\"), index + 1 < string.endIndex else {
                index += 1
                continue
            }
            if string[index + 1] == UInt8(ascii: "n") {
                parts.append(String(decoding: string[start..<index], as: UTF8.self))
                start = index + 2
            }
            index += 2
        }
        return parts + [String(decoding: string[start...], as: UTF8.self)]
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

        /// A string of several lines; those after the first stand further in.
        mutating func add(lines: [String]) {
            add(lines.first ?? "", .plain)
            depth += 1
            for text in lines.dropFirst() {
                newLine()
                add(text, .plain)
            }
            depth -= 1
        }

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
