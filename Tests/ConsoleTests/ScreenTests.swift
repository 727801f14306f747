// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

@testable import Console

/// What holds for every screen: without it a name from outside could move the cursor, or a narrow terminal show garbage.
@Suite struct ScreenTests {
    @Test func everySizeHasAsManyCellsAsItSaysAndNoneIsWiderThanItsRow() {
        for columns in [1, 2, 5, 10, 19, 33, 64, 79, 132, 300] {
            for rows in [1, 2, 3, 5, 8, 9, 14, 17, 40, 100] {
                for (index, keys) in [[], [Key.character("?")], [.enter], [.character("R")], [.character("s")], [.character("/")]].enumerated() {
                    var model = SimulatedFleet.model(View.allCases[(columns + rows + index) % 7], columns: columns, rows: rows)
                    for key in keys { _ = update(&model, .key(key)) }
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
        #expect(lines.contains { $0.contains("gpu-1") && $0.contains("3/8") && $0.contains("●") })
        #expect(lines.contains { $0.contains("cpu-box") && $0.contains("✗") })
        #expect(lines.last?.contains("q Quit") == true)
    }

    /// The summary is made for the room that it shares with the table: made for less, it would leave blank what it was given.
    @Test(arguments: [View.cache, .tokens], [(80, 24), (120, 40), (200, 60)])
    func aboveATableNothingIsLeftBlank(view: View, size: (columns: Int, rows: Int)) {
        let model = SimulatedFleet.model(view, columns: size.columns, rows: size.rows)
        let charts = Layout(model).charts
        #expect(charts.rows >= 8)
        let lines = ModelSample.lines(model)[charts.row..<charts.endRow]
        #expect(lines.count { $0.allSatisfy { $0 == " " } } <= 1, "\(lines.joined(separator: "\n"))")
    }

    @Test func anEndpointIsFullOnlyWhereAllItsModelsAre() {
        var endpoint = Sample.endpoints[0]
        (endpoint.inFlight, endpoint.inFlightByModel, endpoint.slots) = (4, ["llama3.2:3b": 4], 8)
        func line() -> String? {
            ModelSample.lines(Self.showing(endpoint)).first { $0.contains("gpu-1 ") }
        }
        #expect(line()?.contains("━━── 4/8") == true)
        endpoint.slots = 0
        #expect(line()?.contains("━━━━ 4/4") == true, "a daemon that does not tell")
    }

    private static func showing(_ endpoint: EndpointInfo) -> Model {
        var model = Model(size: Size(columns: 80, rows: 24))
        ModelSample.show(&model, ModelSample.snapshot(endpoints: [endpoint]))
        return model
    }

    @Test func theSelectedRowIsOnTheScreenWhereverItIsInTheList() {
        var model = Model(size: Size(columns: 80, rows: 24))
        let endpoints = (0..<100).map { number in
            var endpoint = Sample.endpoints[0]
            endpoint.name = "server-\(number)"
            return endpoint
        }
        ModelSample.show(&model, ModelSample.snapshot(endpoints: endpoints))
        for number in 0..<100 {
            let lines = ModelSample.lines(model)
            #expect(lines.contains { $0.hasPrefix("▸ server-\(number) ") })
            _ = ModelSample.keys(&model, .down)
        }
    }

    @Test func noControlCharacterOfANameReachesTheScreen() {
        var endpoint = Sample.endpoints[0]
        endpoint.name = "a\u{1B}[31mb\u{9B}c\n\u{202E}d"
        endpoint.reason = "\u{07}\r\t"
        var request = Sample.requests[0]
        request.model = "\u{1B}]0;title\u{07}"
        request.id = "\u{1B}[2J"
        for keys in [[], [Key.character("d")], [.enter], [.character("3")], [.character("3"), .character("x")], [.character("3"), .enter]] {
            var model = ModelSample.model()
            ModelSample.show(&model, ModelSample.snapshot(endpoints: [endpoint], requests: [request]))
            for key in keys { _ = update(&model, .key(key)) }
            _ = update(&model, .answered(job: 1, [CommandAnswer(.drain("x"), .failure(AnswerFailure("\u{1B}[2J")))]))
            let cells = draw(model, theme: ModelSample.theme).rows.joined()
            #expect(cells.allSatisfy { $0.text.unicodeScalars.allSatisfy(DisplayText.isPrintable) }, "\(keys)")
        }
    }

    @Test func inASCIINothingElseIsDrawn() {
        for view in View.allCases {
            for keys in [[], [Key.character("?")], [.enter], [.character("R")], [.character("s")], [.character("/"), .character("ü")]] {
                var model = SimulatedFleet.model(view)
                for key in keys { _ = update(&model, .key(key)) }
                let lines = ModelSample.lines(model, Theme(hasColours: false, isASCII: true))
                #expect(lines.joined().utf8.allSatisfy { $0 < 0x80 }, "\(view) \(keys)")
            }
        }
    }

    @Test func columnsStandBelowEachOtherWhateverTheNamesAreMadeOf() {
        var endpoints = Sample.endpoints
        endpoints[0].name = "東京"
        endpoints[1].name = "e\u{301}te\u{301}"
        endpoints[2].name = "plain"
        var model = Model(size: Size(columns: 80, rows: 24))
        ModelSample.show(&model, ModelSample.snapshot(endpoints: endpoints))
        let screen = draw(model, theme: ModelSample.theme)
        let columns = ["●", "▼", "✗"].compactMap { glyph in
            screen.rows.dropFirst(5).compactMap { row in row.firstIndex { $0.text == glyph } }.first
        }
        #expect(columns.count == 3)
        #expect(Set(columns).count == 1, "\(columns)")
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
        for (columns, rows) in [(14, 10), (20, 10), (30, 5), (40, 24), (80, 24), (200, 60)] {
            var model = ModelSample.model(columns: columns, rows: rows)
            _ = ModelSample.keys(&model, .character("d"))
            let lines = ModelSample.lines(model)
            #expect(lines.contains { $0.contains("Drain gpu-1?") }, "\(columns)x\(rows): \(lines)")
        }
    }

    @Test func withoutColoursWhatMattersDiffersFromPlainText() {
        let mono = Theme(hasColours: false, isASCII: false)
        let plain = mono.attributes(CellStyle(role: .plain))
        for role in [Role.bad, .warning, .question, .error, .title, .keyName, .marked, .tab] {
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

/// Areas keep what is drawn into them inside.
@Suite struct AreaTests {
    @Test func whatIsDrawnStaysInsideAndIsCutWithAnEllipsis() {
        var screen = Screen(size: Size(columns: 10, rows: 3))
        let area = Area(column: 2, row: 1, columns: 5, rows: 1)
        screen.put("abcdefgh", in: area)
        screen.put("below", in: area, row: 1)
        screen.put("above", in: area, row: -1)
        #expect(screen.lines == ["", "  abcd…", ""])
        screen.fill(area, role: .plain, with: ".")
        screen.put("xy", in: area, column: 1, right: true)
        #expect(screen.lines == ["", "  ..xy.", ""])
    }

    @Test func partsOfAnAreaAreCutToIt() {
        let area = Area(column: 2, row: 1, columns: 5, rows: 4)
        #expect(area.rows(from: 1, count: 2) == Area(column: 2, row: 2, columns: 5, rows: 2))
        #expect(area.rows(from: 3, count: 9) == Area(column: 2, row: 4, columns: 5, rows: 1))
        #expect(area.rows(from: 9).isEmpty)
        #expect(area.columns(from: 4, count: 3) == Area(column: 6, row: 1, columns: 1, rows: 4))
        #expect(area.contains(column: 6, row: 4) && !area.contains(column: 7, row: 4) && !area.contains(column: 2, row: 0))
    }
}
