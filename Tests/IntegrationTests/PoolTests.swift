// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import NIOConcurrencyHelpers
import TestSupport
import Testing

/// Connections to endpoints are kept, and a client never notices that one was lost.
@Suite struct PoolTests {
    private static let body = #"{"model":"m","prompt":"hi","stream":false}"#

    /// Notes the number of the connection that each request came on.
    private static func noting(_ connections: Seen) -> FakeEndpoint.Script {
        { connection, request in
            connections.note(connection.number)
            FakeModelServer().answer(request, on: connection)
        }
    }

    private final class Seen: Sendable {
        private let numbers = NIOLockedValueBox<[Int]>([])
        func note(_ number: Int) { numbers.withLockedValue { $0.append(number) } }
        var all: [Int] { numbers.withLockedValue { $0 } }
    }

    @Test func oneConnectionServesRequestAfterRequest() throws {
        let seen = Seen()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.noting(seen))
        try RunningDaemon.run([endpoint]) { daemon in
            // One client connection, hence one event loop, hence one pool.
            let client = try daemon.client()
            for _ in 0..<20 {
                try client.send(RawClient.request("POST", "/api/generate", body: Self.body))
                try #expect(client.readResponse().status == 200)
            }
            #expect(seen.all.count == 20 && Set(seen.all).count == 1)
        }
    }

    /// The endpoint's keep-alive time ends just as a request is on its way: a race that every proxy must lose silently.
    @Test(arguments: [10, 3_000_000]) func aKeptConnectionThatWasClosedIsReplacedUnseen(_ bodySize: Int) throws {
        let seen = Seen()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, request in
            seen.note(connection.number)
            // A connection's second request meets a connection that is just being closed.
            if seen.all.filter({ $0 == connection.number }).count == 2 { return connection.close() }
            FakeModelServer().answer(request, on: connection)
        }
        try RunningDaemon.run([endpoint]) { daemon in
            let body = #"{"model":"m","stream":false,"prompt":""# + String(repeating: "x", count: bodySize) + #""}"#
            let client = try daemon.client()
            for _ in 0..<5 {
                try client.send(RawClient.request("POST", "/api/generate", body: body))
                try #expect(client.readResponse().status == 200)
            }
            #expect(endpoint.requests.allSatisfy { $0.body.count == body.utf8.count })
            try daemon.waitUntilIdle()
            let counted = try daemon.status().requests
            #expect(counted.completed == 5 && counted.failed == 0)
        }
    }

    @Test func aConnectionClosedWhileIdleIsNotUsed() throws {
        let seen = Seen()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.noting(seen))
        try RunningDaemon.run([endpoint]) { daemon in
            let client = try daemon.client()
            for _ in 0..<5 {
                try client.send(RawClient.request("POST", "/api/generate", body: Self.body))
                try #expect(client.readResponse().status == 200)
                endpoint.closeIdleConnections()
            }
            #expect(Set(seen.all).count == 5)
        }
    }

    @Test func whatIsIdleForTooLongIsClosed() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint], "upstream_idle_timeout: 300ms\n") { daemon in
            try #expect(RawClient.post(port: daemon.port, "/api/generate", Self.body).status == 200)
            // The poller's own connection aside.
            try eventually("closed") { endpoint.openConnections <= 1 }
        }
    }

    /// `upstream_idle_connections: 0` keeps none.
    @Test func thePoolHasABound() throws {
        let seen = Seen()
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.noting(seen))
        try RunningDaemon.run([endpoint], "upstream_idle_connections: 0\n") { daemon in
            let client = try daemon.client()
            for _ in 0..<3 {
                try client.send(RawClient.request("POST", "/api/generate", body: Self.body))
                try #expect(client.readResponse().status == 200)
            }
            #expect(Set(seen.all).count == 3)
        }
    }
}
