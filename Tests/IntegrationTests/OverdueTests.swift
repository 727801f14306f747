// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// A first token that is much later than everything that was seen before may be sought elsewhere. What breaks without these: one request that hangs
/// at an endpoint whose polls are fine waits there for ten minutes, while another one is idle.
@Suite struct OverdueTests {
    /// Answers at once, but for whoever asks it to hang.
    private static let moody: FakeEndpoint.Script = { connection, request in
        if request.text.contains("hang") {
            connection.waitForPeerToLeave(within: 60)
            return
        }
        FakeModelServer().answer(request, on: connection)
    }

    /// `a` has taught that it answers within milliseconds; then a request hangs there.
    private static func run(
        _ config: String, _ body: (RunningDaemon, _ a: FakeEndpoint, _ b: FakeEndpoint, _ hung: Chat.Pending) throws -> Void
    ) throws {
        let a = try FakeEndpoint("a", available: ["m"], loaded: ["m"], script: moody)
        let b = try FakeEndpoint("b", available: ["m"])
        try RunningDaemon.run([a, b], limit: 4, config) { daemon in
            for number in 0..<20 {
                try #expect(RawClient.post(port: daemon.port, "/api/chat?endpoint=a", Chat.body("\(number)", stream: true)).status == 200)
            }
            let hung = Chat.Pending(port: daemon.port, Chat.body("hang", stream: true), within: 40)
            try eventually("it is at a") { a.active == 1 }
            try body(daemon, a, b, hung)
            b.die()
            a.die()
        }
    }

    /// Without a word in the configuration: after ten seconds, and not before.
    @Test func anOverdueFirstTokenIsSoughtElsewhere() throws {
        try Self.run("") { _, a, b, hung in
            let watch = Stopwatch()
            let answer = try hung.answer(within: 18)
            #expect(answer.status == 200 && answer.head["x-routerd-endpoint"] == "b", "\(answer.text)")
            #expect(watch.seconds > 8, "after \(watch.seconds) s")
            try eventually("the first one is cancelled") { a.active == 0 }
            #expect(b.requestCount == 1)
        }
    }

    @Test func theLeastTimeCanBeSet() throws {
        try Self.run("overdue_after: 1s\n") { daemon, a, b, hung in
            let watch = Stopwatch()
            let answer = try hung.answer(within: 8)
            #expect(answer.status == 200 && answer.head["x-routerd-endpoint"] == "b", "\(answer.text)")
            #expect(watch.seconds > 0.7)
            #expect(answer.head["x-routerd-note"]?.contains("a: ") == true && answer.head["x-routerd-note"]?.contains("then b") == true)
            try eventually("the first one is cancelled") { a.active == 0 }
            let counted = try daemon.waitUntilIdle().requests
            #expect(counted.completed == 21 && counted.failed == 0 && counted.aborted == 0, "\(counted)")
        }
    }

    @Test(arguments: ["overdue: \"off\"\noverdue_after: 500ms\n", "overdue_after: 500ms\nretry_on: [unreachable, busy, broken, not_here]\n"])
    func itCanBeTurnedOff(_ config: String) throws {
        try Self.run(config) { _, a, b, hung in
            let watch = Stopwatch()
            try eventually("three seconds, or an answer") { watch.seconds > 3 || hung.isOver }
            #expect(!hung.isOver && b.requestCount == 0 && a.active == 1)
        }
    }

    /// Nobody else has the model: there is nothing to gain.
    @Test func whereNobodyElseCouldItWaits() throws {
        let gate = Gate()
        let a = try FakeEndpoint("a", available: ["m"], loaded: ["m"]) { connection, request in
            if request.text.contains("hang"), !gate.pass() { return connection.close() }
            FakeModelServer().answer(request, on: connection)
        }
        try RunningDaemon.run([a], "overdue_after: 500ms\n") { daemon in
            for number in 0..<20 { try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body("\(number)", stream: true)).status == 200) }
            let hung = Chat.Pending(port: daemon.port, Chat.body("hang", stream: true))
            let watch = Stopwatch()
            try eventually("two seconds, or an answer") { watch.seconds > 2 || hung.isOver }
            #expect(!hung.isOver && a.active == 1)
            gate.open()
            try #expect(hung.answer().status == 200)
        }
    }

    /// A load takes its time, and is known to.
    @Test func aLoadIsNotOverdue() throws {
        let gate = Gate()
        let a = try FakeEndpoint("a", available: ["m", "n"], loaded: ["m"]) { connection, request in
            if request.string("model") == "n", !gate.pass() { return connection.close() }
            FakeModelServer().answer(request, on: connection)
        }
        let b = try FakeEndpoint("b", available: ["m", "n"], loaded: ["m"])
        try RunningDaemon.run([a, b], "overdue_after: 500ms\n") { daemon in
            for number in 0..<20 {
                try #expect(RawClient.post(port: daemon.port, "/api/chat?endpoint=a", Chat.body("\(number)", stream: true)).status == 200)
            }
            // The first one to ask for `n`: it is on no endpoint's list of what is in memory.
            b.setAvailable(["m"])
            try eventually("b has it no more") { try !daemon.endpoint("b").available.contains("n:latest") }
            let loading = Chat.Pending(port: daemon.port, Chat.body("x", stream: true, model: "n"))
            try eventually("it loads at a") { a.active == 1 }
            b.setAvailable(["m", "n"])
            try eventually("b has it again") { try daemon.endpoint("b").available.contains("n:latest") }
            let watch = Stopwatch()
            try eventually("three seconds, or an answer") { watch.seconds > 3 || loading.isOver }
            #expect(!loading.isOver && b.requests.allSatisfy { $0.string("model") != "n" })
            gate.open()
            try #expect(loading.answer().status == 200)
        }
    }
}
