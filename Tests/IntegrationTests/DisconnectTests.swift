// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import NIOConcurrencyHelpers
import TestSupport
import Testing

/// A client that goes away cancels its work at once, and its slot is back.
@Suite struct DisconnectTests {
    private static let chat = #"{"model":"m","messages":[]}"#
    private static let line = #"{"message":{"content":"a"},"done":false}"# + "\n"

    /// Streams for as long as somebody listens.
    private static func endless() throws -> FakeEndpoint {
        try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, _ in
            connection.startStream()
            while connection.sendChunk(line), connection.pause(0.01) {}
        }
    }

    private static func silent() throws -> FakeEndpoint {
        try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, _ in connection.waitForPeerToLeave() }
    }

    @Test(arguments: [true, false]) func leavingMidStreamCancelsTheUpstream(_ byReset: Bool) throws {
        let endpoint = try Self.endless()
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Self.chat))
            _ = try client.readHead()
            _ = try client.readSome()
            if byReset { client.reset() } else { client.close() }
            try eventually("the endpoint is told") { endpoint.peersThatLeft == 1 }
            try daemon.waitUntilIdle()
            try #expect(daemon.status().requests.aborted == 1)
        }
    }

    @Test func leavingBeforeTheFirstByteCancelsTheUpstream() throws {
        let endpoint = try Self.silent()
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Self.chat))
            try eventually("it has arrived") { endpoint.active == 1 }
            client.close()
            try eventually("the endpoint is told") { endpoint.peersThatLeft == 1 }
            try daemon.waitUntilIdle()
            try #expect(daemon.status().requests.aborted == 1)
        }
    }

    @Test func leavingDuringTheUploadLeavesNothing() throws {
        let endpoint = try Self.silent()
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            try client.send("POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"model\"")
            try eventually("it is known") { try daemon.control().requests().requests.count == 1 }
            client.close()
            try daemon.waitUntilIdle()
            #expect(endpoint.requestCount == 0)
            // The half request is no malformed one.
            try eventually("counted") { try daemon.status().requests.aborted == 1 }
            try #expect(daemon.status().requests.rejected == 0)
        }
    }

    /// With more requests in hand than it serves at once, the router does not read on; it must see the end all the same.
    @Test(arguments: [true, false]) func leavingWithPipelinedRequestsCancelsTheUpstream(_ byReset: Bool) throws {
        let endpoint = try Self.silent()
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            let request = RawClient.request("POST", "/api/chat", body: Self.chat)
            try client.send(request + request + request.dropLast(3))
            try eventually("the first has arrived") { endpoint.active == 1 }
            if byReset { client.reset() } else { client.close() }
            try eventually("the endpoint is told") { endpoint.peersThatLeft == 1 }
            let counted = try daemon.waitUntilIdle().requests
            #expect(endpoint.requestCount == 1)
            #expect(counted.aborted == 1 && counted.rejected == 0, "\(counted)")
        }
    }

    /// Its socket is full in both directions: the end is no event of a read or a write.
    @Test func leavingWithoutReadingCancelsTheUpstream() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, _ in
            connection.startStream()
            let lines = String(repeating: Self.line, count: 2000)
            while connection.sendChunk(lines) {}
            connection.waitForPeerToLeave()
        }
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client(receiveBuffer: 65_536)
            try client.send(RawClient.request("POST", "/api/chat", body: Self.chat))
            _ = try client.readHead()
            var before = -1
            try eventually("the stream stands still") {
                let now = try daemon.control().requests().requests.first?.bytesSent ?? 0
                defer { before = now }
                if now == before, now > 0 { return true }
                usleep(200_000)
                return false
            }
            client.close()
            try eventually("the endpoint is told") { endpoint.active == 0 }
            let counted = try daemon.waitUntilIdle().requests
            #expect(counted.aborted == 1, "\(counted)")
        }
    }

    /// A slot that stays taken after its client left would soon be all of them.
    @Test func theSlotIsBackForTheNext() throws {
        let endpoint = try Self.silent()
        try RunningDaemon.run([endpoint], limit: 1) { daemon in
            for round in 1...10 {
                let client = try daemon.client()
                try client.send(RawClient.request("POST", "/api/chat", body: Self.chat))
                try eventually("round \(round) has its slot") { endpoint.requestCount == round }
                client.close()
            }
        }
    }

    /// Many at once, at random points of their lives.
    @Test func manyRandomDisconnectsLoseNothing() throws {
        let endpoints = try (0..<3).map { number in
            try FakeEndpoint(
                "e\(number)", available: ["m"], loaded: number == 0 ? [] : ["m"], server: FakeModelServer(tokens: 8, pace: 0.003, delay: 0.004))
        }
        for endpoint in endpoints { endpoint.keepNoRequests() }
        try RunningDaemon.run(endpoints, limit: 3) { daemon in
            let port = daemon.port
            let total = NIOLockedValueBox(0)
            let threads = 8
            let each = 150
            let group = DispatchGroup()
            for seed in 0..<threads {
                group.enter()
                Thread.detachNewThread {
                    defer { group.leave() }
                    var random = SplitMix(seed: UInt64(seed))
                    for _ in 0..<each {
                        guard let client = try? RawClient(port: port) else { continue }
                        let request = RawClient.request("POST", Bool.random(using: &random) ? "/api/chat" : "/v1/chat/completions", body: Self.chat)
                        switch Int.random(in: 0..<6, using: &random) {
                        case 0: try? client.send(Array(request.prefix(Int.random(in: 1..<request.count, using: &random))))
                        case 1:
                            _ = try? {
                                try client.send(request); return try client.readResponse(within: 20)
                            }()
                        default:
                            try? client.send(request)
                            usleep(UInt32.random(in: 0..<30_000, using: &random))
                        }
                        if Bool.random(using: &random) { client.reset() } else { client.close() }
                        total.withLockedValue { $0 += 1 }
                    }
                }
            }
            #expect(group.wait(timeout: .now() + 120) == .success)
            #expect(total.withLockedValue { $0 } == threads * each)
            let status = try daemon.waitUntilIdle()
            let counted = status.requests
            #expect(counted.aborted > 100 && counted.completed > 50, "\(counted)")
            try eventually("no endpoint works for nobody") { endpoints.allSatisfy { $0.active == 0 } }
        }
    }
}
