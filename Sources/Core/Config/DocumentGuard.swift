// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Yams

/// What a YAML parser should not be given. It recurses once per level, and would hash a mapping that is used as a key
/// through every alias within it.
enum DocumentGuard {
    /// Aliases (`*name`) multiply what they stand for, level by level: so many reach some thousands of values at most.
    static let maximumAliases = 24

    /// At least the number of aliases; what looks like one in a quoted text counts as well.
    static func aliases(_ yaml: String) -> Int {
        let separators = Array(" \t\r\n[{,:?-".utf8)
        var count = 0
        var previous = UInt8(ascii: "\n")
        var isComment = false
        for byte in yaml.utf8 {
            switch byte {
            case UInt8(ascii: "\n"): isComment = false
            case UInt8(ascii: "#") where previous == UInt8(ascii: " ") || previous == UInt8(ascii: "\n"): isComment = true
            case UInt8(ascii: "*") where !isComment && separators.contains(previous): count += 1
            default: break
            }
            previous = byte
        }
        return count
    }

    /// Where brackets nest deeper than the limit. Brackets in texts and comments count as well: a configuration that
    /// holds so many of them unclosed is none.
    ///
    /// - Returns: line and column, from one.
    static func tooDeep(_ yaml: String, limit: Int) -> (line: Int, column: Int)? {
        var (depth, line, column) = (0, 1, 0)
        var indents: [Int] = []
        var isIndent = true
        for byte in yaml.utf8 {
            column += 1
            switch byte {
            case UInt8(ascii: "\n"):
                (line, column, isIndent) = (line + 1, 0, true)
                continue
            case UInt8(ascii: " "):
                continue
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                depth = max(0, depth - 1)
            default:
                break
            }
            let isEntry = byte == UInt8(ascii: "-") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: ":")
            if isIndent {
                while let last = indents.last, last >= column { indents.removeLast() }
                indents.append(column)
                // `- - - x` opens a level with each dash.
                isIndent = isEntry
            }
            if depth + indents.count > limit { return (line, column) }
        }
        return nil
    }
}

extension YamlError {
    /// Our words and the parser's reason, without the line's text: it may hold a secret.
    func asConfigError(file: String) -> ConfigError {
        func at(_ mark: Mark, _ message: String) -> ConfigError {
            ConfigError(.file(file, line: mark.line, column: mark.column), message)
        }
        switch self {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            return at(mark, "this is not YAML: \(problem)")
        case .reader(let problem, _, _, _):
            return ConfigError(.file(file, line: 0, column: 0), "this is not YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            return at(context.mark, "the key \(ValueReader.quoted(duplicates.first ?? "")) is there twice")
        default:
            return ConfigError(.file(file, line: 0, column: 0), "this is not YAML")
        }
    }
}
