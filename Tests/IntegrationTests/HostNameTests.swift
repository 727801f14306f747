// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Names of endpoints, which may mean another machine tomorrow. What breaks without these: requests go on to a server that nobody means any more,
/// while the polls of the new one say that all is well.
@Suite struct HostNameTests {
    /// Two servers on one port of two addresses, and a daemon that knows them by one name.
    private static func run(_ body: (RunningDaemon, _ old: FakeEndpoint, _ new: FakeEndpoint, _ move: () throws -> Void) throws -> Void) throws {
        let old = try FakeEndpoint("old", available: ["m"], loaded: ["m"])
        let new = try FakeEndpoint("new", available: ["m"], loaded: ["m"], host: 2, port: old.port)
        let folder = try TemporaryFolder()
        let hosts = folder.path + "/hosts"
        try folder.write("127.0.0.1 localhost gpu.test\n", to: "hosts")
        try RunningDaemon.run("endpoints:\n  - {url: \"http://gpu.test:\(old.port)\", name: gpu, kind: ollama}\n", hosts: hosts) { daemon in
            try body(daemon, old, new) { try MountNamespace.rewrite(hosts, "127.0.0.1 localhost\n127.0.0.2 gpu.test\n") }
        }
    }

    /// One client connection, hence one event loop, hence one pool.
    private static func ask(_ client: RawClient) throws {
        try client.send(RawClient.request("POST", "/api/chat", body: Chat.body()))
        try #expect(client.readResponse().status == 200)
    }

    @Test(.enabled(if: MountNamespace.isAvailable, "SKIPPED: no mount namespace here")) func requestsFollowANameThatMoves() throws {
        try Self.run { daemon, old, new, move in
            let clients = try (0..<4).map { _ in try daemon.client() }
            for client in clients { try Self.ask(client) }
            #expect(old.requestCount == 4 && new.requestCount == 0)
            let before = old.pollCount
            try move()
            try eventually("polls read the new one, or are still to come") { new.pollCount > 0 || old.pollCount > before + 4 }
            // Every pool must have noticed, and none may go back.
            try eventually("requests follow", within: 10) {
                let asked = new.requestCount
                for client in clients { try Self.ask(client) }
                return new.requestCount == asked + clients.count
            }
            let asked = old.requestCount
            for client in clients { try Self.ask(client) }
            #expect(old.requestCount == asked)
            try eventually("idle connections to the old one are gone: \(old.openConnections)", within: 10) { old.openConnections == 0 }
        }
    }

    /// What is under way comes to its end where it is.
    @Test(.enabled(if: MountNamespace.isAvailable, "SKIPPED: no mount namespace here")) func aStreamIsNotCutByAMove() throws {
        let gate = Gate()
        try Self.run { daemon, old, new, move in
            old.setScript { connection, request in
                guard request.streams else { return FakeModelServer().answer(request, on: connection) }
                connection.startStream()
                connection.sendChunk(request.item("one"))
                guard gate.pass() else { return connection.close() }
                connection.sendChunk(request.item("two") + request.lastItem)
                connection.sendLastChunk()
            }
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: Chat.body(stream: true)))
            _ = try client.readHead()
            try client.read(upTo: "one")
            try move()
            let other = try daemon.client()
            try eventually("others go to the new one", within: 10) {
                try Self.ask(other)
                return new.requestCount > 0
            }
            gate.open()
            try #expect(client.readRest().contains(#""done":true"#))
            try eventually("then that connection goes, too", within: 10) { old.openConnections == 0 }
        }
    }

    /// A balancer behind one address deals out connections, not requests.
    @Test func aConnectionHasAGreatestAge() throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint], "upstream_max_age: 400ms\n") { daemon in
            let client = try daemon.client()
            try Self.ask(client)
            // The poller's own connection aside.
            try eventually("closed", within: 5) { endpoint.openConnections <= 1 }
            try Self.ask(client)
        }
    }
}
