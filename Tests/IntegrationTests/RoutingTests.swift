// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import NIOConcurrencyHelpers
import TestSupport
import Testing

/// A request goes where it can start at once, and waits in a fair line where it cannot.
@Suite struct RoutingTests {
    private static func chat(_ model: String, _ prompt: String = "hi") -> String {
        #"{"model":"\#(model)","messages":[{"role":"user","content":"\#(prompt)"}],"stream":false}"#
    }

    /// Clients that are under way, each on a thread; `finish` waits for all their answers.
    private final class Clients: Sendable {
        private let answers = NIOLockedValueBox<[Int: Result<RawResponse, any Error>]>([:])
        private let started = NIOLockedValueBox(0)

        func start(_ port: Int, _ body: String) {
            let number = started.withLockedValue { count in
                count += 1
                return count - 1
            }
            Thread.detachNewThread {
                let result = Result { try RawClient.post(port: port, "/api/chat", body, within: 30) }
                self.answers.withLockedValue { $0[number] = result }
            }
        }

        func finish() throws -> [RawResponse] {
            let all = started.withLockedValue { $0 }
            try eventually("\(all) answers", within: 30) { answers.withLockedValue { $0.count } == all }
            let found = answers.withLockedValue { $0 }
            return try (0..<all).map { number in
                guard let answer = found[number] else { throw TestFailure("no answer \(number)") }
                return try answer.get()
            }
        }
    }

    /// Without it every request could cost a load of minutes.
    @Test func aRequestGoesWhereItsModelIsLoaded() throws {
        let cold = try FakeEndpoint("cold", available: ["a", "b"])
        let warmA = try FakeEndpoint("warm-a", available: ["a", "b"], loaded: ["a"])
        let warmB = try FakeEndpoint("warm-b", available: ["a", "b"], loaded: ["b"])
        try RunningDaemon.run([cold, warmA, warmB]) { daemon in
            for _ in 0..<10 {
                for model in ["a", "b"] { try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat(model)).status == 200) }
            }
            #expect(cold.requestCount == 0)
            #expect(warmA.requests.map { $0.string("model") } == Array(repeating: "a", count: 10))
            #expect(warmB.requests.map { $0.string("model") } == Array(repeating: "b", count: 10))
        }
    }

    /// The slot's limit holds, the next request goes to another server that has the model, and the one after waits.
    @Test func aboveTheLimitTheNextServerIsTakenAndThenTheLine() throws {
        let gate = Gate()
        let first = try FakeEndpoint("first", available: ["m"], loaded: ["m"], script: FakeModelServer.held(by: gate))
        let second = try FakeEndpoint("second", available: ["m"], script: FakeModelServer.held(by: gate))
        try RunningDaemon.run([first, second], limit: 2) { daemon in
            let clients = Clients()
            for number in 0..<2 { clients.start(daemon.port, Self.chat("m", "\(number)")) }
            try eventually("two where it is loaded") { first.active == 2 }
            #expect(second.active == 0)
            for number in 2..<4 { clients.start(daemon.port, Self.chat("m", "\(number)")) }
            try eventually("two spilled") { second.active == 2 }
            // One at a time, so that their order in the line is known.
            for number in 4..<8 {
                clients.start(daemon.port, Self.chat("m", "\(number)"))
                try eventually("\(number) in line") { try daemon.status().queue.waiting == number - 3 }
            }
            #expect(first.active == 2 && second.active == 2, "nothing above the limit")
            let waiting = try daemon.control().requests().requests.filter { $0.phase == .waiting }
            #expect(waiting.count == 4)
            for _ in 0..<8 { gate.open() }
            let answers = try clients.finish()
            #expect(answers.allSatisfy { $0.status == 200 })
            #expect(first.mostActive == 2 && second.mostActive == 2)
            let order = (first.requests + second.requests).compactMap { ($0.json["messages"] as? [[String: Any]])?.first?["content"] as? String }
            #expect(Set(order).count == 8, "each served once: \(order)")
        }
    }

    /// First come, first served: the line's whole promise.
    @Test func theLineIsServedInOrder() throws {
        let gate = Gate()
        let only = try FakeEndpoint("only", available: ["m"], loaded: ["m"], script: FakeModelServer.held(by: gate))
        try RunningDaemon.run([only], limit: 1) { daemon in
            let clients = Clients()
            for number in 0..<6 {
                clients.start(daemon.port, Self.chat("m", "\(number)"))
                try eventually("\(number) is known") { try daemon.status().queue.waiting == number && only.requestCount == 1 }
            }
            for served in 1...6 {
                gate.open()
                try eventually("\(served) served") { only.requestCount == min(served + 1, 6) }
            }
            _ = try clients.finish()
            let order = only.requests.compactMap { ($0.json["messages"] as? [[String: Any]])?.first?["content"] as? String }
            #expect(order == ["0", "1", "2", "3", "4", "5"])
            #expect(only.mostActive == 1)
        }
    }

    @Test func aFullLineRefusesAndSaysWhenToComeBack() throws {
        let gate = Gate()
        let only = try FakeEndpoint("only", available: ["m"], loaded: ["m"], script: FakeModelServer.held(by: gate))
        try RunningDaemon.run([only], limit: 1, "queue_limit: 1\n") { daemon in
            let clients = Clients()
            clients.start(daemon.port, Self.chat("m"))
            try eventually("the slot is taken") { only.active == 1 }
            clients.start(daemon.port, Self.chat("m"))
            try eventually("the line is full") { try daemon.status().queue.waiting == 1 }
            let native = try RawClient.post(port: daemon.port, "/api/chat", Self.chat("m"))
            let openAI = try RawClient.post(port: daemon.port, "/v1/chat/completions", Self.chat("m"))
            #expect([429, 503].contains(native.status) && openAI.status == native.status)
            #expect(Int(native.head["retry-after"] ?? "") ?? 0 > 0)
            // Before it has the slot, two answers have to end.
            let wait = try #require(native.head["x-routerd-expected-wait"])
            #expect(native.head["retry-after"] == wait && Int(wait) ?? 0 > 1)
            let first = try #require(daemon.control().queue().waiting.first)
            #expect(try #require(first.beginsInMs) < 1000 * (Int(wait) ?? 0) + 1000)
            #expect(native.text.hasPrefix(#"{"error":""#) && openAI.text.hasPrefix(#"{"error":{"#))
            gate.open(2)
            let answers = try clients.finish()
            #expect(answers.allSatisfy { $0.status == 200 })
        }
    }

    @Test func aWaitHasADeadline() throws {
        let gate = Gate()
        let only = try FakeEndpoint("only", available: ["m"], loaded: ["m"], script: FakeModelServer.held(by: gate))
        try RunningDaemon.run([only], limit: 1, "queue_timeout: 300ms\n") { daemon in
            let clients = Clients()
            clients.start(daemon.port, Self.chat("m"))
            try eventually("the slot is taken") { only.active == 1 }
            let late = try RawClient.post(port: daemon.port, "/api/chat", Self.chat("m"))
            #expect(late.status == 503)
            #expect(late.head["retry-after"] != nil)
            try #expect(daemon.status().queue.waiting == 0)
            gate.open()
            let answers = try clients.finish()
            #expect(answers.allSatisfy { $0.status == 200 })
            #expect(only.requestCount == 1, "who gave up waiting was never sent")
        }
    }

    /// Who leaves must not hold a place.
    @Test func whoLeavesTheLineLosesTheirPlace() throws {
        let gate = Gate()
        let only = try FakeEndpoint("only", available: ["m"], loaded: ["m"], script: FakeModelServer.held(by: gate))
        try RunningDaemon.run([only], limit: 1) { daemon in
            let clients = Clients()
            clients.start(daemon.port, Self.chat("m", "first"))
            try eventually("the slot is taken") { only.active == 1 }
            let leaver = try daemon.client()
            try leaver.send(RawClient.request("POST", "/api/chat", body: Self.chat("m", "leaver")))
            try eventually("in line") { try daemon.status().queue.waiting == 1 }
            leaver.close()
            try eventually("out of line") { try daemon.status().queue.waiting == 0 }
            gate.open()
            _ = try clients.finish()
            #expect(only.requestCount == 1)
        }
    }

    @Test func aliasesAndOtherFormsOfANameFindTheModel() throws {
        let endpoint = try FakeEndpoint(available: ["llama3.2:3b", "Qwen:latest"], loaded: ["llama3.2:3b"])
        try RunningDaemon.run([endpoint], "model_aliases:\n  gpt-4o-mini: llama3.2:3b\n") { daemon in
            let body = #"{"messages":[],"x":"gpt-4o-mini","model":"gpt-4o-mini","stream":false}"#
            try #expect(RawClient.post(port: daemon.port, "/v1/chat/completions", body).status == 200)
            #expect(endpoint.requests.last?.text == body.replacingOccurrences(of: #""model":"gpt-4o-mini""#, with: #""model":"llama3.2:3b""#))
            // A form that the endpoint understands by itself goes on as it was written.
            for name in ["qwen", "QWEN:latest", "library/qwen", "registry.ollama.ai/library/Qwen:latest"] {
                let body = Self.chat(name)
                try #expect(RawClient.post(port: daemon.port, "/api/chat", body).status == 200, "\(name)")
                #expect(endpoint.requests.last?.text == body)
            }
        }
    }

    /// `weight` decides between endpoints that are otherwise equal.
    @Test func aHeavierEndpointIsTakenFirst() throws {
        let gate = Gate()
        let light = try FakeEndpoint("light", available: ["m"], loaded: ["m"], script: FakeModelServer.held(by: gate))
        let heavy = try FakeEndpoint("heavy", available: ["m"], loaded: ["m"], script: FakeModelServer.held(by: gate))
        try RunningDaemon.run("endpoints:\n" + light.entry(limit: 4, weight: 1) + heavy.entry(limit: 4, weight: 3), up: 2) { daemon in
            let clients = Clients()
            clients.start(daemon.port, Self.chat("m"))
            try eventually("the first is placed") { light.active + heavy.active == 1 }
            #expect(heavy.active == 1)
            gate.open()
            _ = try clients.finish()
        }
    }

    @Test func anUnknownModelIsNamedWithWhatIsKnown() throws {
        let endpoint = try FakeEndpoint(available: ["known:7b"], loaded: [])
        try RunningDaemon.run([endpoint]) { daemon in
            let native = try RawClient.post(port: daemon.port, "/api/chat", Self.chat("nope"))
            let openAI = try RawClient.post(port: daemon.port, "/v1/chat/completions", Self.chat("nope"))
            #expect(native.status == 404 && openAI.status == 404)
            #expect(native.text.contains("nope") && native.text.contains("known:7b"))
            #expect(openAI.text.contains(#""type":"not_found_error""#) && openAI.text.contains("nope"))
            #expect(endpoint.requestCount == 0)
        }
    }

    @Test func aFleetThatIsDownSaysSoAndServesWhenItIsBack() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"])
        endpoint.die()
        try RunningDaemon.run("endpoints:\n" + endpoint.entry(), up: 0) { daemon in
            try eventually("found to be down") { try daemon.status().endpoints[0].state == "down" }
            let refused = try RawClient.post(port: daemon.port, "/api/chat", Self.chat("m"))
            #expect(refused.status == 503)
            #expect(refused.head["retry-after"] != nil)
            try endpoint.revive()
            try eventually("up again") { try daemon.status().endpoints[0].state == "up" }
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat("m")).status == 200)
        }
    }

    /// What drains gets nothing new and finishes what it has.
    @Test func aDrainingEndpointFinishesWhatItHasAndGetsNothingNew() throws {
        let gate = Gate()
        let leaving = try FakeEndpoint("leaving", available: ["m"], loaded: ["m"], script: FakeModelServer.held(by: gate))
        let staying = try FakeEndpoint("staying", available: ["m"])
        try RunningDaemon.run([leaving, staying]) { daemon in
            let clients = Clients()
            clients.start(daemon.port, Self.chat("m"))
            try eventually("under way") { leaving.active == 1 }
            try #expect(daemon.routerctl("drain", "leaving").status == 0)
            for _ in 0..<5 { try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat("m")).status == 200) }
            #expect(leaving.requestCount == 1 && staying.requestCount == 5)
            gate.open()
            let answers = try clients.finish()
            #expect(answers.allSatisfy { $0.status == 200 })
        }
    }
}
