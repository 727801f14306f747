// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import CNcurses
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The only file that knows curses: shows screens, reads keys, gives the terminal back.
final class CursesTerminal {
    /// Why there is no full screen here.
    struct Unusable: Error {
        let message: String
    }

    let theme: Theme
    private let handle: OpaquePointer
    private var shown: Screen?
    private var pairs: [Colour: Int16] = [:]
    private let hasMouse: Bool

    /// - Parameter noColour: whether `NO_COLOR` is set.
    init(noColour: Bool, environment: [String: String]) throws(Unusable) {
        Self.setLocale(environment)
        let isUTF8 = String(cString: nl_langinfo(Int32(CODESET))) == "UTF-8"
        guard let handle = routerd_newterm() else {
            let name = environment["TERM"] ?? ""
            throw Unusable(message: name.isEmpty ? "TERM is not set" : "the terminal \"\(name)\" (TERM) is not known here")
        }
        // Such as TERM=dumb: whatever is drawn there ends up on one line.
        guard let place = tigetstr("cup"), Int(bitPattern: place) != -1 else {
            endwin()
            delscreen(handle)
            throw Unusable(message: "the terminal \"\(environment["TERM"] ?? "")\" (TERM) cannot place its cursor")
        }
        self.handle = handle
        cbreak()
        noecho()
        nonl()
        intrflush(routerd_stdscr(), false)
        keypad(routerd_stdscr(), true)
        nodelay(routerd_stdscr(), true)
        // How long a lone escape waits to see whether it begins a key's sequence, milliseconds.
        set_escdelay(50)
        curs_set(0)
        // A click is told at once, and not after a wait for a second one.
        mouseinterval(0)
        hasMouse = routerd_enable_mouse() != 0
        let hasColours = !noColour && has_colors()
        theme = Theme(hasColours: hasColours, isASCII: !isUTF8)
        if hasColours {
            start_color()
            use_default_colors()
            for colour in Colour.allCases {
                init_pair(colour.rawValue, colour.rawValue, -1)
                pairs[colour] = colour.rawValue
            }
        }
    }

    /// What leaves the full screen, for a signal handler that may not call curses.
    var restoreSequence: [UInt8] {
        ["sgr0", "rmkx", "cnorm", "rmcup"].flatMap { name -> [UInt8] in
            // The library answers -1 for what is no text capability, and NULL where the terminal has none.
            guard let text = tigetstr(name), Int(bitPattern: text) != -1 else { return [] }
            return Self.withoutPadding(Array(String(cString: text).utf8))
        } + (hasMouse ? Array("\u{1B}[?1000l\u{1B}[?1006l".utf8) : []) + [UInt8(ascii: "\r"), UInt8(ascii: "\n")]
    }

    func close() {
        endwin()
        delscreen(handle)
    }

    /// Gives the terminal to the shell and stops, as Ctrl-Z does. Returns when the program is told to go on.
    func suspend() {
        endwin()
        TerminalRescue.stop()
        reset()
    }

    /// Takes the terminal again.
    private func reset() {
        repaint()
        wrefresh(routerd_stdscr())
    }

    var size: Size {
        var window = winsize()
        if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 {
            return Size(columns: Int(window.ws_col), rows: Int(window.ws_row))
        }
        return Size(columns: Int(getmaxx(routerd_stdscr())), rows: Int(getmaxy(routerd_stdscr())))
    }

    /// Makes curses' idea of the size that of the terminal.
    func resize(to size: Size) {
        resizeterm(Int32(size.rows), Int32(size.columns))
        repaint()
    }

    /// The next `show` draws everything.
    func repaint() {
        shown = nil
        clearok(routerd_stdscr(), true)
    }

    /// Draws the cells that differ from what is shown; curses sends of those what changed.
    func show(_ screen: Screen) {
        let window = routerd_stdscr()
        let before = shown?.size == screen.size ? shown?.rows : nil
        var hasChanged = before == nil
        if hasChanged { werase(window) }
        var text: [wchar_t] = []
        for (row, cells) in screen.rows.enumerated() where before?[row] != cells {
            draw(cells, instead: before?[row], row: Int32(row), window, &text)
            hasChanged = true
        }
        guard hasChanged else { return }
        wnoutrefresh(window)
        doupdate()
        shown = screen
    }

    /// The next key or click; nil if there is none.
    func nextEvent() -> Event? {
        while true {
            var code: wint_t = 0
            let result = wget_wch(routerd_stdscr(), &code)
            if result == KEY_CODE_YES {
                if Int32(bitPattern: code) == KEY_MOUSE {
                    if let mouse = nextMouse() { return .mouse(mouse) }
                } else if let key = Self.key(code: Int32(bitPattern: code)) {
                    return .key(key)
                }
            } else if result == OK {
                switch code {
                case 8, 127: return .key(.backspace)
                case 9: return .key(.tab)
                case 10, 13: return .key(.enter)
                case 27: return .key(.escape)
                default:
                    if let scalar = Unicode.Scalar(code) { return .key(.character(Character(scalar))) }
                }
            } else {
                return nil
            }
        }
    }

    private func nextMouse() -> Mouse? {
        var column: Int32 = 0
        var row: Int32 = 0
        return switch routerd_mouse(&column, &row) {
        case 1: .click(column: Int(column), row: Int(row))
        case 4: .wheel(-3)
        case 5: .wheel(3)
        default: nil
        }
    }

    /// - Parameters:
    ///   - before: the row as it is shown; nil to draw all of it. Most of a row stays as it is.
    ///   - text: room for a run of characters, used for all of them.
    private func draw(
        _ cells: [Cell], instead before: [Cell]?, row: Int32, _ window: UnsafeMutablePointer<WINDOW>?, _ text: inout [wchar_t]
    ) {
        var column = 0
        while column < cells.count {
            if let before, before[column] == cells[column] {
                column += 1
                continue
            }
            // Half a wide character cannot be drawn.
            if cells[column].isCovered, column > 0 { column -= 1 }
            let style = cells[column].style
            let start = column
            text.removeAll(keepingCapacity: true)
            repeat {
                for scalar in cells[column].text.unicodeScalars { text.append(wchar_t(bitPattern: scalar.value)) }
                column += 1
            } while column < cells.count && (cells[column].isCovered || cells[column].style == style && before?[column] != cells[column])
            let looks = theme.attributes(style)
            let attributes = routerd_attributes(looks.bold ? 1 : 0, looks.dim ? 1 : 0, looks.reverse ? 1 : 0, looks.underline ? 1 : 0)
            wattr_set(window, attributes, looks.colour.flatMap { pairs[$0] } ?? 0, nil)
            wmove(window, row, Int32(start))
            waddnwstr(window, text, Int32(text.count))
        }
    }

    private static func key(code: Int32) -> Key? {
        switch code {
        case KEY_UP: .up
        case KEY_DOWN: .down
        case KEY_LEFT: .left
        case KEY_RIGHT: .right
        case KEY_BACKSPACE, KEY_DC: .backspace
        case KEY_PPAGE: .pageUp
        case KEY_NPAGE: .pageDown
        case KEY_HOME: .home
        case KEY_END: .end
        case KEY_BTAB: .backTab
        case KEY_ENTER: .enter
        case (KEY_F0 + 1)...(KEY_F0 + 12): .function(Int(code - KEY_F0))
        default: nil
        }
    }

    /// The environment's locale; where it is named UTF-8 but not installed, the one that always is.
    private static func setLocale(_ environment: [String: String]) {
        if setlocale(LC_ALL, "") != nil { return }
        let name = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        if name.lowercased().contains("utf") { setlocale(LC_ALL, "C.UTF-8") }
    }

    /// Takes the delays (`$<5>`) out of a terminal's sequence.
    private static func withoutPadding(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "$"), index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "<"),
                let end = bytes[index...].firstIndex(of: UInt8(ascii: ">"))
            {
                index = end + 1
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return result
    }
}
