// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

/// What breaks without these: a slot that is never given back, an answer that begins twice, a request that is tried elsewhere after its
/// client has got a part of the first answer.
@Suite struct ExchangeLifecycleTests {
    /// A request that has come as far as the stage.
    static func carried(to stage: ExchangeLifecycle.Stage) -> ExchangeLifecycle {
        var life = ExchangeLifecycle()
        _ = life.requestEnded()
        life.queue()
        if stage == .inLine { return life }
        _ = life.granted()
        if stage == .connecting { return life }
        _ = life.connected()
        switch stage {
        case .held(let hold): _ = life.receivedHead(hold)
        case .open, .streaming, .settling: _ = life.receivedHead(nil)
        case .inLine, .connecting, .sent: break
        }
        if stage == .streaming || stage == .settling { _ = life.receivedBody(isFault: false) }
        if stage == .settling { _ = life.settle() }
        return life
    }

    static let stages: [ExchangeLifecycle.Stage] = [
        .inLine, .connecting, .sent, .held(.untilFirstByte), .held(.untilWhole), .held(.gathering), .open, .streaming, .settling,
    ]

    @Test func aRequestGoesStraightThrough() {
        var life = ExchangeLifecycle()
        let decide = life.requestEnded()
        life.queue()
        let granted = life.granted()
        let connected = life.connected()
        let head = life.receivedHead(nil)
        let first = life.receivedBody(isFault: false)
        let second = life.receivedBody(isFault: false)
        let ended = life.answerEnded()
        let leaving = life.end(.completed)
        #expect(decide == .decide)
        #expect(granted == .carry)
        #expect(connected == .send)
        #expect(head == .begin)
        #expect(first == .passFirst)
        #expect(second == .pass)
        #expect(ended == .finish)
        #expect(leaving == .init(work: .connection, slot: .taken))
        #expect(life.state == .over(.completed))
    }

    @Test func aWellLookingHeadWaitsForTheFirstByte() {
        var life = Self.carried(to: .sent)
        let head = life.receivedHead(.untilFirstByte)
        let hadBegun = life.answerHasBegun
        let body = life.receivedBody(isFault: false)
        #expect(head == .hold)
        #expect(!hadBegun)
        #expect(body == .beginAndPass)
        #expect(life.stage == .streaming)
    }

    @Test func whatIsNotWorthPassingIsKeptBehindTheHead() {
        var life = Self.carried(to: .held(.untilFirstByte))
        let ping = life.receivedBody(isFault: false, isReady: false)
        let token = life.receivedBody(isFault: false, isReady: true)
        #expect(ping == .keep)
        #expect(token == .beginAndPass)
    }

    @Test func anErrorBehindAGoodHeadIsKeptAndJudged() {
        var life = Self.carried(to: .held(.untilFirstByte))
        let first = life.receivedBody(isFault: true)
        let second = life.receivedBody(isFault: false)
        let ended = life.answerEnded()
        #expect(first == .keep)
        #expect(second == .keep)
        #expect(ended == .judge)
        #expect(!life.answerHasBegun)
    }

    @Test(arguments: stages)
    func anEndpointIsLeftOnlyBeforeTheClientHasAnything(_ stage: ExchangeLifecycle.Stage) {
        var life = Self.carried(to: stage)
        let loss = life.lostEndpoint()
        let leaving = life.leaveEndpoint()
        switch stage {
        case .connecting: #expect(leaving == .init(work: .nothing, slot: .taken))
        case .sent, .held: #expect(leaving == .init(work: .connection, slot: .taken))
        case .inLine, .open, .streaming, .settling: #expect(leaving == nil)
        }
        #expect((loss == .decide) == (leaving != nil))
        if leaving != nil {
            #expect(life.stage == .inLine)
            #expect(life.slot == .none)
        }
    }

    @Test(arguments: stages)
    func aClientThatLeavesTakesTheRequestWithIt(_ stage: ExchangeLifecycle.Stage) {
        var life = Self.carried(to: stage)
        let left = life.clientLeft(isFollowed: false)
        let leaving = life.end(.aborted)
        let again = life.end(.aborted)
        let late = life.granted()
        #expect(left == .end)
        #expect(leaving?.slot == (stage == .inLine ? .some(.none) : .taken))
        #expect(leaving?.work == (stage == .inLine ? .ticket : stage == .connecting || stage == .settling ? .nothing : .connection))
        #expect(again == nil)
        #expect(late == .giveBack)
    }

    @Test(arguments: stages)
    func anExchangeThatOthersFollowGoesOnWithoutItsClient(_ stage: ExchangeLifecycle.Stage) {
        var life = Self.carried(to: stage)
        let left = life.clientLeft(isFollowed: true)
        #expect(left == .detach)
        #expect(life.isDetached)
        #expect(life.stage == stage)
        let again = life.clientLeft(isFollowed: true)
        #expect(again == .nothing)
    }

    /// A task that was asked to make a detached request ready for its endpoint would wait for a client that has gone.
    @Test func nothingIsMadeReadyForAClientThatHasGone() {
        var life = Self.carried(to: .held(.untilWhole))
        _ = life.clientLeft(isFollowed: true)
        let works = life.work()
        #expect(!works)
    }

    @Test func aTaskThatMakesTheRequestReadyKeepsItsSlot() {
        var life = Self.carried(to: .held(.untilWhole))
        let works = life.work()
        let slot = life.slot
        let goes = life.goOn()
        #expect(works && goes)
        #expect(slot == .taken)
        #expect(life.stage == .connecting)
    }

    @Test func aTaskBeforeTheLineGoesOnToIt() {
        var life = ExchangeLifecycle()
        _ = life.requestEnded()
        let works = life.work()
        let goes = life.goOn()
        #expect(works && goes)
        #expect(life.state == .deciding)
    }

    @Test func aFollowerWhoseLeaderFailsStartsOver() {
        var life = ExchangeLifecycle()
        _ = life.requestEnded()
        life.ask()
        life.follow()
        let goes = life.goOn()
        #expect(goes)
        #expect(life.state == .deciding)
    }

    @Test func aFollowerThatHasBegunCannotStartOver() {
        var life = ExchangeLifecycle()
        _ = life.requestEnded()
        life.ask()
        life.follow()
        let begins = life.beginOwnAnswer()
        let goes = life.goOn()
        #expect(begins)
        #expect(!goes)
        #expect(life.answerHasBegun)
    }

    @Test func whatAnEndpointAnsweredBeforeIsTheAnswerWhenNothingBetterComes() {
        var life = Self.carried(to: .held(.untilWhole))
        _ = life.leaveEndpoint()
        let answers = life.answerKept(gathers: false)
        let ended = life.answerEnded()
        let leaving = life.end(.failed)
        #expect(answers)
        #expect(ended == .finish)
        #expect(leaving?.slot == ExchangeLifecycle.Slot.none)
    }

    @Test func aConnectionThatIsMadeTooLateIsForOthers() {
        var life = Self.carried(to: .connecting)
        _ = life.leaveEndpoint()
        let connected = life.connected()
        #expect(connected == .keepForOthers)
    }
}
