// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// TLS to endpoints. What breaks without these: a key goes to whoever stands in the way, or a good endpoint cannot be reached.
@Suite struct TLSEndpointTests {
    private static let chat = #"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false}"#

    /// An Ollama behind TLS, and a daemon in front of it.
    private static func run(
        _ certificate: TestAuthority.Certificate, host: String = "localhost", tls: String, options: [String] = [], up: Int = 1,
        script: FakeEndpoint.Script? = nil, _ config: String = "", _ body: (RunningDaemon, FakeEndpoint, TLSFront) throws -> Void
    ) throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: script)
        defer { endpoint.die() }
        let front = try TLSFront(certificate, to: endpoint.port, options)
        let entry = "endpoints:\n  - {url: \"https://\(host):\(front.port)\", name: far, kind: ollama\(tls.isEmpty ? "" : ", tls: {\(tls)}")}\n"
        try RunningDaemon.run(entry + config, up: up) { try body($0, endpoint, front) }
    }

    @Test func aGoodCertificateIsTrustedByNameAndByAddress() throws {
        let authority = try TestAuthority()
        let certificate = try authority.certificate("good")
        for host in ["localhost", "127.0.0.1"] {
            try Self.run(certificate, host: host, tls: "ca_file: \(authority.caFile)") { daemon, _, front in
                let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.chat)
                #expect(answer.status == 200 && answer.text.contains("word0"))
                let first = try #require(front.log.first { $0.hasPrefix("TLS") })
                #expect(first.hasPrefix("TLSv1.3 ") && first.contains("alpn=http/1.1"))
                #expect(first.hasSuffix("sni=\(host == "localhost" ? "localhost" : "None")"), "an address is no server name")
                try eventually("sessions are taken up again: \(front.log.suffix(3))") { front.log.contains { $0.contains("reused=True") } }
            }
        }
    }

    @Test func whatIsNotToBeTrustedIsToldAndGetsNothing() throws {
        let authority = try TestAuthority()
        let other = try TestAuthority()
        let cases: [(TestAuthority.Certificate, String, String)] = [
            (try authority.certificate("expired", isExpired: true), "ca_file: \(authority.caFile)", "it has expired"),
            (try authority.certificate("wrong", names: "DNS:elsewhere.example"), "ca_file: \(authority.caFile)", "it is not for localhost"),
            (try authority.certificate("unknown"), "ca_file: \(other.caFile)", "its authority is unknown"),
            (try authority.certificate("system"), "", "its authority is unknown"),
            (try authority.selfSigned("own"), "ca_file: \(authority.caFile)", "it is self-signed"),
        ]
        for (certificate, tls, reason) in cases {
            try Self.run(certificate, tls: tls, up: 0) { daemon, endpoint, _ in
                try eventually("down, because \(reason)") {
                    let info = try daemon.endpoint("far")
                    return info.state == "down" && info.reason.contains(reason)
                }
                try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 503)
                #expect(endpoint.pollCount == 0 && endpoint.requestCount == 0)
            }
        }
    }

    @Test func anyCertificateWillDoWhereTheOperatorSaysSoAloud() throws {
        let authority = try TestAuthority()
        try Self.run(try authority.selfSigned("own", names: "DNS:x"), tls: "insecure_skip_verify: true") { daemon, _, _ in
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 200)
            #expect(daemon.log.contains("are not checked"))
        }
    }

    @Test func anotherNameMayBeExpected() throws {
        let authority = try TestAuthority()
        let certificate = try authority.certificate("inner", names: "DNS:inner.example")
        try Self.run(certificate, host: "127.0.0.1", tls: "ca_file: \(authority.caFile), server_name: inner.example") { _, _, front in
            #expect(front.log.contains { $0.hasSuffix("sni=inner.example") })
        }
    }

    @Test func aServerMayDemandACertificateOfOurs() throws {
        let authority = try TestAuthority()
        let certificate = try authority.certificate("server")
        let client = try authority.certificate("client", names: "DNS:router")
        let trust = "ca_file: \(authority.caFile)"
        try Self.run(
            certificate, tls: trust + ", certificate: \(client.certificate), key: \(client.key)",
            options: ["--client-ca", authority.caFile, "--tls12"]
        ) { daemon, _, front in
            try #expect(RawClient.post(port: daemon.port, "/api/chat", Self.chat).status == 200)
            #expect(front.log.contains { $0.hasPrefix("TLSv1.2 ") })
        }
        try Self.run(certificate, tls: trust, options: ["--client-ca", authority.caFile], up: 0) { daemon, _, _ in
            try eventually("down") { try daemon.endpoint("far").state == "down" }
        }
    }

    @Test func oneByteARecordIsAStreamAllTheSame() throws {
        let authority = try TestAuthority()
        try Self.run(try authority.certificate("slow"), tls: "ca_file: \(authority.caFile)", options: ["--drip"]) { daemon, endpoint, _ in
            let streamed = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#
            let direct = try RawClient.post(port: endpoint.port, "/api/chat", streamed)
            #expect(try RawClient.post(port: daemon.port, "/api/chat", streamed).body == direct.body)
        }
    }

    @Test func largeBodiesPassBothWays() throws {
        let authority = try TestAuthority()
        let size = 20 * 1024 * 1024
        let script: FakeEndpoint.Script = { connection, request in
            connection.answer(#"{"got":\#(request.body.count),"padding":""# + String(repeating: "x", count: size) + "\"}")
        }
        try Self.run(try authority.certificate("large"), tls: "ca_file: \(authority.caFile)", script: script) { daemon, _, _ in
            let body = #"{"model":"m","stream":false,"prompt":""# + String(repeating: "y", count: size) + "\"}"
            let answer = try RawClient.post(port: daemon.port, "/api/generate", body, within: 60)
            #expect(answer.status == 200 && answer.body.count > size)
            #expect(answer.text.hasPrefix(#"{"got":\#(body.utf8.count),"#))
        }
    }

    /// An answer that ends with its connection is whole only if TLS says that it was the end.
    @Test func aCutConnectionIsNoEnd() throws {
        let authority = try TestAuthority()
        let script: FakeEndpoint.Script = { connection, _ in
            connection.send(Array("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"half\":".utf8))
            connection.close()
        }
        try Self.run(try authority.certificate("cut"), tls: "ca_file: \(authority.caFile)", options: ["--truncate"], script: script) { daemon, _, _ in
            let answer = try RawClient.post(port: daemon.port, "/api/chat", Self.chat)
            #expect(answer.isCut)
            try eventually("counted as a failure") { try daemon.endpoint("far").failuresTotal == 1 }
        }
    }

    @Test func aServerThatNeverShakesHandsHoldsNobodyForEver() throws {
        let authority = try TestAuthority()
        try Self.run(
            try authority.certificate("mute"), tls: "ca_file: \(authority.caFile)", options: ["--mute"], up: 0,
            "connect_timeout: 300ms\npoll_timeout: 400ms\n"
        ) { daemon, _, _ in
            try eventually("down") { try daemon.endpoint("far").state == "down" }
        }
    }

    @Test func aHundredAtOnce() throws {
        let authority = try TestAuthority()
        try Self.run(try authority.certificate("many"), tls: "ca_file: \(authority.caFile)", "max_concurrent_connections: 100\n") { daemon, _, _ in
            let clients = try (0..<100).map { _ in try daemon.client() }
            for client in clients { try client.send(RawClient.request("POST", "/api/chat", body: Self.chat)) }
            for client in clients { try #expect(client.readResponse(within: 60).status == 200) }
        }
    }

    /// OpenSSL's own server, as another implementation of everything above TLS.
    @Test func opensslsOwnServerIsSpokenTo() throws {
        let authority = try TestAuthority()
        let certificate = try authority.certificate("server")
        let folder = try TemporaryFolder()
        for (path, body) in [
            ("api/version", #"{"version":"0.12.3"}"#), ("api/tags", #"{"models":[{"name":"m:latest"}]}"#), ("api/ps", #"{"models":[]}"#),
        ] {
            try FileManager.default.createDirectory(atPath: folder.path + "/api", withIntermediateDirectories: true)
            try folder.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)", to: path)
        }
        let free = try TCPSocket.listening()
        let port = free.localPort
        free.close()
        let server = try ChildProcess(
            "/bin/sh",
            [
                "-c",
                "cd \(folder.path) && exec openssl s_server -accept 127.0.0.1:\(port) -cert \(certificate.certificate) -key \(certificate.key) -HTTP -quiet",
            ],
            output: "/dev/null", errors: "/dev/null")
        defer { server.kill() }
        try RunningDaemon.run("endpoints:\n  - {url: \"https://localhost:\(port)\", name: far, kind: ollama, tls: {ca_file: \(authority.caFile)}}\n")
        { daemon in
            try #expect(daemon.endpoint("far").version == "0.12.3")
            try #expect(RawClient.get(port: daemon.port, "/api/tags").text.contains("m:latest"))
        }
    }
}
