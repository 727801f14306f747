// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

@testable import Console

/// Screens as text.
@Suite struct ScreenTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Screens")

    /// Compares with a file; `ROUTERD_UPDATE_GOLDEN=1` writes it anew.
    private func check(_ model: Model, _ name: String, theme: Theme = ModelSample.theme) throws {
        let text = ModelSample.lines(model, theme).joined(separator: "\n") + "\n"
        let file = Self.folder.appendingPathComponent("\(name).txt")
        if ProcessInfo.processInfo.environment["ROUTERD_UPDATE_GOLDEN"] == "1" { try Data(text.utf8).write(to: file) }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(text == expected, "differs from \(name).txt")
    }

    @Test(arguments: [(80, 24), (200, 60), (40, 16), (20, 10)])
    func theWholeScreenAtEachSize(columns: Int, rows: Int) throws {
        try check(ModelSample.model(columns: columns, rows: rows), "\(columns)x\(rows)")
    }

    @Test func theWholeScreenInASCII() throws {
        try check(ModelSample.model(), "80x24-ascii", theme: Theme(hasColours: false, isASCII: true))
    }

    @Test func aQuestionAStalePictureAndTheHelp() throws {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("d"))
        try check(model, "question")
        _ = ModelSample.keys(&model, .character("n"))
        _ = update(&model, .lost("no routerd at /run/routerd/control.sock: there is no such socket"))
        _ = update(&model, .tick(nowMs: model.snapshotMs + 12_000))
        try check(model, "stale")
        #expect(ModelSample.lines(model)[0].hasSuffix("STALE 12s"))
        _ = ModelSample.keys(&model, .character("?"))
        try check(model, "help")
    }

    @Test func everySizeHasAsManyCellsAsItSaysAndNoneIsWiderThanItsRow() {
        for columns in [1, 2, 5, 10, 19, 33, 64, 79, 132, 300] {
            for rows in [1, 2, 3, 5, 8, 9, 14, 17, 40] {
                for help in [false, true] {
                    var model = ModelSample.model(columns: columns, rows: rows)
                    model.showsHelp = help
                    let screen = draw(model, theme: ModelSample.theme)
                    #expect(screen.rows.count == rows)
                    #expect(screen.rows.allSatisfy { $0.count == columns })
                    #expect(screen.lines.allSatisfy { DisplayText.width($0) <= columns }, "\(columns)x\(rows)")
                }
            }
        }
    }

    @Test func theSmallestScreensStillTellNameStateAndLoadAndHowToLeave() {
        let lines = ModelSample.lines(ModelSample.model(columns: 20, rows: 10))
        #expect(lines.contains { $0.contains("gpu-1") && $0.contains("3/4") && $0.contains("●") })
        #expect(lines.contains { $0.contains("cpu-box") && $0.contains("✗") })
        #expect(lines.last?.contains("q Quit") == true)
    }

    @Test func aLowScreenShowsThePaneThatHasTheKeys() {
        var model = ModelSample.model(columns: 80, rows: 10)
        #expect(ModelSample.lines(model).contains { $0.contains("Endpoints 3") })
        #expect(!ModelSample.lines(model).contains { $0.contains("Requests 3") })
        _ = ModelSample.keys(&model, .tab)
        #expect(ModelSample.lines(model).contains { $0.contains("Requests 3") })
    }

    @Test func theSelectedRowIsOnTheScreenWhereverItIsInTheList() {
        var model = Model(size: Size(columns: 80, rows: 24))
        let endpoints = (0..<100).map { number in
            var endpoint = Sample.endpoints[0]
            endpoint.name = "server-\(number)"
            return endpoint
        }
        _ = update(&model, .snapshot(ModelSample.snapshot(endpoints: endpoints)))
        for number in 0..<100 {
            let lines = ModelSample.lines(model)
            #expect(lines.contains { $0.hasPrefix("▸ server-\(number) ") })
            _ = ModelSample.keys(&model, .down)
        }
    }

    @Test func noControlCharacterOfANameReachesTheScreen() {
        var model = ModelSample.model()
        var endpoint = Sample.endpoints[0]
        endpoint.name = "a\u{1B}[31mb\u{9B}c\n\u{202E}d"
        endpoint.reason = "\u{07}\r\t"
        var request = Sample.requests[0]
        request.model = "\u{1B}]0;title\u{07}"
        _ = update(&model, .snapshot(ModelSample.snapshot(sequence: 3, atMs: 3000, endpoints: [endpoint], requests: [request], total: 2022)))
        _ = update(&model, .answered(.drain, endpoint: "x", answer: .failure(AnswerFailure("\u{1B}[2J"))))
        let cells = draw(model, theme: ModelSample.theme).rows.joined()
        #expect(cells.allSatisfy { $0.text.unicodeScalars.allSatisfy(DisplayText.isPrintable) })
    }

    @Test func inASCIINothingElseIsDrawn() {
        var model = ModelSample.model()
        var endpoint = Sample.endpoints[0]
        endpoint.name = "büro-漢字"
        _ = update(&model, .snapshot(ModelSample.snapshot(sequence: 3, atMs: 3000, endpoints: [endpoint], total: 2022)))
        for keys in [[], [Key.character("?")], [.escape, .character("d")]] {
            for key in keys { _ = update(&model, .key(key)) }
            let lines = ModelSample.lines(model, Theme(hasColours: false, isASCII: true))
            #expect(lines.joined().utf8.allSatisfy { $0 < 0x80 })
        }
    }

    @Test func wideCharactersTakeTwoCellsAndMarksNone() {
        var screen = Screen(size: Size(columns: 6, rows: 1))
        let end = screen.put("漢e\u{301}字x", row: 0, column: 0)
        #expect(end == 6)
        #expect(screen.rows[0].map(\.text) == ["漢", "", "e\u{301}", "字", "", "x"])
        // Half of a wide character has no place.
        screen.put("漢", row: 0, column: 5)
        #expect(screen.rows[0][5].text == "x")
    }

    @Test func theQuestionNamesItsEndpointAtEveryWidth() {
        for columns in [14, 20, 30, 40, 80, 200] {
            var model = ModelSample.model(columns: columns, rows: 10)
            _ = ModelSample.keys(&model, .character("d"))
            let last = ModelSample.lines(model).last ?? ""
            #expect(last.contains("gpu-1") && last.contains("?"), "\(columns): \(last)")
        }
    }

    @Test func withoutColoursWhatMattersDiffersFromPlainText() {
        let mono = Theme(hasColours: false, isASCII: false)
        let plain = mono.attributes(CellStyle(role: .plain))
        for role in [Role.bad, .warning, .question, .error, .title, .keyName] {
            #expect(mono.attributes(CellStyle(role: role)) != plain, "\(role)")
        }
        for role in Role.allCases {
            #expect(mono.attributes(CellStyle(role: role)).colour == nil)
            #expect(mono.attributes(CellStyle(role: role, isSelected: true)).reverse)
        }
        let states = ["up", "degraded", "loading", "draining", "maintenance", "down"]
        for ascii in [false, true] {
            let theme = Theme(hasColours: false, isASCII: ascii)
            #expect(Set(states.map(theme.stateGlyph)).count == states.count)
        }
    }
}

/// The key table is the only list of keys.
@Suite struct KeyTableTests {
    @Test func everyKeyIsInTheHelp() {
        for ascii in [false, true] {
            let help = HelpPage.lines(ascii: ascii)
            for binding in KeyTable.bindings {
                for key in binding.keys {
                    let name = KeyTable.name(key, ascii: ascii)
                    #expect(help.contains { $0.text == binding.help && $0.key.split(separator: " ").contains(Substring(name)) }, "\(name)")
                }
            }
        }
    }

    @Test func noKeyStandsTwiceInTheTable() {
        let keys = KeyTable.bindings.flatMap(\.keys)
        #expect(Set(keys).count == keys.count)
    }

    @Test func everyActionHasAKeyAndEveryHelpCanBeScrolledToOnASmallScreen() {
        let actions = Set(KeyTable.bindings.map(\.action))
        #expect(actions.isSuperset(of: Change.allCases.map { Action.change($0) }))
        #expect(actions.isSuperset(of: [.up, .down, .pageUp, .pageDown, .home, .end, .switchPane, .help, .quit]))
        var model = ModelSample.model(columns: 20, rows: 10)
        _ = ModelSample.keys(&model, .character("?"), .end)
        #expect(ModelSample.lines(model).contains { $0.hasPrefix("Esc") })
    }
}
