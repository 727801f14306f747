// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Requests under an operator's hand: seen in line, ended in every phase. What breaks without these: a request that nobody can stop
/// holds a GPU, or one that was stopped holds its slot for ever.
@Suite struct OperatorRequestTests {
    private static let chat = #"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":false}"#
    private static let streamed = #"{"model":"m","messages":[{"role":"user","content":"x"}],"stream":true}"#

    /// Nothing comes before the client goes.
    private static let silent: FakeEndpoint.Script = { connection, _ in connection.waitForPeerToLeave(within: 60) }

    private static func code(_ body: () throws -> Void) -> RPCError.Code? {
        do {
            try body()
        } catch ControlError.remote(let error) {
            return error.code
        } catch {
            return nil
        }
        return nil
    }

    private static func only(_ daemon: RunningDaemon, _ phase: RequestInfo.Phase) throws -> RequestInfo {
        try eventualValue("a request that is \(phase)") { try daemon.control().requests().requests.first { $0.phase == phase } }
    }

    @Test func oneThatIsProcessedIsCancelled() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"], script: Self.silent)
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/v1/chat/completions", body: Self.chat, headers: ["X-Request-Id: mine"]))
            let running = try Self.only(daemon, .processing)
            #expect(running.id == "mine" && running.why == "loaded" && running.endpoint == "gpu")
            let cancelled = try daemon.control().cancel("mine").cancelled
            #expect(cancelled.id == "mine" && cancelled.phase == .processing)
            let answer = try client.readResponse()
            #expect(answer.status == 503 && answer.text.contains(#""code":"cancelled""#) && answer.text.contains("cancelled by an operator"))
            try eventually("the endpoint is told") { endpoint.peersThatLeft == 1 }
            let status = try daemon.waitUntilIdle()
            #expect(status.requests.aborted == 1 && status.requests.failed == 0)
            #expect(status.endpoints.first?.abortsTotal == 1 && status.endpoints.first?.failuresTotal == 0)
            let event = try daemon.control().events().events.first { $0.message == "request cancelled" }
            #expect(event?.facts["request"] == "mine" && event?.facts["endpoint"] == "gpu" && event?.level == "notice")
            // The connection goes on.
            endpoint.setScript(nil)
            try client.send(RawClient.request("POST", "/api/chat", body: Self.chat))
            try #expect(client.readResponse().status == 200)
        }
    }

    @Test func aStreamEndsWithAnErrorInItsDialect() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"]) { connection, request in
            let isOllama = request.path == "/api/chat"
            connection.startStream(isOllama ? "application/x-ndjson" : "text/event-stream")
            for _ in 0..<3 {
                connection.sendChunk(isOllama ? #"{"model":"m","message":{"content":"x"},"done":false}"# + "\n" : "data: {\"choices\":[{}]}\n\n")
            }
            connection.waitForPeerToLeave(within: 60)
        }
        try RunningDaemon.run([endpoint]) { daemon in
            for path in ["/api/chat", "/v1/chat/completions"] {
                let client = try daemon.client()
                try client.send(RawClient.request("POST", path, body: Self.streamed))
                _ = try client.readHead()
                let running = try eventualValue("tokens") { try daemon.control().requests().requests.first { $0.tokens >= 3 } }
                #expect(running.phase == .streaming && running.tokensPerSecond ?? 0 > 0)
                _ = try daemon.control().cancel(running.id)
                _ = try client.read(upTo: "cancelled by an operator")
                try daemon.waitUntilIdle()
            }
            try eventually("the endpoint is told of both") { endpoint.peersThatLeft == 2 }
        }
    }

    @Test func requestsCountAsTheyComeAndALoadIsTold() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: [], script: Self.silent)
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Self.chat, headers: ["X-Request-Id: first"]))
            _ = try Self.only(daemon, .loading)
            let status = try daemon.control().status()
            #expect(status.requests.total == 1 && status.requests.open == 1 && status.requests.completed == 0)
            #expect(status.endpoints.first?.inFlight == 1 && status.endpoints.first?.slots == status.endpoints.first?.limit)
            func told(_ message: String) throws -> EventInfo? {
                try daemon.control().events().events.last { $0.message == message && $0.facts["endpoint"] == "gpu" }
            }
            let began = try told("model load began")
            #expect(began?.facts["model"] == "m:latest" && began?.facts["for"] == "request first" && began?.level == "info")
            try #expect(told("model loaded") == nil)
            // Its client goes, the next one's answer shows that the model is there.
            client.close()
            try daemon.waitUntilIdle()
            endpoint.setScript(nil)
            let second = try daemon.client()
            try second.send(RawClient.request("POST", "/api/chat", body: Self.chat))
            try #expect(second.readResponse().status == 200)
            let loaded = try eventualValue("the load's end") { try told("model loaded") }
            #expect(loaded.facts["model"] == "m:latest" && loaded.facts["seconds"].flatMap(Double.init) != nil)
            let after = try daemon.waitUntilIdle()
            #expect(after.requests.total == 2 && after.requests.open == 0)
        }
    }

    @Test func oneThatWaitsIsSeenInLineAndCancelled() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"], script: Self.silent)
        try RunningDaemon.run([endpoint], limit: 1) { daemon in
            let clients = try (0..<3).map { number in
                let client = try daemon.client()
                try client.send(RawClient.request("POST", "/api/chat", body: Self.chat, headers: ["X-Request-Id: r\(number)"]))
                try eventually("request \(number) is in") {
                    try daemon.control().requests().requests.contains { $0.id == "r\(number)" && $0.phase != .receiving }
                }
                return client
            }
            let queue = try eventualValue("two in line") { () -> [WaiterInfo]? in
                let queue = try daemon.control().queue().waiting
                return queue.count == 2 ? queue : nil
            }
            #expect(queue.map(\.id) == ["r1", "r2"] && queue.map(\.position) == [0, 1])
            #expect(queue[1].behind == ["r1"] && queue[0].blockedBy == ["gpu: 1 of 1 slots taken"] && queue[0].model == "m")
            #expect(queue[0].client.hasPrefix("127.0.0.1:"))
            let cancelled = try daemon.control().cancel("r1").cancelled
            #expect(cancelled.phase == .waiting && cancelled.endpoint.isEmpty)
            try #expect(clients[1].readResponse().status == 503)
            #expect(endpoint.requestCount == 1)
            try #expect(daemon.control().queue().waiting.map(\.id) == ["r2"])
            _ = try daemon.control().cancel("r0")
            try eventually("the next one has the slot") { endpoint.requestCount == 2 }
            _ = try daemon.control().cancel("r2")
            for index in [0, 2] { try #expect(clients[index].readResponse().status == 503) }
        }
    }

    @Test func oneThatConnectsOrSendsIsCancelled() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            // The body never ends: it is being received.
            try client.send("POST /api/chat HTTP/1.1\r\nHost: x\r\nX-Request-Id: slow\r\nContent-Length: 100\r\n\r\n{")
            let receiving = try Self.only(daemon, .receiving)
            #expect(receiving.id == "slow")
            _ = try daemon.control().cancel("slow")
            try #expect(client.readResponse().status == 503)
        }
        let full = try FullBacklog()
        try RunningDaemon.run("endpoints:\n  - {url: \"http://127.0.0.1:\(full.port)\", name: full, kind: ollama}\nconnect_timeout: 60s\n", up: 0) {
            daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("GET", "/api/custom?endpoint=full", headers: ["X-Request-Id: dialling"]))
            let running = try Self.only(daemon, .connecting)
            #expect(running.id == "dialling")
            _ = try daemon.control().cancel("dialling")
            try #expect(client.readResponse().status == 503)
        }
    }

    @Test func aColdModelIsSeenLoading() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], script: Self.silent)
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Self.chat))
            let loading = try Self.only(daemon, .loading)
            _ = try daemon.control().cancel(loading.id)
            try #expect(client.readResponse().status == 503)
        }
    }

    @Test func whatIsNotThereIsNotCancelled() throws {
        let endpoint = try FakeEndpoint("gpu", available: ["m"], loaded: ["m"], script: Self.silent)
        try RunningDaemon.run([endpoint]) { daemon in
            #expect(Self.code { _ = try daemon.control().cancel("nothing") } == .notFound)
            // Two clients with one name: the router's own tell them apart.
            let clients = try (0..<2).map { _ in
                let client = try daemon.client()
                try client.send(RawClient.request("POST", "/api/chat", body: Self.chat, headers: ["X-Request-Id: same"]))
                return client
            }
            let ids = try eventualValue("both") { () -> [String]? in
                let rows = try daemon.control().requests().requests
                return rows.count == 2 && rows.allSatisfy { $0.phase == .processing } ? rows.map(\.id) : nil
            }
            #expect(Set(ids).count == 2 && !ids.contains("same"))
            #expect(Self.code { _ = try daemon.control().cancel("same") } == .refused)
            for id in ids { _ = try daemon.control().cancel(id) }
            for client in clients { try #expect(client.readResponse().status == 503) }
        }
    }
}

/// A listener that accepts nobody and whose line is full: connecting to it takes as long as one lets it.
private final class FullBacklog {
    private let listener: Int32
    private var fillers: [Int32] = []
    let port: Int

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && listen(listener, 0) == 0 && getsockname(listener, address, &length) == 0
            }
        }
        guard isBound else { throw TestFailure("no listener") }
        port = Int(UInt16(bigEndian: address.sin_port))
        // The kernel keeps one or two more than it was told.
        for _ in 0..<8 {
            let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = connect(filler, $0, length) }
            }
            fillers.append(filler)
        }
    }

    deinit { for descriptor in fillers + [listener] { close(descriptor) } }
}
