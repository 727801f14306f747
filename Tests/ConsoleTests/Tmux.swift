// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

/// A terminal for the test: a tmux server with one shell.
final class Tmux {
    static let program = ["/usr/bin/tmux", "/usr/local/bin/tmux", "/opt/homebrew/bin/tmux"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    static var exists: Bool { program != nil }

    private let socket: String

    init(folder: String, columns: Int, rows: Int) throws {
        socket = "\(folder)/tmux.sock"
        // A plain shell: no start-up files, no prompt that could look like what a test waits for.
        tmux(["new-session", "-d", "-x", "\(columns)", "-y", "\(rows)", "env", "-u", "NO_COLOR", "LC_ALL=C.UTF-8", "PS1=$ ", "/bin/sh"])
        _ = RealProgram.eventually { !screen.isEmpty }
    }

    func stop() { tmux(["kill-server"]) }

    /// A line for the shell.
    func type(_ line: String) {
        tmux(["send-keys", "-l", line])
        press("Enter")
    }

    /// Text without an end of line.
    func write(_ text: String) { tmux(["send-keys", "-l", text]) }

    /// A click as a terminal reports it, in cells from 0.
    func click(column: Int, row: Int) {
        // Pressed and let go: curses takes a button that was never let go for one that is still down.
        let bytes = [0x20, 0x23].flatMap { [0x1B, 0x5B, 0x4D, $0, column + 33, row + 33] }
        tmux(["send-keys", "-H"] + bytes.map { String($0, radix: 16) })
    }

    func press(_ key: String) { tmux(["send-keys", key]) }

    func resize(columns: Int, rows: Int) { tmux(["resize-window", "-x", "\(columns)", "-y", "\(rows)"]) }

    var screen: String { tmux(["capture-pane", "-p"]) }

    var colouredScreen: String { tmux(["capture-pane", "-p", "-e"]) }

    /// Whether the terminal is out of the full screen and its cursor shown.
    var isNormal: Bool { tmux(["display-message", "-p", "#{alternate_on} #{cursor_flag}"]) == "0 1\n" }

    func shows(_ text: String) -> Bool { RealProgram.eventually(15) { screen.contains(text) } }

    /// Sends a signal to the program that runs in the shell: the only child it has.
    func signal(_ name: String) {
        let shell = tmux(["display-message", "-p", "#{pane_pid}"]).trimmingCharacters(in: .whitespacesAndNewlines)
        let children = try? String(contentsOfFile: "/proc/\(shell)/task/\(shell)/children", encoding: .utf8)
        guard let child = children?.split(separator: " ").first else { return }
        _ = try? RealProgram.run(["-\(name)", String(child)], executable: "/bin/kill")
    }

    @discardableResult
    private func tmux(_ arguments: [String]) -> String {
        guard let program = Self.program else { return "" }
        return (try? RealProgram.run(["-S", socket, "-f", "/dev/null", "-u"] + arguments, executable: program))?.out ?? ""
    }
}

/// Runs `body` with a shell on a terminal, in which `top` has been started and has drawn.
func withTop(
    _ options: String = "", environment: String = "", columns: Int = 80, rows: Int = 24, _ body: (Tmux, FakeDaemon) throws -> Void
) throws {
    let daemon = try FakeDaemon()
    defer { daemon.stop() }
    daemon.change { state in
        state.status.cache.enabled = true
        state.status.cache.namespaces = [.init(name: "ns-1", model: "llama3.2:3b", tenant: "team-a", entries: 3, bytes: 1000)]
    }
    let tmux = try Tmux(folder: daemon.folder, columns: columns, rows: rows)
    defer { tmux.stop() }
    tmux.type(
        "stty -a > \(daemon.folder)/before; \(environment) \(RealProgram.routerctl) top \(options) --socket \(daemon.path); "
            + "echo status=$?; stty -a > \(daemon.folder)/after")
    #expect(tmux.shows("live") && tmux.shows("gpu-1"), "\(tmux.screen)")
    try body(tmux, daemon)
}
