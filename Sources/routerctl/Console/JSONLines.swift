// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// JSON text as lines to read: indented, names apart from values. It keeps the order, and shows text that is no JSON as it is.
enum JSONLines {
    static func lines(_ text: String, _ theme: Theme) -> [StyledLine] {
        guard let first = text.first(where: { !$0.isWhitespace }), first == "{" || first == "[" else {
            return text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { StyledLine(String($0), .plain, theme) }
        }
        return JSONLayout.lines(text).flatMap { styled($0, theme) }
    }

    /// One line, or several where a string has some: those after the first stand further in.
    private static func styled(_ source: JSONLayout.Line, _ theme: Theme) -> [StyledLine] {
        var lines: [StyledLine] = []
        var line = StyledLine(theme)
        line.pad(to: 2 * source.depth)
        for piece in source.pieces {
            switch piece {
            case .punctuation(let text): line.add(text, .dim)
            case .name(let text): line.add(text, .keyName)
            case .plain(let text): line.add(text, .value)
            case .string(let text):
                for (index, paragraph) in paragraphs(Array(text.utf8)).enumerated() {
                    if index > 0 {
                        lines.append(line)
                        line = StyledLine(theme)
                        line.pad(to: 2 * (source.depth + 1))
                    }
                    line.add(paragraph, .plain)
                }
            }
        }
        return lines + [line]
    }

    /// A string cut where it says `\n`: licences and templates are to be read.
    private static func paragraphs(_ string: [UInt8]) -> [String] {
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
}
