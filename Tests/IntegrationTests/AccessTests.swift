// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// Keys: who may, and that none of them goes where it does not belong.
@Suite struct AccessTests {
    private static let body = #"{"model":"m","prompt":"hi","stream":false}"#

    @Test func theRoutersKeyIsAskedForAndKept() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"])
        try RunningDaemon.run([endpoint], "nomyo-router-api-key: router-secret\n") { daemon in
            func status(_ path: String, _ headers: [String] = []) throws -> Int {
                try RawClient.post(port: daemon.port, path, Self.body, headers: headers).status
            }
            try #expect(status("/api/generate") == 401)
            try #expect(status("/api/generate", ["Authorization: Bearer wrong"]) == 403)
            try #expect(status("/api/generate?api_key=wrong") == 403)
            try #expect(status("/api/generate", ["Authorization: Bearer router-secre"]) == 403)
            #expect(endpoint.requestCount == 0)
            try #expect(status("/api/generate", ["Authorization: Bearer router-secret"]) == 200)
            try #expect(status("/api/generate", ["authorization: bearer router-secret"]) == 200)
            try #expect(status("/v1/completions?a=1&api_key=router-secret&b=2") == 200)
            try #expect(RawClient.get(port: daemon.port, "/api/tags").status == 401)
            // What says only that the router is there.
            for path in ["/", "/livez", "/readyz"] { try #expect(RawClient.get(port: daemon.port, path).status == 200) }
            for request in endpoint.requests {
                #expect(request.head["authorization"] == nil)
                #expect(!request.target.contains("secret"))
            }
            #expect(endpoint.requests.last?.target == "/v1/completions?a=1&b=2")
            #expect(!daemon.log.contains("router-secret"))
            let shown = try daemon.routerctl("--json", "status").output + daemon.routerctl("--json", "requests").output
            #expect(!shown.contains("router-secret"))
        }
    }

    /// An endpoint's key goes to this endpoint, on requests and polls, in place of what the client sent.
    @Test func anEndpointsKeyGoesThereAndNowhereElse() throws {
        let locked = try FakeEndpoint("locked", available: ["a"], loaded: ["a"])
        let open = try FakeEndpoint("open", available: ["b"], loaded: ["b"])
        let config = "endpoints:\n" + locked.entry() + open.entry() + "api_keys:\n  \"\(locked.url)\": \"${LOCKED_KEY}\"\n"
        let daemon = try RunningDaemon(config, up: 2, environment: ["LOCKED_KEY": "endpoint-secret"])
        for model in ["a", "b"] {
            let body = #"{"model":"\#(model)","prompt":"hi","stream":false}"#
            try #expect(RawClient.post(port: daemon.port, "/api/generate", body, headers: ["Authorization: Bearer of-the-client"]).status == 200)
        }
        #expect(locked.requests.map { $0.head["authorization"] } == ["Bearer endpoint-secret"])
        #expect(open.requests.map { $0.head["authorization"] } == ["Bearer of-the-client"])
        #expect(locked.pollHeads.allSatisfy { $0["authorization"] == "Bearer endpoint-secret" })
        #expect(open.pollHeads.allSatisfy { $0["authorization"] == nil })
        #expect(locked.pollHeads.allSatisfy { $0["user-agent"] == "routerd/\(ProductVersion.current)" })
        try #expect(!daemon.routerctl("--json", "status").output.contains("endpoint-secret"))
        #expect(!daemon.log.contains("endpoint-secret"))
        try #expect(daemon.stop() == 0)
    }

    /// A 401 from a poll is a fault of the configuration, and says so instead of "down".
    @Test func anEndpointThatWantsAnotherKeyIsNamedAsAFaultOfTheConfiguration() throws {
        let listener = try Refusing()
        defer { listener.stop() }
        try RunningDaemon.run("endpoints:\n  - {url: \"http://127.0.0.1:\(listener.port)\", name: locked}\n", up: 0) { daemon in
            try eventually("the reason is told") {
                let endpoint = try daemon.endpoint("locked")
                return endpoint.state == "down" && endpoint.reason.contains("401") && endpoint.reason.contains("key")
            }
        }
    }
}

/// Answers every request with 401.
private final class Refusing: Sendable {
    let port: Int
    private let listener: TCPSocket

    init() throws {
        let listener = try TCPSocket.listening()
        self.listener = listener
        port = listener.localPort
        Thread.detachNewThread {
            while listener.isOpen {
                guard let accepted = try? listener.accept() else { continue }
                Thread.detachNewThread {
                    while (try? accepted.receive(until: Deadline(30))) != nil {
                        try? accepted.send(Array("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".utf8))
                    }
                }
            }
        }
    }

    func stop() { listener.close() }
}
