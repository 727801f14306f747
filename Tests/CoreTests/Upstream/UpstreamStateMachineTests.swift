// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

/// What breaks without these: an answer delivered to the wrong request, a dead connection used again, a lost request retried wrongly.
@Suite struct UpstreamStateMachineTests {
    @Test func aWholeAnswerMakesTheConnectionReusable() {
        var machine = UpstreamStateMachine()
        machine.begin()
        let head = machine.receivedHead(keepAlive: true)
        let end = machine.receivedEnd()
        #expect(head == .deliver)
        #expect(end == .reuse)
        #expect(machine.state == .idle)
    }

    @Test func connectionCloseIsHonoured() {
        var machine = UpstreamStateMachine()
        machine.begin()
        _ = machine.receivedHead(keepAlive: false)
        let end = machine.receivedEnd()
        #expect(end == .close)
    }

    @Test func anAnswerBeforeTheRequestIsOutEndsTheConnection() {
        var machine = UpstreamStateMachine()
        machine.begin()
        machine.requestIsBeingWritten()
        _ = machine.receivedHead(keepAlive: true)
        let end = machine.receivedEnd()
        #expect(end == .close)
    }

    @Test func aLargeRequestThatIsOutLeavesTheConnectionReusable() {
        var machine = UpstreamStateMachine()
        machine.begin()
        machine.requestIsBeingWritten()
        machine.requestIsWritten()
        _ = machine.receivedHead(keepAlive: true)
        let end = machine.receivedEnd()
        #expect(end == .reuse)
    }

    @Test func unaskedBytesAreNobodys() {
        var machine = UpstreamStateMachine()
        let head = machine.receivedHead(keepAlive: true)
        let end = machine.receivedEnd()
        #expect(head == .ignore)
        #expect(!machine.receivesBody)
        #expect(end == .ignore)
    }

    @Test func closingWhileIdleFailsNoRequest() {
        var machine = UpstreamStateMachine()
        let after = machine.closed()
        #expect(after == .nothing)
    }

    @Test func aFirstRequestThatIsLostIsToldApartFromOneOnAReusedConnection() {
        var fresh = UpstreamStateMachine()
        fresh.begin()
        let first = fresh.closed()
        var reused = UpstreamStateMachine()
        reused.begin()
        _ = reused.receivedHead(keepAlive: true)
        _ = reused.receivedEnd()
        reused.begin()
        let second = reused.closed()
        #expect(first == .failRequest(nothingCameBack: true, wasReused: false))
        #expect(second == .failRequest(nothingCameBack: true, wasReused: true))
    }

    @Test func aCutAnswerIsNotNothing() {
        var machine = UpstreamStateMachine()
        machine.begin()
        _ = machine.receivedHead(keepAlive: true)
        let after = machine.closed()
        #expect(after == .failRequest(nothingCameBack: false, wasReused: false))
    }

    @Test func anAbandonedRequestIsToldNothing() {
        var machine = UpstreamStateMachine()
        machine.begin()
        machine.abandon()
        let head = machine.receivedHead(keepAlive: true)
        let after = machine.closed()
        #expect(head == .ignore)
        #expect(after == .nothing)
    }
}
