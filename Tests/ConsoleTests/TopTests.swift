// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

/// The real `routerctl top` in a real terminal, tmux's, with real keys: without it a key that curses spells otherwise, or a terminal
/// that is left in pieces, would show at the operator's desk only.
///
/// One at a time: each has a tmux server of its own.
@Suite(.serialized, .enabled(if: Tmux.exists, "SKIPPED: tmux is not installed, so the console is not tested on a terminal"))
struct TopTests {
    static let sizes = [(80, 24), (200, 60)]

    private func modes(_ daemon: FakeDaemon, _ name: String) throws -> String {
        try String(contentsOfFile: "\(daemon.folder)/\(name)", encoding: .utf8)
    }

    private func isRestored(_ tmux: Tmux, _ daemon: FakeDaemon) throws -> Bool {
        let written = RealProgram.eventually { (try? modes(daemon, "after").isEmpty) == false }
        let before = try modes(daemon, "before")
        let after = try modes(daemon, "after")
        return written && before == after && tmux.isNormal
    }

    @Test(arguments: sizes)
    func everyViewShowsWhatItIsAbout(columns: Int, rows: Int) throws {
        try withTop(columns: columns, rows: rows) { tmux, _ in
            let views = [
                ("2", "nomic-embed"), ("3", "qwen2.5-coder"), ("4", "BLOCKED BY"), ("5", "team-a"), ("6", "34.0k"),
                ("7", "control socket is open"), ("1", "▼ draining"),
            ]
            for (key, text) in views {
                tmux.press(key)
                #expect(tmux.shows(text), "view \(key): \(tmux.screen)")
            }
            tmux.press("Enter")
            #expect(tmux.shows("Endpoints › gpu-1"), "\(tmux.screen)")
            tmux.press("Escape")
            tmux.press("?")
            #expect(tmux.shows("Keys of Endpoints"), "\(tmux.screen)")
        }
    }

    /// An action: keys, what is typed then, the question, the call, the answer.
    private struct Step {
        var keys: [String]
        var typed = ""
        var line: String
        var method: String
        var params: [String]
        var answer: String
    }

    private static let steps = [
        Step(
            keys: ["1", "g", "d"], line: "routerctl drain gpu-1", method: "drain", params: [#""endpoint":"gpu-1""#],
            answer: "gpu-1 is draining, 3 in flight"),
        Step(
            keys: ["m"], line: "routerctl maintenance gpu-1", method: "maintenance", params: [#""endpoint":"gpu-1""#],
            answer: "gpu-1 is maintenance, 3 in flight"),
        Step(keys: ["e"], line: "routerctl resume gpu-1", method: "resume", params: [#""endpoint":"gpu-1""#], answer: "gpu-1 is up, 3 in flight"),
        Step(
            keys: ["w"], typed: "2.5", line: "routerctl weight gpu-1 2.5", method: "weight", params: [#""endpoint":"gpu-1""#, #""weight":2.5"#],
            answer: "gpu-1 has weight 2.5"),
        Step(
            keys: ["P"], typed: "phi4:14b", line: "routerctl pull phi4:14b --endpoint gpu-1", method: "model.pull",
            params: [#""endpoint":"gpu-1""#, #""model":"phi4:14b""#], answer: "pull phi4:14b: done on gpu-1"),
        Step(
            keys: ["2", "g", "l"], line: "routerctl load llama3.2:3b", method: "model.load", params: [#""model":"llama3.2:3b""#],
            answer: "load llama3.2:3b: done on gpu-1"),
        Step(
            keys: ["u"], line: "routerctl unload llama3.2:3b", method: "model.unload", params: [#""model":"llama3.2:3b""#],
            answer: "unload llama3.2:3b: done"),
        Step(
            keys: ["D"], line: "routerctl delete llama3.2:3b", method: "model.delete", params: [#""model":"llama3.2:3b""#],
            answer: "delete llama3.2:3b: done"),
        Step(
            keys: ["C"], typed: "mine", line: "routerctl copy llama3.2:3b mine", method: "model.copy",
            params: [#""model":"llama3.2:3b""#, #""destination":"mine""#], answer: "to mine: done"),
        Step(
            keys: ["c"], line: "routerctl cache invalidate --model llama3.2:3b", method: "cache.invalidate", params: [#""model":"llama3.2:3b""#],
            answer: "3 answers cleared"),
        Step(keys: ["3", "g", "x"], line: "routerctl cancel r-101", method: "cancel", params: [#""id":"r-101""#], answer: "r-101 is cancelled"),
        Step(keys: ["4", "g", "F9"], line: "routerctl cancel r-103", method: "cancel", params: [#""id":"r-103""#], answer: "r-103 is cancelled"),
        Step(
            keys: ["5", "g", "c"], line: "routerctl cache invalidate --namespace ns-1", method: "cache.invalidate", params: [#""namespace":"ns-1""#],
            answer: "3 answers cleared"),
        Step(keys: ["C"], line: "routerctl cache invalidate --all", method: "cache.invalidate", params: [], answer: "3 answers cleared"),
        Step(keys: ["R"], line: "routerctl reload", method: "reload", params: [], answer: "Reloaded: 1 change; 1 wait for a restart"),
    ]

    @Test(arguments: sizes)
    func everyActionAsksFirstMakesItsCallAndShowsTheAnswer(columns: Int, rows: Int) throws {
        try withTop(columns: columns, rows: rows) { tmux, daemon in
            for step in Self.steps {
                func calls() -> [String] { daemon.lines(of: step.method).filter { !$0.contains(#""dry_run":true"#) } }
                let before = calls().count
                for key in step.keys { tmux.press(key) }
                if !step.typed.isEmpty {
                    #expect(tmux.shows(": █"), "\(step.line): \(tmux.screen)")
                    tmux.write(step.typed)
                    tmux.press("Enter")
                }
                #expect(tmux.shows(step.line) && tmux.shows("y yes"), "\(step.line): \(tmux.screen)")
                #expect(calls().count == before, "nothing is done before the answer")
                tmux.press("y")
                #expect(tmux.shows(step.answer), "\(step.line): \(tmux.screen)")
                let made = calls().dropFirst(before)
                #expect(made.count == 1, "\(step.line)")
                for param in step.params { #expect(made.allSatisfy { $0.contains(param) }, "\(made)") }
            }
            tmux.press("2")
            tmux.press("i")
            #expect(tmux.shows("parameters"), "\(tmux.screen)")
            #expect(daemon.lines(of: "model.show").count == 1)
        }
    }

    @Test func whatTheDaemonWarnsOfStandsInTheQuestion() throws {
        try withTop { tmux, daemon in
            daemon.change { $0.warnings = ["gpu-1 is the last endpoint that serves qwen2.5-coder:14b"] }
            tmux.press("d")
            #expect(tmux.shows("warning: gpu-1 is the last endpoint that serves qwen2.5-coder:14b"), "\(tmux.screen)")
            tmux.press("n")
            #expect(tmux.shows("q Quit"))
            #expect(!daemon.calls.contains("drain gpu-1"))
        }
    }

    @Test func theDifferenceOfAReloadIsShownFirst() throws {
        try withTop { tmux, daemon in
            tmux.press("R")
            #expect(tmux.shows("endpoint gpu-3 added") && tmux.shows("only with a restart: listen"), "\(tmux.screen)")
            tmux.press("n")
            #expect(tmux.shows("q Quit"))
            #expect(daemon.lines(of: "reload").allSatisfy { $0.contains(#""dry_run":true"#) })
        }
    }

    @Test func readOnlySaysSoAndCallsNothing() throws {
        try withTop("--readonly") { tmux, daemon in
            tmux.press("d")
            #expect(tmux.shows("started with --readonly"), "\(tmux.screen)")
            #expect(!daemon.calls.contains { $0.hasPrefix("drain") })
        }
    }

    @Test func filterSortAndMarksWorkWithRealKeys() throws {
        try withTop("--view requests --interval 200ms") { tmux, daemon in
            #expect(tmux.shows("qwen2.5-coder"))
            tmux.press("/")
            tmux.write("!qwen")
            tmux.press("Enter")
            let isFiltered = RealProgram.eventually { tmux.screen.contains("2 of 3") && !tmux.screen.contains("qwen2.5") }
            #expect(isFiltered, "\(tmux.screen)")
            tmux.press("Space")
            tmux.press("Space")
            #expect(tmux.shows("2 marked"), "\(tmux.screen)")
            tmux.press("F9")
            #expect(tmux.shows("routerctl cancel r-101 r-103"), "\(tmux.screen)")
            tmux.press("y")
            #expect(tmux.shows("r-103 is cancelled"), "\(tmux.screen)")
            #expect(daemon.lines(of: "cancel").count == 2)
            tmux.press("F6")
            #expect(tmux.shows("Sort by"), "\(tmux.screen)")
        }
    }

    @Test func aClickSelectsARowAndGoesToAView() throws {
        try withTop { tmux, _ in
            let row = tmux.screen.split(separator: "\n", omittingEmptySubsequences: false).firstIndex { $0.contains("cpu-box") }
            tmux.click(column: 4, row: try #require(row))
            #expect(tmux.shows("▸ cpu-box"), "\(tmux.screen)")
            tmux.click(column: 15, row: 1)
            #expect(tmux.shows("nomic-embed"), "\(tmux.screen)")
        }
    }

    @Test func qRestoresTheTerminalAndNeverTouchesTheDaemon() throws {
        try withTop { tmux, daemon in
            tmux.press("q")
            #expect(tmux.shows("status=0"), "\(tmux.screen)")
            let restored = try isRestored(tmux, daemon)
            #expect(restored)
            let harmless: Set = ["hello", "subscribe", "history", "tokens"]
            #expect(daemon.calls.allSatisfy { harmless.contains($0) }, "\(daemon.calls)")
        }
    }

    @Test func aResizeRedrawsAtOnce() throws {
        try withTop("--view requests") { tmux, _ in
            #expect(!tmux.screen.contains("ROUTE"))
            tmux.resize(columns: 160, rows: 40)
            #expect(tmux.shows("ROUTE"), "\(tmux.screen)")
            tmux.resize(columns: 20, rows: 10)
            let small = RealProgram.eventually {
                !tmux.screen.contains("ROUTE") && tmux.screen.contains("llama3.2") && tmux.screen.contains("q Quit")
            }
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
            let restored = try isRestored(tmux, daemon)
            #expect(restored)
        }
    }

    @Test func controlZStopsAndFgDrawsAgain() throws {
        try withTop { tmux, _ in
            tmux.press("C-z")
            // SIGTSTP's status: the shell has the terminal.
            #expect(tmux.shows("status=148"), "\(tmux.screen)")
            #expect(tmux.isNormal)
            tmux.type("fg")
            #expect(tmux.shows("live") && tmux.shows("gpu-1"), "\(tmux.screen)")
            tmux.press("3")
            #expect(tmux.shows("qwen2.5-coder"), "\(tmux.screen)")
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

    @Test(arguments: ["no-such-thing", "dumb"])
    func aTerminalThatWillNotDoIsToldAndNothingIsDrawn(name: String) throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        let tmux = try Tmux(folder: daemon.folder, columns: 80, rows: 24)
        defer { tmux.stop() }
        tmux.type("TERM=\(name) \(RealProgram.routerctl) top --socket \(daemon.path); echo status=$?")
        #expect(tmux.shows("status=1"), "\(tmux.screen)")
        #expect(tmux.screen.contains("the terminal \"\(name)\""), "\(tmux.screen)")
    }
}

/// `top --once`: the picture for pipes and reports.
@Suite struct OnceTests {
    @Test(arguments: [
        ("endpoints", "drained by uid 1000"), ("models", "nomic-embed-text:latest"), ("requests", "/v1/chat/completions"),
        ("queue", "gpu-2: draining"),
        ("cache", "Namespaces"), ("tokens", "By model and endpoint"), ("events", "control socket is open"),
    ])
    func itPrintsEveryViewAsTextOnAPipe(view: String, text: String) throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        let outcome = try RealProgram.run(["top", "--once", "--view", view, "--socket", daemon.path], environment: ["COLUMNS": "160"])
        #expect(outcome.status == 0, "\(outcome.err)")
        #expect(outcome.out.contains(text), "\(outcome.out)")
        #expect(!outcome.out.contains("\u{1B}") && !outcome.out.contains("q Quit"))
        #expect(outcome.out.split(separator: "\n", omittingEmptySubsequences: false).allSatisfy { $0.count <= 160 })
    }

    @Test func itHasEveryRowHoweverMany() throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        daemon.change { state in
            state.requests = (0..<200).map { number in
                var request = Sample.requests[0]
                request.id = "r-\(number)."
                return request
            }
        }
        let outcome = try RealProgram.run(["top", "--once", "--view", "requests", "--socket", daemon.path])
        for number in 0..<200 { #expect(outcome.out.contains("r-\(number)."), "\(number)") }
    }

    @Test(arguments: [["--view", "nothing"], ["--interval", "50ms"], ["--interval", "soon"]])
    func wrongUseIsTold(arguments: [String]) throws {
        let outcome = try RealProgram.run(["top", "--once"] + arguments)
        #expect(outcome.status == 2)
        #expect(!outcome.err.isEmpty)
    }
}
