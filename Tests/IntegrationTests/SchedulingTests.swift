// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// A5 to A8 and A10, on the real daemon. What breaks without these: the rule decides in a test and not where requests go, or nobody
/// can find out why they went there.
@Suite struct SchedulingTests {
    /// What `explain` says a request would do, it does.
    @Test func aRequestGoesWhereExplainSaysItWould() throws {
        let loaded = try FakeEndpoint("loaded", available: ["m", "n"], loaded: ["m"])
        let cold = try FakeEndpoint("cold", available: ["m", "n"])
        try RunningDaemon.run([loaded, cold]) { daemon in
            let info = try daemon.control().explain("m")
            let chosen = try #require(info.options.first { $0.isChosen })
            #expect(chosen.endpoint == "loaded" && chosen.why == "loaded")
            #expect(info.options.map(\.endpoint).contains("cold"))
            let costs = info.options.compactMap(\.costS)
            #expect(costs == costs.sorted(), "\(info)")
            try #expect(RawClient.post(port: daemon.port, "/api/chat", #"{"model":"m","messages":[],"stream":false}"#).status == 200)
            #expect(loaded.requestCount == 1 && cold.requestCount == 0)
        }
    }

    @Test func whatCannotBeExplainedIsSaid() throws {
        try RunningDaemon.run([FakeEndpoint(available: ["m"])]) { daemon in
            let client = try daemon.control()
            #expect(throws: ControlError.self) { try client.explain("nobody-has-it") }
            do {
                _ = try client.explain("nobody-has-it")
            } catch ControlError.remote(let error) {
                #expect(error.code == .notFound, "\(error)")
            }
            do {
                _ = try client.explain("m", route: "/api/show")
                Issue.record("explained")
            } catch ControlError.remote(let error) {
                #expect(error.code == .invalidParams && error.message.contains("/api/chat"), "\(error)")
            }
        }
    }

    /// A request whose prompt has so many turns, as the route has them.
    private static func body(_ route: String, _ conversation: Int, turns: Int) -> String {
        let words = (0..<turns).map { "conversation \(conversation) \($0) \(Self.filler)" }
        let messages = words.enumerated().map { #"{"role":"\#($0 % 2 == 0 ? "user" : "assistant")","content":"\#($1)"}"# }.joined(separator: ",")
        let prompt =
            switch route {
            case "/v1/completions", "/api/generate": #""prompt":"\#(words.joined())""#
            case "/v1/responses": #""input":[\#(messages)]"#
            case "/v1/messages": #""max_tokens":5,"messages":[\#(messages)]"#
            default: #""messages":[\#(messages)]"#
            }
        return #"{"model":"m","stream":false,\#(prompt)}"#
    }

    /// Long enough that reading it again would take its time.
    private static let filler = String(repeating: "what was said before ", count: 60)

    /// A8 on each route whose prompt grows: a follow-up that lands elsewhere reads the whole conversation again.
    @Test(arguments: ["/api/chat", "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions", "/api/generate"])
    func aConversationGoesBackToWhereItIsKnown(route: String) throws {
        let gate = Gate()
        let endpoints = try ["a", "b", "c"].map { try FakeEndpoint($0, available: ["m"], loaded: ["m"], script: FakeModelServer.held(by: gate)) }
        // All begin at once and take every slot: two on each endpoint, whichever is the quickest.
        try RunningDaemon.run(endpoints, limit: 2) { daemon in
            let clients = try (0..<6).map { conversation in
                let client = try daemon.client()
                try client.send(RawClient.request("POST", route, body: Self.body(route, conversation, turns: 1)))
                return client
            }
            try eventually("two on each") { endpoints.allSatisfy { $0.active == 2 } }
            let homes = (0..<6).map { conversation in
                endpoints.firstIndex { $0.requests.contains { String(decoding: $0.body, as: UTF8.self).contains("conversation \(conversation) ") } }
            }
            gate.open(24)
            for client in clients { try #expect(client.readResponse().status == 200) }
            for turn in 1..<4 {
                for conversation in 0..<6 {
                    let before = endpoints.map(\.requestCount)
                    let answer = try RawClient.post(port: daemon.port, route, Self.body(route, conversation, turns: 2 * turn + 1))
                    #expect(answer.status == 200, "\(answer)")
                    let home = endpoints.indices.first { endpoints[$0].requestCount > before[$0] }
                    #expect(homes[conversation] == home, "turn \(turn) of \(conversation)")
                }
            }
        }
    }

    /// `X-Session-Id` names a conversation whose words tell nothing.
    @Test func aSessionGoesBackToo() throws {
        let endpoints = try ["a", "b", "c"].map { try FakeEndpoint($0, available: ["m"], loaded: ["m"]) }
        try RunningDaemon.run(endpoints) { daemon in
            for session in 0..<5 {
                var homes: Set<Int> = []
                for turn in 0..<4 {
                    let before = endpoints.map(\.requestCount)
                    let body = #"{"model":"m","stream":false,"messages":[{"role":"user","content":"\#(turn) \#(session) \#(Self.filler)"}]}"#
                    try #expect(RawClient.post(port: daemon.port, "/api/chat", body, headers: ["X-Session-Id: s\(session)"]).status == 200)
                    homes.formUnion(zip(before, endpoints.map(\.requestCount)).enumerated().filter { $0.element.0 < $0.element.1 }.map(\.offset))
                }
                #expect(homes.count == 1, "session \(session) was on \(homes.count) endpoints")
            }
        }
    }

    /// One client's flood must not make another wait until all of it is done: they take turns.
    @Test func aFloodLeavesAnotherClientItsTurns() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: FakeModelServer.held(by: gate))
        try RunningDaemon.run([endpoint], limit: 1) { daemon in
            let flood = try (0..<30).map { _ in try RawClient(port: daemon.port, from: 2) }
            let other = try (0..<4).map { _ in try RawClient(port: daemon.port, from: 3) }
            for (name, clients) in [("flood", flood), ("other", other)] {
                let body = #"{"model":"m","messages":[{"role":"user","content":"\#(name)"}],"stream":false}"#
                for client in clients { try client.send(RawClient.request("POST", "/api/chat", body: body)) }
                try eventually("\(name) in line") { try daemon.status().queue.waiting == (name == "flood" ? 29 : 33) }
            }
            gate.open(34)
            for client in other + flood { try #expect(client.readHead().status == 200) }
            let order = endpoint.requests.compactMap { ($0.json["messages"] as? [[String: Any]])?.first?["content"] as? String }
            // The first was there before all others.
            #expect(order.prefix(9).filter { $0 == "other" }.count == 4, "\(order)")
            #expect(order.count == 34)
        }
    }

    /// `queue: overcommit`: nobody waits although every slot is taken.
    @Test func overcommittedRequestsDoNotWait() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: FakeModelServer.held(by: gate))
        try RunningDaemon.run([endpoint], limit: 1, "queue: overcommit\n") { daemon in
            let clients = try (0..<3).map { _ in try daemon.client() }
            for client in clients {
                try client.send(RawClient.request("POST", "/api/chat", body: #"{"model":"m","messages":[],"stream":false}"#))
            }
            try eventually("all three are there at once") { endpoint.active == 3 }
            try #expect(daemon.status().queue.waiting == 0)
            gate.open(3)
            for client in clients { try #expect(client.readHead().status == 200) }
        }
    }

    private static func request(_ model: String) -> [UInt8] {
        RawClient.request("POST", "/api/chat", body: #"{"model":"\#(model)","messages":[],"stream":false}"#)
    }

    /// A7: of all endpoints the one where the model fits, else another model would have to be loaded again.
    @Test func aLoadGoesWhereThereIsRoom() throws {
        let endpoints = try (0..<8).map { try FakeEndpoint("e\($0)", available: ["m", "n"], loaded: $0 == 5 ? [] : ["n"]) }
        // A model takes 3 GB here.
        let config = "endpoints:\n" + endpoints.map { $0.entry(vram: "4GB") }.joined()
        try RunningDaemon.run(config, up: 8) { daemon in
            try #expect(RawClient.exchange(port: daemon.port, Self.request("m")).status == 200)
            #expect(endpoints.map(\.requestCount) == [0, 0, 0, 0, 0, 1, 0, 0])
        }
    }

    /// A7: a model in use is not pushed out while another place exists.
    @Test func aLoadLeavesModelsInUseAlone() throws {
        let gate = Gate()
        let endpoints = try (0..<6).map {
            try FakeEndpoint("e\($0)", available: ["m", "n"], loaded: ["n"], script: FakeModelServer.held(by: gate))
        }
        let config = "endpoints:\n" + endpoints.map { $0.entry(limit: 1, vram: "4GB") }.joined()
        try RunningDaemon.run(config, up: 6) { daemon in
            let clients = try (0..<6).map { _ in try daemon.client() }
            for client in clients[..<5] { try client.send(Self.request("n")) }
            try eventually("five are in use") { endpoints.filter { $0.active == 1 }.count == 5 }
            try clients[5].send(Self.request("m"))
            try eventually("the sixth loads") { endpoints.allSatisfy { $0.active == 1 } }
            gate.open(6)
            for client in clients { try #expect(client.readHead().status == 200) }
        }
    }

    /// `placement: active` loads what is wanted where there may be room for it; without it nothing is loaded that nobody has asked for.
    @Test(arguments: [true, false])
    func aWantedModelIsLoadedAheadOfNeed(isActive: Bool) throws {
        let holder = try FakeEndpoint("holder", available: ["m"], loaded: ["m"])
        let idle = try FakeEndpoint("idle", available: ["m", "unwanted"])
        try RunningDaemon.run([holder, idle], isActive ? "placement: active\n" : "") { daemon in
            try #expect(RawClient.exchange(port: daemon.port, Self.request("m")).status == 200)
            #expect(holder.requestCount == 1)
            // Several of the moments at which loads are decided pass with so many polls.
            let enough = idle.pollCount + 20
            try eventually("a load or its absence") { idle.requestCount > 0 || idle.pollCount > enough }
            guard isActive else {
                #expect(idle.requestCount == 0)
                return
            }
            let load = try #require(idle.requests.first)
            #expect(load.path == "/api/generate" && load.string("model") == "m:latest" && load.json["prompt"] == nil)
        }
    }

    /// `pin`: a model that is not in memory is loaded before anybody asks for it, and stays for good.
    @Test func aPinnedModelIsLoadedAtStart() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m", "n"])
        try RunningDaemon.run([endpoint], "pin: {m: [gpu]}\n") { daemon in
            try eventually("the load") { endpoint.requestCount >= 1 }
            let request = try #require(endpoint.requests.first)
            let body = request.json
            #expect(request.path == "/api/generate")
            #expect(body["model"] as? String == "m:latest" && body["keep_alive"] as? Int == -1 && body["prompt"] == nil, "\(body)")
        }
    }
}
