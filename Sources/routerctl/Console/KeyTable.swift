// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What the operator can ask the daemon for.
public enum Ask: Hashable, Sendable, CaseIterable {
    case drain, maintenance, resume, weight
    case cancel
    case load, unload, pull, delete, copy, show
    case invalidate, invalidateAll
    case reload
}

/// What a key does.
public enum Action: Hashable, Sendable {
    case up, down, pageUp, pageDown, home, end
    case previousView, nextView
    case go(View)
    case open, back
    case mark, unmark
    case filter, search, searchNext, sort, reverse, faults
    case range, level
    case pause, faster, slower, refresh
    case ask(Ask)
    case help, repaint, suspend, leave, quit
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
    /// Where it does something; nil for everywhere.
    public var views: Set<View>?
    /// Whether it also does something while a row's own page is open.
    public var onPages: Bool

    init(
        _ keys: [Key], _ action: Action, _ help: String, bar: String? = nil, rank: Int = 0, in views: Set<View>? = nil, onPages: Bool = true
    ) {
        self.keys = keys
        self.action = action
        self.help = help
        self.bar = bar
        self.rank = rank
        self.views = views
        self.onPages = onPages
    }

    /// Whether the daemon would change by it.
    public var changes: Bool {
        if case .ask(let ask) = action { ask != .show } else { false }
    }
}

/// Every key of the console, once: what it does, the help and the bar all come from here.
public enum KeyTable {
    private static func key(_ character: Character) -> Key { .character(character) }

    public static let bindings: [KeyBinding] = [
        KeyBinding([key("d")], .ask(.drain), "Drain: it finishes what it has, gets nothing new", bar: "Drain", rank: 60, in: [.endpoints]),
        KeyBinding([key("m")], .ask(.maintenance), "Maintenance: as drain, and not polled", bar: "Maint", rank: 40, in: [.endpoints]),
        KeyBinding([key("e")], .ask(.resume), "Resume: back into service", bar: "Resume", rank: 50, in: [.endpoints]),
        KeyBinding([key("w")], .ask(.weight), "Weight: how much of the work it gets", bar: "Weight", rank: 20, in: [.endpoints]),
        KeyBinding(
            [key("x"), .function(9)], .ask(.cancel), "Cancel the request: its client gets an error", bar: "Cancel", rank: 60, in: [.requests, .queue]),
        KeyBinding([key("l")], .ask(.load), "Load a model into memory", bar: "Load", rank: 60, in: [.models]),
        KeyBinding([key("u")], .ask(.unload), "Unload a model from memory", bar: "Unload", rank: 50, in: [.models]),
        KeyBinding([key("P")], .ask(.pull), "Pull a model from its registry", bar: "Pull", rank: 40, in: [.models]),
        KeyBinding([key("l")], .ask(.load), "Load a model into memory there", bar: "Load", rank: 38, in: [.endpoints]),
        KeyBinding([key("u")], .ask(.unload), "Unload a model from memory there", bar: "Unload", rank: 37, in: [.endpoints]),
        KeyBinding([key("P")], .ask(.pull), "Pull a model from its registry there", bar: "Pull", rank: 36, in: [.endpoints]),
        KeyBinding([key("D")], .ask(.delete), "Delete a model from the disks", bar: "Delete", rank: 30, in: [.models]),
        KeyBinding([key("C")], .ask(.copy), "Copy a model under a new name", bar: "Copy", rank: 20, in: [.models]),
        KeyBinding([key("i")], .ask(.show), "Show what its endpoint says of the model", bar: "Show", rank: 35, in: [.models]),
        KeyBinding([key("c")], .ask(.invalidate), "Clear what the cache keeps of it", bar: "Clear", rank: 45, in: [.models, .cache]),
        KeyBinding([key("C")], .ask(.invalidateAll), "Clear the whole cache", bar: "Clear all", rank: 44, in: [.cache]),
        KeyBinding([key("t")], .range, "Last hour, day or month", bar: "Time", rank: 60, in: [.tokens]),
        KeyBinding([key("v")], .level, "The least serious level that is shown", bar: "Level", rank: 60, in: [.events]),
        KeyBinding([key("R")], .ask(.reload), "Reload the configuration, after its difference", bar: "Reload", rank: 25),
        KeyBinding(
            [.enter], .open, "All about the selected row", bar: "Open", rank: 55, in: [.endpoints, .models, .requests, .queue, .cache, .events],
            onPages: false),
        KeyBinding([.escape], .back, "Back; takes the filter and the marks away"),
        KeyBinding(
            [key(" ")], .mark, "Mark the row: actions take all that are marked", in: [.endpoints, .models, .requests, .queue, .cache], onPages: false),
        KeyBinding([key("U")], .unmark, "Take all marks away", in: [.endpoints, .models, .requests, .queue, .cache], onPages: false),
        KeyBinding(
            [key("/"), .function(4)], .filter, "Show the rows that have a text; !text those that have not", bar: "Filter", rank: 70, onPages: false),
        KeyBinding([.function(3)], .search, "Go to the next row that has a text", onPages: false),
        KeyBinding([key("n")], .searchNext, "Go to the next such row", onPages: false),
        KeyBinding([key("s"), .function(6)], .sort, "Choose the column to sort by", bar: "Sort", rank: 65, onPages: false),
        KeyBinding([key("r")], .reverse, "Reverse the order", onPages: false),
        KeyBinding(
            [key("z")], .faults, "Only rows that have a fault", bar: "Faults", rank: 15, in: [.endpoints, .models, .requests, .queue, .events],
            onPages: false),
        KeyBinding([.up, key("k")], .up, "The row above"),
        KeyBinding([.down, key("j")], .down, "The row below"),
        KeyBinding([.pageUp], .pageUp, "A page up"),
        KeyBinding([.pageDown], .pageDown, "A page down"),
        KeyBinding([.home, key("g")], .home, "The first row"),
        KeyBinding([.end, key("G")], .end, "The last row"),
        KeyBinding([.tab, .right], .nextView, "The next view"),
        KeyBinding([.backTab, .left], .previousView, "The view before"),
        KeyBinding([key("1")], .go(.endpoints), "Endpoints"),
        KeyBinding([key("2")], .go(.models), "Models"),
        KeyBinding([key("3")], .go(.requests), "Requests"),
        KeyBinding([key("4")], .go(.queue), "Queue"),
        KeyBinding([key("5")], .go(.cache), "Cache"),
        KeyBinding([key("6")], .go(.tokens), "Tokens"),
        KeyBinding([key("7")], .go(.events), "Events"),
        KeyBinding([key("p")], .pause, "Hold the picture", bar: "Pause", rank: 10),
        KeyBinding([key("+"), key("=")], .slower, "Longer between two pictures"),
        KeyBinding([key("-")], .faster, "Shorter between two pictures"),
        KeyBinding([.function(5)], .refresh, "A new picture now"),
        KeyBinding([key("\u{0C}")], .repaint, "Draw the screen anew"),
        KeyBinding([key("?"), key("h"), .function(1)], .help, "This help", bar: "Help", rank: 80),
        KeyBinding([key("\u{1A}")], .suspend, "Back to the shell; fg returns"),
        KeyBinding([key("q")], .leave, "Leave the page, or the console; the daemon never notices", bar: "Quit", rank: 90),
        KeyBinding([.function(10), key("\u{03}")], .quit, "Leave the console"),
    ]

    /// The keys that do something now.
    public static func bindings(in model: Model) -> [KeyBinding] { bindings(in: model, page: model.opened != nil) }

    static func bindings(in model: Model, page: Bool) -> [KeyBinding] {
        bindings.filter { ($0.views?.contains(model.view) ?? true) && (!page || $0.onPages) }
    }

    public static func binding(for key: Key, in model: Model) -> KeyBinding? {
        let found = bindings.first { $0.keys.contains(key) && ($0.views?.contains(model.view) ?? true) && (model.opened == nil || $0.onPages) }
        // What is read there may be about anything: a key that acts would act on a row that is out of sight.
        if model.page != nil, let found, found.changes || found.action == .ask(.show) { return nil }
        return found
    }

    /// The key's name as it is printed.
    public static func name(_ key: Key, ascii: Bool) -> String {
        switch key {
        case .character("\u{03}"): "Ctrl-C"
        case .character("\u{0C}"): "Ctrl-L"
        case .character("\u{1A}"): "Ctrl-Z"
        case .character(" "): "Space"
        case .character(let character): "\(character)"
        case .up: ascii ? "Up" : "↑"
        case .down: ascii ? "Down" : "↓"
        case .left: ascii ? "Left" : "←"
        case .right: ascii ? "Right" : "→"
        case .pageUp: "PgUp"
        case .pageDown: "PgDn"
        case .home: "Home"
        case .end: "End"
        case .tab: "Tab"
        case .backTab: "Shift-Tab"
        case .enter: "Enter"
        case .escape: "Esc"
        case .backspace: "Backspace"
        case .function(let number): "F\(number)"
        }
    }
}
