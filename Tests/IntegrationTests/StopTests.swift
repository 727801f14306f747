// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// What becomes of requests when the daemon stops. What breaks without these: a client gets an empty reply, or half an answer that looks whole.
@Suite struct StopTests {
    /// A route, and how its own errors look.
    struct Route: Sendable, CustomStringConvertible {
        let path: String
        /// Of an answer that has not begun.
        let error: String
        /// Of a stream that has.
        let item: String
        var description: String { path }
    }

    static let routes = [
        Route(path: "/api/chat", error: #"{"error":""#, item: #"{"error":""#),
        Route(path: "/v1/chat/completions", error: #"{"error":{"#, item: #"data: {"error":{"#),
        Route(path: "/v1/messages", error: #"{"type":"error","error":{"#, item: "event: error\ndata: "),
    ]

    private static func body(_ prompt: String, stream: Bool) -> String {
        #"{"model":"m","max_tokens":9,"stream":\#(stream),"messages":[{"role":"user","content":"\#(prompt)"}]}"#
    }

    /// A token, and silence.
    private static let begins = ScriptedAnswer("begins") { connection, request in
        connection.startStream(request.streamType)
        connection.sendChunk(request.item("one"))
        connection.waitForPeerToLeave(within: 60)
    }

    /// Stops the daemon and waits for its end; everything must be in order.
    private static func stop(_ daemon: RunningDaemon) throws {
        daemon.process.signal(SIGTERM)
        try #expect(daemon.process.waitForExit(within: 15) == 0)
        #expect(!FileManager.default.fileExists(atPath: daemon.socketPath))
    }

    // MARK: When its time is over

    @Test(arguments: routes) func whoWaitsInLineIsTold(_ route: Route) throws {
        let endpoint = try FakeEndpoint("only", then: .hang)
        let daemon = try RunningDaemon([endpoint], limit: 1, "shutdown_timeout: 500ms\n")
        let holder = Chat.Pending(port: daemon.port, path: "/api/chat", Self.body("holder", stream: true))
        try eventually("the slot is taken") { endpoint.active == 1 }
        let pending = [true, false].map { Chat.Pending(port: daemon.port, path: route.path, Self.body("waits", stream: $0)) }
        try eventually("both wait in line") { try daemon.status().queue.waiting == 2 }
        try Self.stop(daemon)
        for waiting in pending {
            let answer = try waiting.answer(within: 5)
            #expect(answer.status == 503 && answer.text.hasPrefix(route.error) && answer.text.contains("stopping"), "\(answer.text)")
            #expect(!answer.isCut && answer.head["retry-after"] != nil)
        }
        _ = try? holder.answer(within: 5)
    }

    /// A client that has had nothing yet can still be told in full.
    @Test(arguments: routes) func whoHasHadNoByteIsTold(_ route: Route) throws {
        let endpoint = try FakeEndpoint("only", then: .hang)
        let daemon = try RunningDaemon([endpoint], limit: 4, "shutdown_timeout: 500ms\n")
        let pending = [true, false].map { Chat.Pending(port: daemon.port, path: route.path, Self.body("under way", stream: $0)) }
        try eventually("both are under way") { endpoint.active == 2 }
        try Self.stop(daemon)
        for request in pending {
            let answer = try request.answer(within: 5)
            #expect(answer.status == 503 && answer.text.hasPrefix(route.error) && answer.text.contains("stopping"), "\(answer.text)")
        }
    }

    /// As routerd(8) promises for every stream that breaks.
    @Test(arguments: routes) func aStreamEndsWithAnErrorItem(_ route: Route) throws {
        let endpoint = try FakeEndpoint("only", then: Self.begins)
        let daemon = try RunningDaemon([endpoint], limit: 4, "shutdown_timeout: 500ms\n")
        let client = try daemon.client()
        try client.send(RawClient.request("POST", route.path, body: Self.body("stream", stream: true)))
        try #expect(client.readHead().status == 200)
        try client.read(upTo: "one")
        daemon.process.signal(SIGTERM)
        let rest = try client.readRest(within: 10)
        #expect(rest.contains(route.item) && rest.contains("stopping"), "it ended with: \(rest)")
        try #expect(daemon.process.waitForExit(within: 15) == 0)
    }

    /// Who still waits in line gets a slot that frees before the time is over.
    @Test func theLineGoesOnWhileThereIsTime() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint("only", then: .held(by: gate))
        let daemon = try RunningDaemon([endpoint], limit: 1)
        let pending = (0..<3).map { Chat.Pending(port: daemon.port, Chat.body("\($0)")) }
        try eventually("two wait in line") { try endpoint.active == 1 && daemon.status().queue.waiting == 2 }
        daemon.process.signal(SIGTERM)
        try eventually("it is heard") { daemon.log.contains("stopping") }
        gate.open(3)
        for request in pending { try #expect(request.answer().status == 200) }
        try #expect(daemon.process.waitForExit(within: 15) == 0)
    }

    // MARK: Two signals

    /// Process managers and coreutils' `timeout` send two within milliseconds and mean one.
    @Test(arguments: [[SIGTERM, SIGTERM], [SIGTERM, SIGINT], [SIGINT, SIGTERM, SIGTERM]])
    func signalsInQuickSuccessionAreOne(_ signals: [Int32]) throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint("only", then: .held(by: gate))
        let daemon = try RunningDaemon([endpoint])
        let pending = Chat.Pending(port: daemon.port)
        try eventually("it is under way") { endpoint.active == 1 }
        let watch = Stopwatch()
        for (index, signal) in signals.enumerated() {
            daemon.process.signal(signal)
            // Two of a kind that are both pending would be one for the kernel, too.
            if index == 0 { try eventually("the first is heard") { daemon.log.contains("stopping") } }
        }
        // Had it been taken for "stop at once", the end would come before the answer. A machine too slow to be quick proves nothing.
        try #require(watch.seconds < 0.9, "the signals were \(watch.seconds) s apart")
        try eventually("nothing is cut: \(daemon.log.suffix(300))") { watch.seconds > 1 || pending.isOver }
        #expect(!pending.isOver)
        gate.open()
        try #expect(pending.answer().status == 200)
        try #expect(daemon.process.waitForExit(within: 15) == 0)
        #expect(!FileManager.default.fileExists(atPath: daemon.socketPath))
    }

    /// A person who presses Ctrl-C once more a second later means it.
    @Test func aSecondSignalThatComesLaterCounts() throws {
        let endpoint = try FakeEndpoint("only", then: .hang)
        let daemon = try RunningDaemon([endpoint])
        let pending = Chat.Pending(port: daemon.port)
        try eventually("it is under way") { endpoint.active == 1 }
        daemon.process.signal(SIGTERM)
        try eventually("the first is heard") { daemon.log.contains("stopping") }
        let watch = Stopwatch()
        try eventually("a second is over") { watch.seconds > 1.2 }
        daemon.process.signal(SIGTERM)
        _ = try daemon.process.waitForExit(within: 5)
        _ = try? pending.answer(within: 5)
    }
}
