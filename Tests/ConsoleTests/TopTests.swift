// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

/// The real `routerctl top` in a real terminal, tmux's, with real keys.
///
/// One at a time: each has a tmux server of its own.
@Suite(.serialized, .enabled(if: Tmux.exists, "SKIPPED: tmux is not installed, so the console is not tested on a terminal"))
struct TopTests {
    /// Runs `body` with a shell on a terminal, in which `top` has been started and has drawn.
    private func withTop(environment: String = "", columns: Int = 80, rows: Int = 24, _ body: (Tmux, FakeDaemon) throws -> Void) throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        let tmux = try Tmux(folder: daemon.folder, columns: columns, rows: rows)
        defer { tmux.stop() }
        tmux.type(
            "stty -a > \(daemon.folder)/before; \(environment) \(RealProgram.routerctl) top --socket \(daemon.path); "
                + "echo status=$?; stty -a > \(daemon.folder)/after")
        #expect(tmux.shows("live") && tmux.shows("gpu-1"), "\(tmux.screen)")
        try body(tmux, daemon)
    }

    private func modes(_ daemon: FakeDaemon, _ name: String) throws -> String {
        try String(contentsOfFile: "\(daemon.folder)/\(name)", encoding: .utf8)
    }

    @Test func itDrawsDrainsAfterAYesAndQRestoresTheTerminal() throws {
        try withTop { tmux, daemon in
            #expect(tmux.screen.contains("Endpoints 3"))
            #expect(tmux.screen.contains("llama3.2:3b"))
            tmux.press("d")
            #expect(tmux.shows("Drain gpu-1?"))
            #expect(!daemon.calls.contains("drain gpu-1"))
            tmux.press("y")
            #expect(tmux.shows("gpu-1 is draining, 3 in flight"), "\(tmux.screen)")
            #expect(daemon.calls.contains("drain gpu-1"))
            tmux.press("q")
            #expect(tmux.shows("status=0"), "\(tmux.screen)")
            #expect(tmux.isNormal)
            let written = RealProgram.eventually { (try? modes(daemon, "after").isEmpty) == false }
            #expect(written)
            let before = try modes(daemon, "before")
            let after = try modes(daemon, "after")
            #expect(before == after)
        }
    }

    @Test func aResizeRedrawsAtOnce() throws {
        try withTop { tmux, _ in
            #expect(!tmux.screen.contains("ROUTE"))
            tmux.resize(columns: 160, rows: 40)
            #expect(tmux.shows("ROUTE"), "\(tmux.screen)")
            tmux.resize(columns: 20, rows: 10)
            let small = RealProgram.eventually { !tmux.screen.contains("ROUTE") && tmux.screen.contains("gpu-1") && tmux.screen.contains("q Quit") }
            #expect(small, "\(tmux.screen)")
        }
    }

    @Test(arguments: [
        ("INT", "status=0"), ("TERM", "status=143"), ("HUP", "status=129"), ("SEGV", "status=139"), ("ABRT", "status=134"), ("TRAP", "status=133"),
    ])
    func aSignalLeavesTheTerminalAsItWas(signal: String, status: String) throws {
        try withTop { tmux, daemon in
            tmux.signal(signal)
            #expect(tmux.shows(status), "\(tmux.screen)")
            let written = RealProgram.eventually { (try? modes(daemon, "after").isEmpty) == false }
            #expect(written)
            let before = try modes(daemon, "before")
            let after = try modes(daemon, "after")
            #expect(before == after)
            #expect(tmux.isNormal)
        }
    }

    @Test func controlCLeaves() throws {
        try withTop { tmux, _ in
            tmux.press("C-c")
            #expect(tmux.shows("status=0"), "\(tmux.screen)")
        }
    }

    @Test func aDaemonThatGoesLeavesItsLastPictureMarkedStaleAndIsFoundAgain() throws {
        try withTop { tmux, daemon in
            daemon.hangUp()
            #expect(tmux.shows("STALE"), "\(tmux.screen)")
            #expect(tmux.screen.contains("gpu-1"))
            try daemon.listen()
            #expect(tmux.shows("live"), "\(tmux.screen)")
            #expect(!tmux.screen.contains("STALE"))
        }
    }

    @Test func aTerminalWithoutColoursAndALocaleWithoutUTF8AreServed() throws {
        try withTop(environment: "TERM=vt100 LC_ALL=C") { tmux, _ in
            let screen = tmux.screen
            #expect(screen.utf8.allSatisfy { $0 < 0x80 }, "\(screen)")
            #expect(screen.contains("> gpu-1"))
            tmux.press("q")
            #expect(tmux.shows("status=0"))
        }
        try withTop(environment: "NO_COLOR=1") { tmux, _ in
            let coloured = tmux.colouredScreen
            #expect(!coloured.contains("\u{1B}[32m") && !coloured.contains("\u{1B}[36m") && !coloured.contains("\u{1B}[33m"))
        }
    }

    @Test func anUnknownTerminalIsToldAndNothingIsDrawn() throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        let tmux = try Tmux(folder: daemon.folder, columns: 80, rows: 24)
        defer { tmux.stop() }
        tmux.type("TERM=no-such-thing \(RealProgram.routerctl) top --socket \(daemon.path); echo status=$?")
        #expect(tmux.shows("status=1"), "\(tmux.screen)")
        #expect(tmux.screen.contains("no-such-thing"))
    }
}
