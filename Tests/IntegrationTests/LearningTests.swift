// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Only an answer with tokens teaches the scheduler anything. What breaks without these: an endpoint that refuses in a millisecond is taken for the
/// fastest there is, and requests wait in its line while another one is free.
@Suite struct LearningTests {
    /// Refuses whoever says so, holds whoever says so, and serves the rest.
    private static func moody(_ gate: Gate, _ refusal: ScriptedAnswer) -> FakeEndpoint.Script {
        { connection, request in
            if request.text.contains("refuse me") { return refusal.script(connection, request) }
            if request.text.contains("hold me"), !gate.pass() { return connection.close() }
            FakeModelServer().answer(request, on: connection)
        }
    }

    static let refusals: [ScriptedAnswer] = [
        .refusal("400 Bad Request", "your fault"), .refusal("422 Unprocessable Content", "your fault"),
        .refusal("413 Content Too Large", "your fault"),
    ]

    @Test(arguments: refusals) func quickRefusalsDoNotMakeAnEndpointQuick(_ refusal: ScriptedAnswer) throws {
        let gate = Gate()
        let a = try FakeEndpoint("a", available: ["m"], loaded: ["m"], script: Self.moody(gate, refusal))
        let b = try FakeEndpoint("b", available: ["m"])
        try RunningDaemon.run([a, b], limit: 1) { daemon in
            for number in 0..<60 {
                let answer = try RawClient.post(port: daemon.port, "/api/chat?endpoint=a", Chat.body("refuse me \(number)"))
                #expect(answer.status >= 400)
            }
            let held = Chat.Pending(port: daemon.port, path: "/api/chat?endpoint=a", Chat.body("hold me"))
            try eventually("a is busy") { a.active == 1 }
            let next = Chat.Pending(port: daemon.port, Chat.body("next"))
            let answer = try next.answer(within: 4)
            #expect(answer.status == 200 && b.requestCount == 1, "it waited for an endpoint of which nothing is known")
            gate.open()
            try #expect(held.answer().status == 200)
        }
    }

    /// A refusal tells nothing about what is in memory.
    @Test(arguments: refusals) func aRefusalDoesNotMakeAModelLoaded(_ refusal: ScriptedAnswer) throws {
        let a = try FakeEndpoint("a", available: ["m"], script: Self.moody(Gate(), refusal))
        let b = try FakeEndpoint("b", available: ["m"])
        // No poll corrects what was learned before the test has looked.
        let preamble = "listen: 127.0.0.1:0\nthreads: 2\npoll_interval: 60s\npoll_models_interval: 60s\n"
        try RunningDaemon.run([a, b], preamble: preamble) { daemon in
            try #expect(RawClient.post(port: daemon.port, "/api/chat?endpoint=a", Chat.body("refuse me")).status >= 400)
            try daemon.waitUntilIdle()
            let option = try #require(try daemon.control().explain("m", route: "/api/chat").options.first { $0.endpoint == "a" })
            #expect(option.why != "loaded" && option.parts.contains { $0.name == "load" }, "\(option)")
            try #expect(daemon.endpoint("a").loaded.isEmpty)
        }
    }
}
