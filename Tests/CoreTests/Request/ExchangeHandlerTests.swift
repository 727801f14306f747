// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Core

/// A client's connection in each state of its exchange. What breaks without these: a slot that is lost with a client, an answer that goes
/// to the next request, a request behind a refused one that never gets its turn.
@Suite struct ExchangeHandlerTests {
    typealias Bench = ExchangeBench

    /// How far the exchange has come.
    enum Stage: CaseIterable {
        case receiving, inLine, connecting, sent, heldForByte, heldWhole, open, streaming
    }

    /// Two endpoints where the head of an answer is to be held back; one, and its only slot taken, where the request is to wait.
    static func bench(at stage: Stage, _ change: (inout Config) -> Void = { _ in }) throws -> Bench {
        let bench = try Bench(endpoints: stage == .heldForByte || stage == .heldWhole ? 2 : 1, change)
        switch stage {
        case .receiving: try bench.ask(isWhole: false)
        case .inLine:
            _ = bench.scheduler.submit(Ask(model: "m", needs: RouteNeeds(.ollamaAPI), tenant: Tenant("other"))) { _ in }
            try bench.ask()
        case .connecting:
            bench.holdConnections()
            try bench.ask()
        case .sent: try bench.ask()
        case .heldForByte, .open:
            try bench.ask()
            try bench.answer(0, Bench.head)
        case .heldWhole:
            try bench.ask()
            try bench.answer(0, "HTTP/1.1 500 Broken\r\nContent-Length: 100\r\n\r\n{")
        case .streaming:
            try bench.ask()
            try bench.answer(0, Bench.head + Bench.item)
        }
        return bench
    }

    @Test(arguments: Stage.allCases)
    func aClientThatLeavesGivesBackItsSlotAndCancels(_ stage: Stage) throws {
        let bench = try Self.bench(at: stage)
        bench.leave()
        let out = stage == .inLine ? 0 : bench.leases
        #expect(out == 0)
        #expect(bench.counters.aborted == 1 && bench.counters.open == 0)
        let hasConnection = [.sent, .heldForByte, .heldWhole, .open, .streaming].contains(stage)
        if hasConnection { #expect(!bench.isOpen(0), "the endpoint works for nobody") }
    }

    @Test(arguments: Stage.allCases)
    func aRequestThatIsCancelledIsAnsweredAndTheConnectionGoesOn(_ stage: Stage) throws {
        let bench = try Self.bench(at: stage)
        bench.handler.exchange?.cancel()
        let got = try bench.got()
        switch stage {
        case .open, .streaming: #expect(got.contains("cancelled by an operator") && got.hasSuffix("0\r\n\r\n"), "\(got)")
        default: #expect(got.hasPrefix("HTTP/1.1 503") && got.contains("cancelled by an operator"), "\(got)")
        }
        #expect(bench.counters.aborted == 1 && bench.counters.open == 0)
        // Half a request cannot be followed by another.
        guard stage != .receiving, stage != .inLine else { return }
        bench.connect()
        _ = try bench.asked()
        try bench.ask()
        try bench.answer(bench.asked(), Bench.head + Bench.item + Bench.last)
        let next = try bench.got()
        #expect(next.hasPrefix("HTTP/1.1 200 OK") && next.hasSuffix("0\r\n\r\n"), "\(next)")
        #expect(bench.leases == 0)
    }

    @Test(arguments: Stage.allCases)
    func aPipelinedRequestWaitsForItsTurn(_ stage: Stage) throws {
        guard stage != .receiving, stage != .inLine else { return }
        let bench = try Self.bench(at: stage)
        _ = try bench.asked()
        try bench.ask()
        let made = bench.connections
        #expect(made == 1, "the second request has not begun")
        bench.connect()
        switch stage {
        case .connecting, .sent: try bench.answer(0, Bench.head + Bench.item + Bench.last)
        case .heldForByte, .open: try bench.answer(0, Bench.item + Bench.last)
        case .streaming: try bench.answer(0, Bench.last)
        case .heldWhole:
            try bench.answer(0, String(repeating: " ", count: 99))
            try bench.answer(bench.asked(), Bench.head + Bench.item + Bench.last)
        case .receiving, .inLine: break
        }
        let first = try bench.got()
        #expect(first.hasPrefix("HTTP/1.1 200 OK") && first.hasSuffix("0\r\n\r\n"), "\(first)")
        try bench.answer(bench.asked(), Bench.head + Bench.item + Bench.last)
        let second = try bench.got()
        #expect(second.hasPrefix("HTTP/1.1 200 OK") && second.hasSuffix("0\r\n\r\n"), "\(second)")
        #expect(bench.counters.completed == 2 && bench.leases == 0)
    }

    @Test func aRefusedRequestIsTriedElsewhereAndThenSucceeds() throws {
        let bench = try Bench(endpoints: 2)
        try bench.ask()
        let failed = bench.endpoint(0)
        try bench.answer(0, Bench.refusal("500 Broken"))
        let nothing = try bench.got()
        #expect(nothing.isEmpty)
        let again = try bench.received(1)
        #expect(again.hasSuffix(Bench.body), "the request goes again as it came: \(again)")
        try bench.answer(1, Bench.head + Bench.item + Bench.last)
        let got = try bench.got()
        #expect(got.hasPrefix("HTTP/1.1 200 OK") && got.contains("X-Routerd-Note: \(failed): 500; then \(bench.endpoint(1))"), "\(got)")
        #expect(bench.counters.completed == 1 && bench.leases == 0)
    }

    @Test func whatIsHeldBackGoesOnWhenItsTimeIsOver() throws {
        let bench = try Bench(endpoints: 2) { $0.holdHead = .seconds(1) }
        try bench.ask()
        try bench.answer(0, Bench.head)
        let early = try bench.got()
        bench.handler.sweep(now: .now() + .milliseconds(500))
        let still = try bench.got()
        bench.handler.sweep(now: .now() + .milliseconds(1100))
        let late = try bench.got()
        #expect(early.isEmpty && still.isEmpty)
        #expect(late.hasPrefix("HTTP/1.1 200 OK"))
        try bench.answer(0, Bench.item + Bench.last)
        let rest = try bench.got()
        #expect(rest == Bench.item + Bench.last)
    }

    @Test func whereNobodyElseCouldServeTheHeadGoesOnAtOnce() throws {
        let bench = try Bench(endpoints: 1)
        try bench.ask()
        try bench.answer(0, Bench.head)
        let got = try bench.got()
        #expect(got.hasPrefix("HTTP/1.1 200 OK"))
    }

    @Test func theMostTellingAnswerIsGivenAsItCame() throws {
        let bench = try Bench(endpoints: 2)
        try bench.ask()
        try bench.answer(0, Bench.refusal("500 Broken", #"{"error":"out of memory"}"#, "X-Y: z\r\n"))
        try bench.answer(1, Bench.refusal("404 Not Found", #"{"error":"model 'm' not found"}"#))
        let got = try bench.got()
        #expect(got.hasPrefix("HTTP/1.1 500 Broken\r\n") && got.contains("X-Y: z") && got.hasSuffix(#"{"error":"out of memory"}"#), "\(got)")
        #expect(bench.counters.failed == 1 && bench.leases == 0)
    }

    @Test func afterTheFirstByteAFailureEndsTheStreamWithAnError() throws {
        let bench = try Bench(endpoints: 2)
        try bench.ask()
        try bench.answer(0, Bench.head + Bench.item)
        bench.hangUp(0)
        let got = try bench.got()
        #expect(got.contains(#"{"error":"#) && got.hasSuffix("0\r\n\r\n"), "\(got)")
        #expect(bench.connections == 1, "nobody else is asked")
        #expect(bench.counters.failed == 1 && bench.leases == 0)
    }

    /// The endpoint had closed the idle connection: that costs nothing but a new one.
    @Test func aConnectionThatHadBeenClosedIsMadeAnew() throws {
        let bench = try Bench(endpoints: 1)
        try bench.ask()
        try bench.answer(0, Bench.head + Bench.item + Bench.last)
        _ = try bench.got()
        try bench.ask()
        #expect(bench.connections == 1, "the connection is used again")
        bench.hangUp(0)
        #expect(bench.connections == 2)
        try bench.answer(1, Bench.head + Bench.item + Bench.last)
        let got = try bench.got()
        #expect(got.hasPrefix("HTTP/1.1 200 OK") && !got.contains("X-Routerd-Note"), "\(got)")
    }

    @Test func anEndpointThatCannotBeReachedIsPassedOver() throws {
        let bench = try Bench(endpoints: 2)
        bench.refuse(1)
        try bench.ask()
        try bench.ask()
        // Whichever was asked first, only the second can be.
        #expect(bench.endpoint(0) == "e2")
        try bench.answer(0, Bench.head + Bench.item + Bench.last)
        let got = try bench.got()
        #expect(got.hasPrefix("HTTP/1.1 200 OK"), "\(got)")
    }

    @Test func aFirstTokenThatNeverComesIsSoughtElsewhere() throws {
        let bench = try Bench(endpoints: 2) { $0.limits.firstByteTimeout = .seconds(3) }
        try bench.ask()
        bench.handler.sweep(now: .now() + .seconds(4))
        #expect(bench.connections == 2 && !bench.isOpen(0), "the first is cancelled")
        try bench.answer(1, Bench.head + Bench.item + Bench.last)
        let got = try bench.got()
        #expect(got.contains("no first token in 4 s; then"), "\(got)")
    }

    private static let eventHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    private static func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

    /// Servers send pings, the role and half a line before they have anything to say: whoever fails after that has answered nothing.
    @Test(arguments: [": ping\n\n", "data: {\"id", #"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"# + "\n\n"])
    func whatIsNoTokenYetIsNoAnswerYet(_ beginning: String) throws {
        let bench = try Bench(endpoints: 2)
        try bench.ask("/v1/chat/completions", body: #"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#)
        try bench.answer(0, Self.eventHead + Self.chunk(beginning))
        let early = try bench.got()
        bench.hangUp(0)
        try bench.answer(1, Self.eventHead + Self.chunk(beginning))
        let still = try bench.got()
        let rest = (beginning.hasSuffix("\n") ? "data: {\"" : "\":\"") + "x\":1,\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
        try bench.answer(1, Self.chunk(rest))
        let got = try bench.got()
        #expect(early.isEmpty && still.isEmpty)
        #expect(got.hasPrefix("HTTP/1.1 200 OK") && got.contains(beginning) && got.contains(rest), "all that came goes on: \(got)")
    }

    /// What breaks without it: a client gets an empty success because the endpoint that says nothing was asked last.
    @Test(arguments: [true, false]) func theOrderOfFailuresDecidesNothing(_ emptyIsFirst: Bool) throws {
        let bench = try Bench(endpoints: 2)
        try bench.ask()
        let empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        let broken = Bench.refusal("500 Broken", #"{"error":"out of memory"}"#)
        try bench.answer(0, emptyIsFirst ? empty : broken)
        try bench.answer(1, emptyIsFirst ? broken : empty)
        let got = try bench.got()
        #expect(got.hasPrefix("HTTP/1.1 500 Broken") && got.hasSuffix(#"{"error":"out of memory"}"#), "\(got)")
    }

    /// The last item is the end of the answer, whatever its framing still lacks.
    @Test func aStreamThatSaidItsEndIsWhole() throws {
        let bench = try Bench(endpoints: 1)
        try bench.ask()
        try bench.answer(0, Bench.head + Bench.item + Bench.last.dropLast("0\r\n\r\n".count))
        bench.hangUp(0)
        let got = try bench.got()
        #expect(!got.contains("error") && got.hasSuffix("0\r\n\r\n"), "\(got)")
        #expect(bench.counters.completed == 1)
    }

    @Test func aStopTellsWhoHasGotNothing() throws {
        for stage in Stage.allCases where stage != .receiving {
            let bench = try Self.bench(at: stage)
            bench.handler.abort()
            bench.loop.run()
            let got = try bench.got()
            #expect(got.contains("stopping"), "\(stage): \(got)")
            #expect(bench.counters.open == 0)
        }
    }
}
