// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// JSON text set in lines for people. What is in it stays as it is.
enum JSONText {
    static func indented(_ text: String) -> [String] {
        var lines: [String] = []
        var line = ""
        var depth = 0
        var isInString = false
        var isEscaped = false
        func newLine() {
            lines.append(line)
            line = String(repeating: "  ", count: max(0, depth))
        }
        let characters = Array(text.unicodeScalars)
        for (index, character) in characters.enumerated() {
            if isInString {
                line.unicodeScalars.append(character)
                isInString = isEscaped || character != "\""
                isEscaped = !isEscaped && character == "\\"
                continue
            }
            switch character {
            case " ", "\n", "\r", "\t": continue
            case "{", "[":
                line.unicodeScalars.append(character)
                let next = characters[(index + 1)...].first { !$0.properties.isWhitespace }
                depth += 1
                if next != "}", next != "]" { newLine() }
            case "}", "]":
                depth -= 1
                if !line.hasSuffix("{"), !line.hasSuffix("[") { newLine() }
                line.unicodeScalars.append(character)
            case ",":
                line.append(",")
                newLine()
            case ":": line.append(": ")
            default:
                isInString = character == "\""
                line.unicodeScalars.append(character)
            }
        }
        return lines + [line]
    }
}
