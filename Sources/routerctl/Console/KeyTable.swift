// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What a key does.
public enum Action: Hashable, Sendable {
    case up, down, pageUp, pageDown, home, end
    case switchPane
    case change(Change)
    case help, repaint, quit
}

/// One line of the key table.
public struct KeyBinding: Sendable {
    public var keys: [Key]
    public var action: Action
    /// What the help says.
    public var help: String
    /// What the bar at the bottom says; nil if it is not shown there.
    public var bar: String?
    /// Where the bar is short of room, the lowest goes first.
    public var rank: Int

    init(_ keys: [Key], _ action: Action, _ help: String, bar: String? = nil, rank: Int = 0) {
        self.keys = keys
        self.action = action
        self.help = help
        self.bar = bar
        self.rank = rank
    }
}

/// Every key of the console, once: what it does, the help and the bar all come from here.
public enum KeyTable {
    public static let bindings: [KeyBinding] = [
        KeyBinding([.up, .character("k")], .up, "Select the row above", bar: nil),
        KeyBinding([.down, .character("j")], .down, "Select the row below", bar: nil),
        KeyBinding([.pageUp], .pageUp, "A page up"),
        KeyBinding([.pageDown], .pageDown, "A page down"),
        KeyBinding([.home, .character("g")], .home, "The first row"),
        KeyBinding([.end, .character("G")], .end, "The last row"),
        KeyBinding([.tab, .backTab], .switchPane, "Go between endpoints and requests", bar: "Pane", rank: 30),
        KeyBinding([.character("d")], .change(.drain), "Drain the endpoint: it finishes what it has, gets nothing new", bar: "Drain", rank: 60),
        KeyBinding([.character("m")], .change(.maintenance), "Maintenance: as drain, and not polled", bar: "Maintenance", rank: 20),
        KeyBinding([.character("e")], .change(.resume), "Resume: back into service", bar: "Resume", rank: 40),
        KeyBinding([.character("?"), .character("h"), .function(1)], .help, "This help", bar: "Help", rank: 80),
        KeyBinding([.character("\u{0C}")], .repaint, "Draw the screen anew"),
        KeyBinding([.character("q"), .function(10), .character("\u{03}")], .quit, "Leave", bar: "Quit", rank: 90),
    ]

    public static func action(for key: Key) -> Action? {
        bindings.first { $0.keys.contains(key) }?.action
    }

    /// The key's name as it is printed.
    public static func name(_ key: Key, ascii: Bool) -> String {
        switch key {
        case .character("\u{03}"): "Ctrl-C"
        case .character("\u{0C}"): "Ctrl-L"
        case .character(let character): "\(character)"
        case .up: ascii ? "Up" : "↑"
        case .down: ascii ? "Down" : "↓"
        case .pageUp: "PgUp"
        case .pageDown: "PgDn"
        case .home: "Home"
        case .end: "End"
        case .tab: "Tab"
        case .backTab: "Shift-Tab"
        case .enter: "Enter"
        case .escape: "Esc"
        case .function(let number): "F\(number)"
        }
    }
}
