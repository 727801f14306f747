// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers
import Protocol
import TestSupport
import Testing

/// What a poor poll means, and how often polls come. What breaks without these: a service whose list is rate-limited is down for all clients while
/// its chat works, and clients that are refused make the router ask it all the more.
@Suite struct PollTests {
    /// Answers to the model list, one after the other; from the end on, as usual.
    private static func lists(_ statuses: [String], headers: [String] = []) -> FakeEndpoint.PollScript {
        let left = NIOLockedValueBox(statuses[...])
        return { connection, request in
            guard request.path == "/v1/models", let status = left.withLockedValue({ $0.popFirst() }) else { return false }
            connection.answer(#"{"error":{"message":"not now"}}"#, status: status, headers: headers)
            return true
        }
    }

    private static let always = 1_000_000

    /// Requests one after the other for so long; all must be answered, and the endpoint must never be shown as down.
    private static func servesWell(_ daemon: RunningDaemon, for seconds: Double, path: String = "/v1/chat/completions") throws {
        let watch = Stopwatch()
        var (count, refused, down) = (0, 0, "")
        while watch.seconds < seconds {
            count += 1
            if try RawClient.post(port: daemon.port, path, Chat.body("\(count)")).status != 200 { refused += 1 }
            let info = try daemon.endpoint("service")
            if info.state == "down" { down = info.reason }
        }
        #expect(refused == 0, "\(refused) of \(count) clients were refused")
        #expect(down.isEmpty, "it was shown as down: \(down)")
    }

    /// The list is rate-limited, chat is not; and who is told to come back in half a minute does not come ten times a second.
    @Test func aRateLimitedListIsNotTheEnd() throws {
        let service = try FakeEndpoint("service", kind: .openAI, available: ["m"])
        try RunningDaemon.run([service]) { daemon in
            let before = service.pollCount
            service.setPollScript(Self.lists(Array(repeating: "429 Too Many Requests", count: Self.always), headers: ["Retry-After: 30"]))
            try eventually("the list was asked for and refused") { service.pollCount > before }
            let polls = service.pollCount
            try Self.servesWell(daemon, for: 4)
            #expect(service.pollCount - polls <= 1, "\(service.pollCount - polls) polls in four seconds")
        }
    }

    /// An endpoint that answers traffic is alive, whatever its list does.
    @Test func aLateListIsNotTheEnd() throws {
        let service = try FakeEndpoint("service", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([service], "poll_timeout: 300ms\n") { daemon in
            service.setPollsHang(true)
            try Self.servesWell(daemon, for: 4, path: "/api/chat")
        }
    }

    /// Without traffic the polls decide: two that fail are a mishap, three are not.
    @Test func threePollsThatFailMakeAnEndpointDown() throws {
        let service = try FakeEndpoint("service", kind: .openAI, available: ["m"])
        try RunningDaemon.run([service]) { daemon in
            let polls = service.pollCount
            service.setPollScript(Self.lists(Array(repeating: "500 Internal Server Error", count: 2)))
            var states: Set<String> = []
            try eventually("two that fail, and two that do not") {
                states.insert(try daemon.endpoint("service").state)
                return service.pollCount >= polls + 4
            }
            #expect(!states.contains("down"), "\(states)")
            service.setPollScript(Self.lists(Array(repeating: "500 Internal Server Error", count: Self.always)))
            try eventually("down") { try daemon.endpoint("service").state == "down" }
            service.setPollScript(nil)
            try eventually("one good poll is enough") { try daemon.endpoint("service").state == "up" }
        }
    }

    @Test func howManyPollsMayFailCanBeSet() throws {
        let service = try FakeEndpoint("service", kind: .openAI, available: ["m"])
        try RunningDaemon.run([service], "poll_fall: 1\npoll_rise: 2\n") { daemon in
            service.setPollScript(Self.lists(["500 Internal Server Error"]))
            try eventually("down at once") { try daemon.endpoint("service").state == "down" }
            try eventually("up after two") { try daemon.endpoint("service").state == "up" }
        }
    }

    /// The port is closed: there is nothing to wait for.
    @Test func aRefusedConnectionCountsAtOnce() throws {
        let service = try FakeEndpoint("service", kind: .openAI, available: ["m"])
        let preamble = "listen: 127.0.0.1:0\nthreads: 2\npoll_interval: 1s\npoll_models_interval: 1s\n"
        try RunningDaemon.run([service], preamble: preamble) { daemon in
            service.die()
            try eventually("down after one poll", within: 2.5) { try daemon.endpoint("service").state == "down" }
        }
    }

    /// No endpoint's failure: somebody has to look at the configuration, and is told where.
    @Test(arguments: ["401 Unauthorized", "403 Forbidden"]) func aRefusedKeyIsAFaultOfTheConfiguration(_ status: String) throws {
        let service = try FakeEndpoint("service", kind: .openAI, available: ["m"])
        try RunningDaemon.run([service]) { daemon in
            service.setPollScript(Self.lists(Array(repeating: status, count: Self.always)))
            try eventually("it says so: \(String(describing: try? daemon.endpoint("service")))") {
                let info = try daemon.endpoint("service")
                return info.state != "up" && info.reason.contains(status.prefix(3)) && info.reason.contains("key")
            }
        }
    }

    /// Requests for a model of an endpoint that is down are refused, and each of them would like to know whether it is back.
    @Test(arguments: [FakeEndpoint.Kind.openAI, .llamaServer, .ollama]) func refusedRequestsDoNotMakePollsFaster(_ kind: FakeEndpoint.Kind) throws {
        let service = try FakeEndpoint("service", kind: kind, available: ["m"])
        let rounds = NIOLockedValueBox(0)
        let first = ["/v1/models", "/health", "/api/version"]
        let preamble = "listen: 127.0.0.1:0\nthreads: 2\npoll_interval: 1s\npoll_models_interval: 1s\npoll_max_backoff: 1s\n"
        try RunningDaemon.run([service], preamble: preamble) { daemon in
            service.setPollScript { connection, request in
                if first.contains(request.path), kind != .llamaServer || request.path == "/health" { rounds.withLockedValue { $0 += 1 } }
                connection.answer(#"{"error":"no"}"#, status: "500 Internal Server Error")
                return true
            }
            try eventually("down") { try daemon.endpoint("service").state == "down" }
            let before = rounds.withLockedValue { $0 }
            let watch = Stopwatch()
            while watch.seconds < 4 {
                try #expect(RawClient.post(port: daemon.port, "/v1/chat/completions", Chat.body()).status >= 400)
                try #expect(RawClient.post(port: daemon.port, "/v1/chat/completions", Chat.body(model: "unknown")).status >= 400)
                usleep(20_000)
            }
            let polls = rounds.withLockedValue { $0 } - before
            #expect(polls <= 6, "\(polls) polls in four seconds, with one a second configured")
        }
    }
}
