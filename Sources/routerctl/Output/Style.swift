// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a piece of text means, from which follows its colour.
enum Tone {
    case plain, heading, good, warning, bad, dim

    /// The meaning of an endpoint's state.
    static func state(_ state: String) -> Tone {
        switch state {
        case "up": .good
        case "down": .bad
        case "maintenance", "draining", "degraded", "loading", "starting": .warning
        default: .plain
        }
    }
}

/// How text is shown at a terminal.
struct Style {
    var colour: Bool
    var ascii: Bool

    var ellipsis: String { ascii ? ".." : "…" }

    func paint(_ text: String, _ tone: Tone) -> String {
        guard colour, !text.isEmpty else { return text }
        let code: String
        switch tone {
        case .plain: return text
        case .heading: code = "1"
        case .good: code = "32"
        case .warning: code = "33"
        case .bad: code = "31"
        case .dim: code = "2"
        }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }
}
