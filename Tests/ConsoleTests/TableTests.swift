// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Foundation
import Protocol
import Testing

@testable import Console

/// Order, filter, marks, selection: the same for every table.
@Suite struct TableTests {
    private func shown(_ model: Model) -> [String] { model.table.ids }

    @Test func tabNumbersAndArrowsGoThroughTheViews() {
        var model = ModelSample.model()
        for view in View.allCases.dropFirst() {
            _ = ModelSample.keys(&model, .tab)
            #expect(model.view == view)
        }
        _ = ModelSample.keys(&model, .tab)
        #expect(model.view == .endpoints)
        _ = ModelSample.keys(&model, .backTab)
        #expect(model.view == .events)
        for view in View.allCases {
            _ = ModelSample.type(&model, "\(view.rawValue)")
            #expect(model.view == view)
        }
    }

    @Test func theSelectionStaysWithItsRowWhenOthersComeAndGo() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .down)
        #expect(model.table.selected == "gpu-2")
        ModelSample.show(&model, ModelSample.snapshot(endpoints: Sample.endpoints.reversed()))
        #expect(model.table.selected == "gpu-2")
        ModelSample.show(&model, ModelSample.snapshot(endpoints: Array(Sample.endpoints.dropFirst())))
        #expect(model.table.selected == "gpu-2")
        #expect(model.table.position == 0)
    }

    @Test func aSelectedRowThatGoesGivesTheSelectionToTheOneInItsPlace() {
        var model = ModelSample.model(.requests)
        _ = ModelSample.keys(&model, .end)
        #expect(model.table.selected == "r-103")
        ModelSample.show(&model, ModelSample.snapshot(requests: Array(Sample.requests.dropLast())))
        #expect(model.table.selected == "r-102")
        ModelSample.show(&model, ModelSample.snapshot(requests: []))
        #expect(model.table.selected == nil)
        #expect(ModelSample.keys(&model, .up, .down, .home, .end, .pageUp, .pageDown, .enter, .character(" "), .character("n")) == [])
    }

    @Test func keysMoveTheSelectionAndEachViewKeepsItsOwn() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("j"), .character("j"), .character("j"))
        #expect(model.table.selected == "cpu-box")
        _ = ModelSample.keys(&model, .character("k"))
        #expect(model.table.selected == "gpu-2")
        _ = ModelSample.keys(&model, .character("3"), .pageDown)
        #expect(model.table.selected == "r-103")
        _ = ModelSample.keys(&model, .character("g"))
        #expect(model.table.selected == "r-101")
        _ = ModelSample.keys(&model, .character("1"))
        #expect(model.table.selected == "gpu-2")
    }

    @Test func aFilterShowsWhatHasItsTextOrWithAnExclamationMarkWhatHasNot() {
        var model = ModelSample.model()
        _ = ModelSample.type(&model, "/GPU")
        #expect(shown(model) == ["gpu-1", "gpu-2"])
        _ = ModelSample.keys(&model, .backspace, .backspace, .backspace)
        #expect(shown(model).count == 3)
        _ = ModelSample.type(&model, "!gpu")
        _ = ModelSample.keys(&model, .enter)
        #expect(shown(model) == ["cpu-box"])
        #expect(model.table.selected == "cpu-box")
        #expect(ModelSample.lines(model).contains { $0.contains("1 of 3") && $0.contains("filter !gpu") })
        _ = ModelSample.keys(&model, .escape)
        #expect(shown(model).count == 3)
    }

    @Test func aKeyThatIsALetterIsTextWhileAFilterIsWritten() {
        var model = ModelSample.model()
        let effects = ModelSample.type(&model, "/qdR?")
        #expect(effects == [])
        #expect(ModelSample.prompt(model)?.text == "qdR?")
        _ = ModelSample.keys(&model, .escape)
        #expect(model.table.filter == .init())
    }

    @Test func searchGoesToTheNextRowThatHasTheText() {
        var model = ModelSample.model(.requests)
        _ = ModelSample.keys(&model, .function(3))
        _ = ModelSample.type(&model, "llama")
        #expect(model.table.selected == "r-101")
        _ = ModelSample.keys(&model, .enter, .character("n"))
        #expect(model.table.selected == "r-103")
        _ = ModelSample.keys(&model, .character("n"))
        #expect(model.table.selected == "r-101")
    }

    @Test func theSortChooserSortsNumbersFromTheLargestAndReverseTurnsThemRound() {
        var model = ModelSample.model(.requests)
        _ = ModelSample.keys(&model, .character("s"), .home, .down, .down, .enter)
        #expect(model.table.sort.map { RequestTable.columns[$0].column.title } == "AGE")
        #expect(shown(model) == ["r-101", "r-102", "r-103"])
        _ = ModelSample.keys(&model, .character("r"))
        #expect(shown(model) == ["r-103", "r-102", "r-101"])
        _ = ModelSample.keys(&model, .character("s"), .home, .enter)
        #expect(model.table.sort == nil)
        #expect(shown(model) == ["r-101", "r-102", "r-103"])
    }

    @Test(arguments: View.allCases)
    func everyColumnThatCanBeSortedByPutsRowsInOrder(view: View) {
        var model = SimulatedFleet.model(view)
        let table = model.rows(of: view)
        for column in table.sortable {
            model.table.sort = column
            model.table.isReversed = false
            model.arrange()
            let order = model.table.order
            let precedes = table.precedes(column)
            for (left, right) in zip(order, order.dropFirst()) { #expect(!precedes(right, left), "\(table.columns[column].title)") }
            #expect(order.sorted() == Array(0..<table.count))
        }
    }

    @Test func equalRowsKeepTheirOrderWhicheverWayTheyAreSorted() {
        var model = SimulatedFleet.model(.requests)
        model.sort(by: RequestTable.columns.firstIndex { $0.column.title == "MODEL" })
        let before = shown(model)
        ModelSample.show(&model, SimulatedFleet.snapshot)
        #expect(shown(model) == before)
    }

    @Test func marksAreTakenByActionsAndGoWithTheirRows() {
        var model = ModelSample.model(.requests)
        _ = ModelSample.keys(&model, .character(" "), .character(" "))
        #expect(model.table.marks == ["r-101", "r-102"])
        #expect(model.table.selected == "r-103")
        ModelSample.show(&model, ModelSample.snapshot(requests: Array(Sample.requests.dropFirst())))
        #expect(model.table.marks == ["r-102"])
        _ = ModelSample.keys(&model, .character("x"))
        #expect(ModelSample.question(model)?.commands == [.cancel("r-102")])
        _ = ModelSample.keys(&model, .character("n"), .character("U"))
        #expect(model.table.marks.isEmpty)
    }

    @Test func aMarkedRowThatAFilterHidesIsNotActedOn() {
        var model = ModelSample.model(.requests)
        _ = ModelSample.keys(&model, .character(" "))
        _ = ModelSample.type(&model, "/qwen")
        _ = ModelSample.keys(&model, .enter, .character("x"))
        #expect(ModelSample.question(model)?.commands == [.cancel("r-102")])
    }

    @Test func faultsOnlyHidesWhatIsWell() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("z"))
        #expect(shown(model) == ["gpu-2", "cpu-box"])
        #expect(ModelSample.lines(model).contains { $0.contains("faults only") })
        _ = ModelSample.keys(&model, .escape)
        #expect(shown(model).count == 3)
    }

    @Test func eventsCanBeCutToALevelAndTheNewestIsAtTheTop() {
        var model = ModelSample.model(.events)
        #expect(shown(model) == ["3", "2", "1"])
        #expect(model.table.selected == "3")
        var snapshot = ModelSample.snapshot()
        snapshot.events = [EventInfo(sequence: 4, at: "2026-11-24T03:30:00.000Z", level: "info", message: "new")]
        ModelSample.show(&model, snapshot)
        #expect(model.table.selected == "4", "who looks at the top sees what comes")
        _ = ModelSample.keys(&model, .down)
        snapshot.events[0].sequence = 5
        ModelSample.show(&model, snapshot)
        #expect(model.table.selected == "3", "who has gone down is left there")
        _ = ModelSample.type(&model, "vvv")
        #expect(shown(model) == ["2"])
    }

    @Test func enterOpensARowEscGoesBackAndActionsMeanIt() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .down, .enter)
        #expect(model.opened == "gpu-2")
        #expect(model.wanted.history == .endpoint("gpu-2"))
        #expect(ModelSample.lines(model).contains { $0.contains("drained by uid 1000") })
        _ = ModelSample.keys(&model, .character("e"))
        #expect(ModelSample.question(model)?.commands == [.resume("gpu-2")])
        _ = ModelSample.keys(&model, .escape, .escape)
        #expect(model.opened == nil)
    }

    /// The next picture may be half a second away, and the next key comes at once.
    @Test func anAnswerIsBelievedBeforeTheNextPicture() {
        var model = ModelSample.model()
        var answered = model.endpoints[0]
        answered.state = "maintenance"
        _ = update(&model, .answered(job: 1, [CommandAnswer(.maintenance(answered.name), .success(.endpoint(answered)))]))
        _ = ModelSample.keys(&model, .character("e"))
        #expect(ModelSample.question(model)?.commands == [.resume(answered.name)])
    }

    @Test func aPageOfARowThatIsGoneSaysSo() {
        var model = ModelSample.model(.requests)
        _ = ModelSample.keys(&model, .enter)
        ModelSample.show(&model, ModelSample.snapshot(requests: []))
        #expect(ModelSample.lines(model).contains { $0.contains("r-101 is gone") })
    }
}

/// The mouse hits what is drawn.
@Suite struct MouseTests {
    private func click(_ model: inout Model, on text: String, offset: Int = 0) {
        let lines = draw(model, theme: ModelSample.theme).rows.map { $0.map(\.text) }
        for (row, cells) in lines.enumerated() {
            guard let range = cells.joined().range(of: text) else { continue }
            let before = cells.joined()[..<range.lowerBound]
            _ = update(&model, .mouse(.click(column: DisplayText.width(String(before)) + offset, row: row)))
            return
        }
        Issue.record("\(text) is not on the screen")
    }

    @Test func aClickSelectsAndAnotherOpens() {
        var model = ModelSample.model()
        click(&model, on: "cpu-box")
        #expect(model.table.selected == "cpu-box")
        #expect(model.opened == nil)
        click(&model, on: "cpu-box")
        #expect(model.opened == "cpu-box")
    }

    @Test func aClickOnAHeadingSortsAndAgainReverses() {
        var model = ModelSample.model(.requests)
        click(&model, on: "TOKENS")
        #expect(model.table.sort.map { RequestTable.columns[$0].column.title } == "TOKENS")
        let isReversed = model.table.isReversed
        click(&model, on: "TOKENS")
        #expect(model.table.isReversed != isReversed)
    }

    @Test(arguments: [80, 120, 40, 20])
    func aClickOnAViewsNameGoesThere(columns: Int) {
        var model = ModelSample.model(columns: columns, rows: 24)
        click(&model, on: columns >= 80 ? "3 Requests" : " 3 ", offset: 1)
        #expect(model.view == .requests)
    }

    @Test func theWheelMovesAndAClickBesideAQuestionIsNoAnswer() {
        var model = SimulatedFleet.model(.requests)
        _ = update(&model, .mouse(.wheel(3)))
        #expect(model.table.position == 3)
        _ = ModelSample.keys(&model, .character("x"))
        _ = update(&model, .mouse(.click(column: 3, row: 9)))
        #expect(ModelSample.question(model) != nil)
    }
}
