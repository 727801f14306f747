// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// A reload applies whole or not at all, says what changed, and touches no stream.
@Suite struct ReloadTests {
    private static let chat = #"{"model":"m","messages":[],"stream":false}"#

    @Test func aChangeIsAppliedAndPrinted() throws {
        let first = try FakeEndpoint("first", available: ["m"], loaded: ["m"])
        let second = try FakeEndpoint("second", available: ["n"], loaded: ["n"])
        try RunningDaemon.run([first]) { daemon in
            try daemon.rewriteConfig(
                "endpoints:\n" + first.entry(limit: 7) + second.entry()
                    + "queue_limit: 3\nthreads: 1\n".replacingOccurrences(of: "threads: 1\n", with: ""))
            let dry = try daemon.routerctl("reload", "--dry-run")
            #expect(dry.status == 0 && dry.output.contains("second"))
            try #expect(daemon.status().endpoints.count == 1, "a dry run changes nothing")
            let result = try daemon.routerctl("reload")
            #expect(result.status == 0)
            for text in ["queue_limit: 512 -> 3", "endpoint second: added", "max_concurrent_connections 2 -> 7"] {
                #expect(result.output.contains(text), "\(result.output)")
            }
            try eventually("the new endpoint is up") { try daemon.endpoint("second").state == "up" }
            try #expect(daemon.endpoint("first").limit == 7)
            try #expect(RawClient.post(port: daemon.port, "/api/chat", #"{"model":"n","stream":false}"#).status == 200)
            let again = try daemon.routerctl("reload")
            #expect(again.status == 0)
        }
    }

    @Test func aBrokenFileChangesNothing() throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            try daemon.rewriteConfig("endpoints:\n" + endpoint.entry(limit: 9) + "queue_limti: 3\nqueue_timeout: soon\n")
            let result = try daemon.routerctl("reload")
            #expect(result.status == 1)
            #expect(result.errors.contains(":8:1: unknown key 'queue_limti'; did you mean 'queue_limit'?"), "\(result.errors)")
            #expect(result.errors.contains("queue_timeout") || result.errors.contains(":9:16:"), "all faults at once: \(result.errors)")
            try #expect(daemon.endpoint("only").limit == 2)
            daemon.process.signal(SIGHUP)
            try eventually("told in the log") { daemon.log.contains("was not reloaded") }
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 200)
        }
    }

    @Test func sighupReloads() throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            try daemon.rewriteConfig("endpoints:\n" + endpoint.entry(limit: 5))
            daemon.process.signal(SIGHUP)
            try eventually("applied") { try daemon.endpoint("only").limit == 5 }
        }
    }

    /// The endpoint of a running stream leaves the fleet: the stream ends as if nothing had happened.
    @Test func streamsGoOnThroughEveryReload() throws {
        let gate = Gate()
        let leaving = try FakeEndpoint("leaving", available: ["m"], loaded: ["m"]) { connection, _ in
            connection.startStream()
            for number in 0..<3 {
                guard gate.pass() else { return connection.close() }
                connection.sendChunk("{\"n\":\(number),\"done\":\(number == 2)}\n")
            }
            connection.sendLastChunk()
        }
        let staying = try FakeEndpoint("staying", available: ["m"])
        try RunningDaemon.run([leaving, staying]) { daemon in
            let client = try daemon.client()
            try client.send(RawClient.request("POST", "/api/chat", body: #"{"model":"m"}"#))
            _ = try client.readHead()
            gate.open()
            _ = try client.read(until: "\n")
            try daemon.rewriteConfig("endpoints:\n" + staying.entry() + "nomyo-router-api-key: new\n")
            try #expect(daemon.routerctl("reload", "--yes").status == 0)
            try #expect(daemon.status().endpoints.map(\.name) == ["staying"])
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 401)
            gate.open(2)
            let rest = try client.read(until: "true}\n")
            #expect(rest == "{\"n\":1,\"done\":false}\n{\"n\":2,\"done\":true}\n" || rest.hasSuffix("{\"n\":2,\"done\":true}\n"))
            try #expect(client.readSome() == nil)
        }
    }

    /// What an operator has taken out of service stays out.
    @Test func drainSurvivesAReload() throws {
        let endpoint = try FakeEndpoint("only", available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint]) { daemon in
            try #expect(daemon.routerctl("drain", "only", "--yes").status == 0)
            try daemon.rewriteConfig("endpoints:\n" + endpoint.entry(limit: 5, weight: 2))
            try #expect(daemon.routerctl("reload").status == 0)
            let after = try daemon.endpoint("only")
            #expect(after.state == "draining" && after.limit == 5 && after.weight == 2)
        }
    }
}
