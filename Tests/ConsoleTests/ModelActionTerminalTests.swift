// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

/// Actions on models with real keys, where a model is named at an endpoint and where the daemon takes long. Without it a pull of an hour
/// would look like a console that hangs.
@Suite(.serialized, .enabled(if: Tmux.exists, "SKIPPED: tmux is not installed, so the console is not tested on a terminal"))
struct ModelActionTerminalTests {
    @Test(arguments: TopTests.sizes)
    func anEndpointIsToldToLoadAModelThatIsTyped(columns: Int, rows: Int) throws {
        try withTop(columns: columns, rows: rows) { tmux, daemon in
            tmux.press("j")
            tmux.press("l")
            #expect(tmux.shows(": █"), "\(tmux.screen)")
            tmux.write("phi4:14b")
            tmux.press("Enter")
            #expect(tmux.shows("routerctl load phi4:14b --endpoint gpu-2") && tmux.shows("y yes"), "\(tmux.screen)")
            #expect(daemon.lines(of: "model.load").isEmpty, "nothing is done before the answer")
            tmux.press("y")
            #expect(tmux.shows("load phi4:14b: done on gpu-2"), "\(tmux.screen)")
            let calls = daemon.lines(of: "model.load")
            #expect(calls.count == 1 && calls[0].contains(#""endpoint":"gpu-2""#) && calls[0].contains(#""model":"phi4:14b""#), "\(calls)")
        }
    }

    /// Where one model is loaded, it is the one that is meant: its name stands there to be confirmed.
    @Test func anEndpointIsToldToUnloadTheModelThatItHas() throws {
        try withTop { tmux, daemon in
            tmux.press("j")
            tmux.press("u")
            #expect(tmux.shows("llama3.2:3b█"), "\(tmux.screen)")
            tmux.press("Enter")
            #expect(tmux.shows("routerctl unload llama3.2:3b --endpoint gpu-2") && tmux.shows("y yes"), "\(tmux.screen)")
            tmux.press("y")
            #expect(tmux.shows("unload llama3.2:3b: done on gpu-2"), "\(tmux.screen)")
            let calls = daemon.lines(of: "model.unload")
            #expect(calls.count == 1 && calls[0].contains(#""endpoint":"gpu-2""#), "\(calls)")
        }
    }

    @Test func whatTheEndpointAnswersToAFailedLoadIsShown() throws {
        try withTop { tmux, daemon in
            daemon.change { $0.outcomes = [.init(endpoint: "gpu-1", failure: "model 'phi5' not found")] }
            tmux.press("l")
            tmux.write("phi5")
            tmux.press("Enter")
            #expect(tmux.shows("y yes"), "\(tmux.screen)")
            tmux.press("y")
            #expect(tmux.shows("gpu-1: model 'phi5' not found"), "\(tmux.screen)")
        }
    }

    @Test(arguments: TopTests.sizes)
    func aPullShowsHowFarItIsUntilItIsDone(columns: Int, rows: Int) throws {
        let hold = DispatchSemaphore(value: 0)
        // Whatever fails here, the fake's thread must not wait for ever.
        defer { hold.signal() }
        try withTop("--view models", columns: columns, rows: rows) { tmux, daemon in
            #expect(tmux.shows("nomic-embed"), "\(tmux.screen)")
            daemon.change { state in
                state.progress = [
                    ModelProgress(endpoint: "gpu-1", status: "pulling manifest"),
                    ModelProgress(endpoint: "gpu-1", status: "pulling 8eeb52dfb3bb", completed: 1_500_000_000, total: 4_700_000_000),
                ]
                state.beforeOutcome = { hold.wait() }
            }
            tmux.press("P")
            #expect(tmux.shows(": █"), "\(tmux.screen)")
            tmux.write("phi4:14b")
            tmux.press("Enter")
            #expect(tmux.shows("routerctl pull phi4:14b") && tmux.shows("y yes"), "\(tmux.screen)")
            tmux.press("y")
            #expect(tmux.shows("31% 1.5 GB of 4.7 GB"), "\(tmux.screen)")
            let bar = tmux.screen.split(separator: "\n").last.map(String.init) ?? ""
            #expect(bar.contains("pull phi4:14b: pulling"), "\(bar)")
            // A third of the bar, in cells.
            let cells = min(30, columns / 4)
            #expect(bar.filter { $0 == "━" }.count == cells * 1500 / 4700 && bar.filter { $0 == "─" }.count == cells - cells * 1500 / 4700, "\(bar)")
            // The console is not busy meanwhile.
            tmux.press("3")
            #expect(tmux.shows("PHASE") && tmux.screen.contains("31%"), "\(tmux.screen)")
            hold.signal()
            #expect(tmux.shows("pull phi4:14b: done on gpu-1"), "\(tmux.screen)")
            #expect(daemon.lines(of: "model.pull").count == 1)
        }
    }
}
