// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What a piece of the screen means.
public enum Role: Hashable, Sendable, CaseIterable {
    case plain, dim, title, value, heading
    /// The pane that has the keys, and the one that has not.
    case activePane, idlePane, rule
    case good, warning, bad
    case barUsed, barFull, barFree
    case keyName, keyText
    case question, message, error
    /// A chart's first and second series, and what is behind them.
    case chart, chartSecond, axis
    /// A row that an action on several takes.
    case marked
    /// The name of the view that is shown, among the names of all.
    case tab
}

/// The eight colours that every colour terminal has.
public enum Colour: Int16, Sendable, CaseIterable {
    case red = 1, green, yellow, blue, magenta, cyan
}

/// Looks of a cell, in terms of a terminal.
public struct Attributes: Hashable, Sendable {
    public var colour: Colour?
    public var bold = false
    public var dim = false
    public var reverse = false
    public var underline = false
}

/// From meaning to looks: with colours, without them, and with ASCII only.
public struct Theme: Sendable {
    public var hasColours: Bool
    public var isASCII: Bool

    public init(hasColours: Bool, isASCII: Bool) {
        self.hasColours = hasColours
        self.isASCII = isASCII
    }

    public func attributes(_ style: CellStyle) -> Attributes {
        // Reversed as a whole: colours on a reversed row are hard to read on one background or the other.
        if style.isSelected { return Attributes(bold: style.role == .bad, reverse: true) }
        var attributes = monochrome(style.role)
        guard hasColours else { return attributes }
        attributes.colour = colour(style.role)
        // What colour says already needs no underline.
        if attributes.colour != nil { attributes.underline = false }
        return attributes
    }

    private func monochrome(_ role: Role) -> Attributes {
        switch role {
        case .plain, .good, .barUsed, .chart: Attributes()
        case .dim, .rule, .barFree, .keyText, .idlePane, .heading, .axis, .chartSecond: Attributes(dim: true)
        case .title, .value, .activePane, .keyName, .message, .barFull, .marked: Attributes(bold: true)
        case .tab: Attributes(bold: true, reverse: true)
        case .warning: Attributes(underline: true)
        case .bad: Attributes(bold: true, underline: true)
        case .question, .error: Attributes(bold: true, reverse: true)
        }
    }

    private func colour(_ role: Role) -> Colour? {
        switch role {
        case .good, .message, .barUsed: .green
        case .warning, .barFull, .question, .marked: .yellow
        case .bad, .error: .red
        case .title, .activePane, .keyName, .chart, .tab: .cyan
        case .chartSecond: .magenta
        default: nil
        }
    }

    // Glyphs.
    var ellipsis: String { isASCII ? ".." : "…" }
    var line: String { isASCII ? "-" : "─" }
    var marker: String { isASCII ? ">" : "▸" }
    var mark: String { isASCII ? "*" : "✓" }
    var ascending: String { isASCII ? "^" : "▲" }
    var descending: String { isASCII ? "v" : "▼" }
    var angle: String { isASCII ? ">" : "›" }
    var cursor: String { isASCII ? "_" : "█" }
    var slotUsed: String { isASCII ? "#" : "━" }
    var slotFree: String { isASCII ? "." : "─" }
    var separator: String { isASCII ? " | " : " · " }

    /// One character for an endpoint's state, so that it shows without colours and in one column.
    func stateGlyph(_ state: String) -> String {
        switch state {
        case "up": isASCII ? "+" : "●"
        case "degraded": isASCII ? "~" : "◐"
        case "loading", "starting": isASCII ? "o" : "◌"
        case "draining": isASCII ? "v" : "▼"
        case "maintenance": isASCII ? "m" : "■"
        default: isASCII ? "x" : "✗"
        }
    }

    func role(state: String) -> Role {
        switch state {
        case "up": .good
        case "down": .bad
        case "degraded", "loading", "starting", "draining", "maintenance": .warning
        default: .plain
        }
    }
}
