// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

/// Tab in a real, interactive bash. It breaks words at colons, so that without these `llama3.2:3` and Tab would find nothing, or make
/// `llama3.2:llama3.2:3b` of it.
@Suite(.serialized, .enabled(if: Tmux.exists, "SKIPPED: tmux is not installed, so bash's completion is not tested on a terminal"))
struct BashCompletionTests {
    private func withBash(_ setUp: String = "", _ body: (_ complete: (String) -> String, FakeDaemon) throws -> Void) throws {
        let daemon = try FakeDaemon()
        defer { daemon.stop() }
        let tmux = try Tmux(folder: daemon.folder, columns: 120, rows: 50)
        defer { tmux.stop() }
        let programs = (RealProgram.routerctl as NSString).deletingLastPathComponent
        tmux.type(
            "exec env PATH=\(programs):/usr/bin:/bin NOMYO_ROUTER_CONTROL_SOCKET=\(daemon.path) TERM=dumb 'PS1=> ' bash --norc --noprofile -i")
        tmux.type("bind 'set enable-bracketed-paste off'; \(setUp.isEmpty ? ":" : setUp); source <(routerctl completion bash) && echo rea\"\"dy")
        #expect(tmux.shows("\nready"), "\(tmux.screen)")
        var number = 0
        /// What the line is after Tab. The line is not run: bash prints it.
        func complete(_ line: String) -> String {
            number += 1
            tmux.write(line)
            tmux.press("Tab")
            // Read after the completion is over: bash takes keys one after the other. The line becomes a text between marks.
            tmux.press("C-e")
            tmux.write("' =\(number)=")
            tmux.press("C-a")
            tmux.write("echo '")
            tmux.press("Enter")
            let end = " =\(number)="
            let isShown = RealProgram.eventually(15) { tmux.screen.split(separator: "\n").contains { !$0.hasPrefix(">") && $0.hasSuffix(end) } }
            let shown = tmux.screen.split(separator: "\n").last { !$0.hasPrefix(">") && $0.hasSuffix(end) }
            return isShown ? String(shown?.dropLast(end.count) ?? "") : "nothing: \(tmux.screen)"
        }
        try body(complete, daemon)
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/bin/bash"), "SKIPPED: no bash"))
    func aModelIsCompletedBeforeAtAndBehindItsColon() throws {
        try withBash { complete, daemon in
            daemon.change { state in
                var tagged = state.models[0]
                tagged.name = "hf.co/org/m:q4:a"
                state.models.append(tagged)
            }
            #expect(complete("routerctl load llama3.2:3") == "routerctl load llama3.2:3b ")
            #expect(complete("routerctl load llama3.2:") == "routerctl load llama3.2:3b ")
            // As a name, and not as a file's, whose colon would be escaped.
            #expect(complete("routerctl load llama") == "routerctl load llama3.2:3b ")
            #expect(complete("routerctl load hf.co/org/m:q4:") == "routerctl load hf.co/org/m:q4:a ")
            #expect(complete("routerctl load hf.co/org/m:q") == "routerctl load hf.co/org/m:q4:a ")
            #expect(complete("routerctl load nothing:3") == "routerctl load nothing:3")
            // What stands before it on the line may have colons too.
            #expect(complete("routerctl load --socket \(daemon.path) --keep-alive 1:2 nomic-embed-text:l").hasSuffix(" nomic-embed-text:latest "))
            // After a name with a colon comes the next word.
            #expect(complete("routerctl load llama3.2:3b --end") == "routerctl load llama3.2:3b --endpoint ")
            #expect(complete("routerctl load llama3.2:3b --endpoint cpu") == "routerctl load llama3.2:3b --endpoint cpu-box ")
        }
    }

    /// Who took the colon out of `COMP_WORDBREAKS` has whole words, and bash must not be told otherwise.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/bin/bash"), "SKIPPED: no bash"))
    func withoutBreaksAtColonsNamesAreWhole() throws {
        try withBash("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}") { complete, _ in
            #expect(complete("routerctl load llama3.2:3") == "routerctl load llama3.2:3b ")
            #expect(complete("routerctl drain gpu-1 cpu") == "routerctl drain gpu-1 cpu-box ")
        }
    }
}
