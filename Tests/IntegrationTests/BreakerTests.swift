// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// An endpoint whose answers fail is set aside, told of with figures, and probed until it works again. What breaks without these: each request
/// pays for finding out anew, or an endpoint that was mended stays idle.
@Suite struct BreakerTests {
    private static func pair(_ fault: ScriptedAnswer, server: FakeModelServer = FakeModelServer()) throws -> (a: FakeEndpoint, b: FakeEndpoint) {
        (try FakeEndpoint("a", then: fault), try FakeEndpoint("b", then: .served("good", by: server)))
    }

    /// Requests one after the other until `a` shows that it is set aside.
    private static func setAside(_ daemon: RunningDaemon) throws -> EndpointInfo {
        try eventualValue("a is degraded") {
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body("again"))
            guard answer.status == 200 else { throw TestFailure("a client got \(answer.head.firstLine) \(answer.text)") }
            let info = try daemon.endpoint("a")
            return info.state == "degraded" ? info : nil
        }
    }

    @Test func whatFailsIsSetAsideAndSaysWhy() throws {
        let (a, b) = try Self.pair(.broken)
        try RunningDaemon.run([a, b]) { daemon in
            let info = try Self.setAside(daemon)
            #expect(info.reason.contains("failed") && info.reason.contains("500"), "\(info.reason)")
            #expect(info.reason.contains(#/[0-9]+ of the last [0-9]+ answers/#), "the figures are told: \(info.reason)")
            let asked = a.requestCount
            #expect(asked < 12, "it took \(asked) failures to notice")
            for number in 0..<60 { try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body("\(number)")).status == 200) }
            #expect(a.requestCount - asked <= 5, "sixty requests, and \(a.requestCount - asked) of them were probes")
            #expect(b.requestCount >= 60)
        }
    }

    /// All that an operator may look at.
    @Test func eventsMetricsAndExplainTellOfIt() throws {
        let (a, b) = try Self.pair(.broken)
        try RunningDaemon.run([a, b]) { daemon in
            _ = try Self.setAside(daemon)
            let events = try daemon.control().events().events.filter { $0.facts["endpoint"] == "a" && $0.severity >= 3 }
            #expect(events.contains { ($0.message + $0.facts.values.joined(separator: " ")).contains("failed") }, "\(events)")
            try #expect(RawClient.get(port: daemon.port, "/metrics").text.contains(#"routerd_endpoint_state{endpoint="a",state="degraded"} 1"#))
            let option = try #require(try daemon.control().explain("m", route: "/api/chat").options.first { $0.endpoint == "a" })
            #expect((option.obstacle + option.words).contains("failed"), "\(option)")
            #expect(!option.isChosen)
        }
    }

    /// A probe is a client's request: never more than one at a time is risked.
    @Test func probesAreOneAtATime() throws {
        let (a, b) = try Self.pair(.broken, server: FakeModelServer(tokens: 2, delay: 0.05))
        try RunningDaemon.run([a, b], limit: 8) { daemon in
            _ = try Self.setAside(daemon)
            a.setAnswer(
                ScriptedAnswer("slow failure") { connection, request in
                    guard connection.pause(0.5) else { return }
                    ScriptedAnswer.broken.script(connection, request)
                })
            let before = a.requestCount
            let answers = try Chat.crowd(port: daemon.port, 300, atOnce: 6)
            let refused = answers.filter { $0.status != 200 }.map(\.text)
            #expect(refused.isEmpty, "\(refused.count) of 300 clients got an error")
            #expect(a.mostActive <= 1, "\(a.mostActive) at once, \(a.requestCount - before) in all")
        }
    }

    @Test func whatWorksAgainIsFoundByAProbe() throws {
        let (a, b) = try Self.pair(.broken)
        try RunningDaemon.run([a, b]) { daemon in
            _ = try Self.setAside(daemon)
            a.setAnswer(.good)
            let asked = a.requestCount
            try eventually("it is up again", within: 30) {
                try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body("again")).status == 200)
                return try daemon.endpoint("a").state == "up"
            }
            #expect(a.requestCount > asked)
            try #expect(daemon.endpoint("a").reason.isEmpty)
        }
    }

    @Test func anOperatorMayCloseIt() throws {
        let (a, b) = try Self.pair(.broken)
        try RunningDaemon.run([a, b]) { daemon in
            _ = try Self.setAside(daemon)
            a.setAnswer(.good)
            let result = try daemon.routerctl("resume", "a")
            #expect(result.status == 0, "\(result)")
            let info = try daemon.endpoint("a")
            #expect(info.state == "up" && info.reason.isEmpty, "\(info.state) \(info.reason)")
            let asked = a.requestCount
            let answers = try Chat.crowd(port: daemon.port, 20, atOnce: 4)
            #expect(answers.allSatisfy { $0.status == 200 })
            #expect(a.requestCount - asked >= 4, "it has its share again")
        }
    }

    /// Other models of the endpoint may be as well as ever.
    @Test func oneModelsFailuresAreItsOwn() throws {
        let a = try FakeEndpoint("a", available: ["m", "n"], loaded: ["m", "n"]) { connection, request in
            (request.string("model") == "m" ? ScriptedAnswer.broken : .good).script(connection, request)
        }
        let b = try FakeEndpoint("b", then: .good)
        try RunningDaemon.run([a, b]) { daemon in
            for number in 0..<40 {
                try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body("\(number)")).status == 200)
                let other = try RawClient.post(port: daemon.port, "/api/chat", Chat.body("\(number)", model: "n"))
                #expect(other.status == 200 && other.head["x-routerd-endpoint"] == "a", "\(other.text)")
            }
            let asked = a.requests.filter { $0.string("model") == "m" }.count
            #expect(asked < 20, "\(asked) of 40 went where the model fails")
        }
    }

    /// Someone must be asked: a fleet that is set aside as a whole would be down for no reason but its past.
    @Test func aWholeFleetThatFailsIsStillAsked() throws {
        let endpoints = try (0..<2).map { try FakeEndpoint("e\($0)", then: .broken) }
        try RunningDaemon.run(endpoints) { daemon in
            for number in 0..<30 {
                let before = endpoints.map(\.requestCount).reduce(0, +)
                let answer = try RawClient.post(port: daemon.port, "/api/chat", Chat.body("\(number)"))
                #expect(answer.status == 500 && answer.text.contains("CUDA error"), "\(answer.head.firstLine) \(answer.text)")
                #expect(endpoints.map(\.requestCount).reduce(0, +) > before, "request \(number) was refused unasked")
            }
            for endpoint in endpoints { endpoint.setAnswer(.good) }
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body("mended")).status == 200)
        }
    }

    /// Neither what clients do wrong nor that they leave is the endpoint's doing.
    @Test func clientsCannotSetAnEndpointAside() throws {
        let endpoint = try FakeEndpoint("a", available: ["m"], loaded: ["m"]) { connection, request in
            if request.text.contains("bad") { return ScriptedAnswer.refusal("400 Bad Request", "your fault").script(connection, request) }
            connection.waitForPeerToLeave()
        }
        try RunningDaemon.run([endpoint], limit: 20) { daemon in
            for number in 0..<20 {
                try #expect(RawClient.post(port: daemon.port, "/api/chat", Chat.body("bad \(number)")).status == 400)
                let client = try daemon.client()
                try client.send(RawClient.request("POST", "/api/chat", body: Chat.body("leaves \(number)")))
                try eventually("it is there") { endpoint.active > 0 }
                client.reset()
                try eventually("it is gone") { endpoint.active == 0 }
            }
            let info = try daemon.endpoint("a")
            #expect(info.state == "up", "\(info.state) \(info.reason)")
        }
    }
}
