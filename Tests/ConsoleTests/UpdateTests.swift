// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FakeControl
import Protocol
import Testing

@testable import Console

/// `update`: what each event makes of the model.
@Suite struct UpdateTests {
    @Test(arguments: Change.allCases)
    func aChangeIsAskedForOnlyAfterAYes(change: Change) {
        var model = ModelSample.model()
        // gpu-2 is draining: it can be resumed; gpu-1 can be drained.
        if change == .resume { _ = update(&model, .key(.down)) }
        let name = change == .resume ? "gpu-2" : "gpu-1"
        let key: Key = change == .drain ? .character("d") : change == .maintenance ? .character("m") : .character("e")
        #expect(ModelSample.keys(&model, key) == [])
        #expect(model.question?.endpoint == name)
        #expect(ModelSample.keys(&model, .character("y")) == [.ask(change, endpoint: name)])
        #expect(model.question == nil)
    }

    @Test(arguments: [Key.character("n"), .character("N"), .character("q"), .escape])
    func noTakesTheQuestionBackAndDoesNothing(key: Key) {
        var model = ModelSample.model()
        #expect(ModelSample.keys(&model, .character("d"), key) == [])
        #expect(model.question == nil)
    }

    @Test(arguments: [Key.enter, .down, .character("d"), .character(" "), .tab])
    func aSlipOfTheFingerIsNoAnswer(key: Key) {
        var model = ModelSample.model()
        #expect(ModelSample.keys(&model, .character("d"), key) == [])
        #expect(model.question?.endpoint == "gpu-1")
    }

    @Test func theQuestionKeepsItsEndpointWhenTheRowsMove() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("d"))
        _ = update(&model, .snapshot(ModelSample.snapshot(sequence: 3, atMs: 3000, endpoints: Sample.endpoints.reversed(), total: 2022)))
        #expect(ModelSample.keys(&model, .character("y")) == [.ask(.drain, endpoint: "gpu-1")])
    }

    @Test func whatIsDoneAlreadyIsNotAskedForAgain() {
        var model = ModelSample.model()
        #expect(ModelSample.keys(&model, .character("e")) == [])
        #expect(model.question == nil)
        #expect(model.message?.text == "gpu-1 is in service (up)")
        _ = ModelSample.keys(&model, .down, .character("d"))
        #expect(model.question == nil)
        #expect(model.message?.text == "gpu-2 is already draining")
    }

    @Test func withoutAConnectionNothingCanBeChanged() {
        var model = ModelSample.model()
        _ = update(&model, .lost("gone"))
        _ = ModelSample.keys(&model, .character("d"))
        #expect(model.question == nil)
        #expect(model.message?.isError == true)
    }

    @Test func theDaemonsAnswerIsShownGoodOrBad() {
        var model = ModelSample.model()
        _ = update(&model, .answered(.drain, endpoint: "gpu-2", answer: .success(Sample.endpoints[1])))
        #expect(model.message?.text == "gpu-2 is draining, 1 in flight")
        _ = update(&model, .answered(.drain, endpoint: "gpu-2", answer: .failure(AnswerFailure("not\nallowed"))))
        #expect(model.message?.text == "drain gpu-2: not / allowed")
        #expect(model.message?.isError == true)
    }

    @Test func aGoodMessageGoesByItselfABadOneStaysUntilAKeyIsPressed() {
        var model = ModelSample.model()
        _ = update(&model, .answered(.drain, endpoint: "gpu-2", answer: .success(Sample.endpoints[1])))
        _ = update(&model, .tick(nowMs: model.nowMs + Model.messageMs))
        #expect(model.message == nil)
        _ = update(&model, .answered(.drain, endpoint: "gpu-2", answer: .failure(AnswerFailure("no"))))
        _ = update(&model, .tick(nowMs: model.nowMs + 100 * Model.messageMs))
        #expect(model.message != nil)
        _ = ModelSample.keys(&model, .down)
        #expect(model.message == nil)
    }

    @Test func theSelectionStaysWithItsRowWhenOthersComeAndGo() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .down)
        #expect(model.selectedEndpoint == "gpu-2")
        _ = update(&model, .snapshot(ModelSample.snapshot(sequence: 3, atMs: 3000, endpoints: Sample.endpoints.reversed(), total: 2022)))
        #expect(model.selectedEndpoint == "gpu-2")
        #expect(model.endpointIndex == 1)
    }

    @Test func aSelectedRowThatGoesGivesTheSelectionToTheOneInItsPlace() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .tab, .end)
        #expect(model.selectedRequest == "r-103")
        _ = update(
            &model, .snapshot(ModelSample.snapshot(sequence: 3, atMs: 3000, requests: Array(Sample.requests.dropLast()), total: 2022)))
        #expect(model.selectedRequest == "r-102")
        _ = update(&model, .snapshot(ModelSample.snapshot(sequence: 4, atMs: 4000, requests: [], total: 2022)))
        #expect(model.selectedRequest == nil)
        #expect(ModelSample.keys(&model, .up, .down, .home, .end, .pageUp, .pageDown) == [])
    }

    @Test func keysMoveTheSelectionOfThePaneThatHasThem() {
        var model = ModelSample.model()
        _ = ModelSample.keys(&model, .character("j"), .character("j"), .character("j"))
        #expect(model.selectedEndpoint == "cpu-box")
        _ = ModelSample.keys(&model, .character("k"))
        #expect(model.selectedEndpoint == "gpu-2")
        #expect(model.selectedRequest == "r-101")
        _ = ModelSample.keys(&model, .tab, .pageDown)
        #expect(model.selectedRequest == "r-103")
        _ = ModelSample.keys(&model, .home)
        #expect(model.selectedRequest == "r-101")
        #expect(model.selectedEndpoint == "gpu-2")
    }

    @Test(arguments: [Key.character("q"), .function(10), .character("\u{03}")])
    func theKeysThatLeaveDo(key: Key) {
        var model = ModelSample.model()
        #expect(ModelSample.keys(&model, key) == [.quit])
    }

    @Test func inTheHelpQClosesTheHelpOnly() {
        var model = ModelSample.model()
        #expect(ModelSample.keys(&model, .character("?"), .character("q")) == [])
        #expect(!model.showsHelp)
        #expect(ModelSample.keys(&model, .character("?"), .character("d")) == [])
        #expect(model.question == nil)
        #expect(ModelSample.keys(&model, .escape, .character("q")) == [.quit])
    }

    @Test func aPictureGrowsStaleWhenTheConnectionIsLostAndFreshWithTheNextSnapshot() {
        var model = ModelSample.model()
        #expect(model.staleMs == nil)
        _ = update(&model, .lost("routerd closed the connection"))
        _ = update(&model, .tick(nowMs: model.snapshotMs + 12_400))
        #expect(model.staleMs == 12_400)
        #expect(model.endpoints.count == 3)
        _ = update(&model, .snapshot(ModelSample.snapshot(sequence: 1, atMs: 10, total: 0)))
        #expect(model.staleMs == nil)
        // The new daemon's counters began anew: there is no rate yet, least of all a negative one.
        #expect(model.rates.requests == nil)
    }

    @Test func aDaemonThatIsSilentIsStaleAlthoughTheConnectionStands() {
        var model = ModelSample.model()
        _ = update(&model, .tick(nowMs: model.snapshotMs + Model.staleMs - 1))
        #expect(model.staleMs == nil)
        _ = update(&model, .tick(nowMs: model.snapshotMs + Model.staleMs))
        #expect(model.staleMs == Model.staleMs)
    }

    @Test func aResizeRepaints() {
        var model = ModelSample.model()
        #expect(update(&model, .resize(Size(columns: 20, rows: 10))) == [.repaint])
        #expect(model.size == Size(columns: 20, rows: 10))
    }
}

/// Rates are differences of counters over differences of the daemon's clock.
@Suite struct RatesTests {
    @Test func aRateIsTheDifferenceOfTwoSnapshotsOverTheirTime() {
        let model = ModelSample.model()
        #expect(model.rates.requests == 12)
        #expect(model.rates.requests(endpoint: "gpu-1") == 12)
        #expect(model.rates.tokens(endpoint: "gpu-1") == 100)
        #expect(model.rates.tokens(endpoint: "gpu-2") == 0)
        #expect(model.rates.tokens == 100)
        #expect(model.rates.tokens(endpoint: "unknown") == nil)
    }

    @Test func oneSnapshotMakesNoRate() {
        var rates = Rates()
        rates.add(ModelSample.snapshot())
        #expect(rates.requests == nil)
        #expect(rates.tokens == nil)
    }

    @Test func ratesAreTakenOverTheLastTwoSecondsNotSinceTheStart() {
        var rates = Rates()
        for step in 0...20 {
            // 100 requests in the first five seconds, none after.
            rates.add(ModelSample.snapshot(sequence: step, atMs: 500 * step, total: min(100, step * 10)))
        }
        #expect(rates.requests == 0)
    }

    @Test func aRequestSeenOnceHasTheMeanRateOfItsStream() {
        var rates = Rates()
        rates.add(ModelSample.snapshot())
        let rate = rates.tokens(request: Sample.requests[0])
        #expect(rate.map { Int($0) } == 38)
        #expect(rates.tokens(request: Sample.requests[1]) == nil)
    }
}
