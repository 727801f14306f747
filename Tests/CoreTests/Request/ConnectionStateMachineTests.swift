// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

/// What breaks without these: answers out of order, a connection that is closed under its answer, or never.
@Suite struct ConnectionStateMachineTests {
    @Test func anExchangeEndsAndTheNextMayCome() {
        var machine = ConnectionStateMachine()
        let head = machine.receivedHead(keepAlive: true)
        let body = machine.receivedBody(holding: false)
        let end = machine.receivedEnd(holding: false)
        machine.beginAnswer()
        let answered = machine.endAnswer()
        #expect([head == .begin, body == .keep, end == .decide, answered == .next, machine.isIdle] == Array(repeating: true, count: 5))
    }

    @Test func aPipelinedRequestIsHeldUntilTheAnswerHasEnded() {
        var machine = ConnectionStateMachine()
        _ = machine.receivedHead(keepAlive: true)
        _ = machine.receivedEnd(holding: false)
        let early = machine.receivedHead(keepAlive: true)
        let earlyEnd = machine.receivedEnd(holding: true)
        machine.beginAnswer()
        let answered = machine.endAnswer()
        let replayed = machine.receivedHead(keepAlive: true)
        #expect(early == .hold)
        #expect(earlyEnd == .hold)
        #expect(answered == .next)
        #expect(replayed == .begin)
    }

    @Test func withoutKeepAliveTheConnectionClosesAfterTheAnswer() {
        var machine = ConnectionStateMachine()
        _ = machine.receivedHead(keepAlive: false)
        _ = machine.receivedEnd(holding: false)
        machine.beginAnswer()
        let answered = machine.endAnswer()
        #expect(answered == .close)
    }

    @Test func anEarlyAnswerWaitsForTheRestOfASmallBody() {
        var machine = ConnectionStateMachine()
        _ = machine.receivedHead(keepAlive: true)
        machine.beginAnswer()
        let answered = machine.endAnswer()
        let body = machine.receivedBody(holding: false)
        let end = machine.receivedEnd(holding: false)
        #expect(answered == .nothing)
        #expect(body == .ignore)
        #expect(end == .next)
        #expect(machine.isIdle)
    }

    @Test func anEarlyAnswerToALargeBodyLingersAndThenCloses() {
        var machine = ConnectionStateMachine()
        _ = machine.receivedHead(keepAlive: true)
        machine.endAfterThis()
        machine.beginAnswer()
        let answered = machine.endAnswer()
        let body = machine.receivedBody(holding: false)
        let end = machine.receivedEnd(holding: false)
        #expect(answered == .linger)
        #expect(body == .ignore)
        #expect(end == .close)
    }

    @Test func aBodyThatEndsWhileItsEarlyAnswerIsWrittenChangesNothing() {
        var machine = ConnectionStateMachine()
        _ = machine.receivedHead(keepAlive: true)
        machine.beginAnswer()
        let end = machine.receivedEnd(holding: false)
        let answered = machine.endAnswer()
        #expect(end == .ignore)
        #expect(answered == .next)
    }

    @Test func nothingHappensOnAClosedConnection() {
        var machine = ConnectionStateMachine()
        _ = machine.receivedHead(keepAlive: true)
        machine.closed()
        let body = machine.receivedBody(holding: false)
        let end = machine.receivedEnd(holding: false)
        let head = machine.receivedHead(keepAlive: true)
        let answered = machine.endAnswer()
        #expect(body == .ignore)
        #expect(end == .ignore)
        #expect(head == .ignore)
        #expect(answered == .nothing)
    }
}
