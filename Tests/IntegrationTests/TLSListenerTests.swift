// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport
import Testing

/// TLS on the listener. What breaks without these: applications cannot reach a router that is not on their own machine.
@Suite struct TLSListenerTests {
    private static func run(_ body: (RunningDaemon, TestAuthority, FakeEndpoint) throws -> Void) throws {
        let authority = try TestAuthority()
        let certificate = try authority.certificate("listener")
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"])
        defer { endpoint.die() }
        try RunningDaemon.run(
            [endpoint], "tls: {certificate: \(certificate.certificate), key: \(certificate.key)}\nmax_concurrent_connections: 100\n"
        ) { try body($0, authority, endpoint) }
    }

    private static func curl(_ daemon: RunningDaemon, _ arguments: [String]) throws -> (status: Int32, output: String, errors: String) {
        try ChildProcess.run(
            "/usr/bin/env", ["curl", "-sS", "--max-time", "20"] + arguments.map { $0.replacingOccurrences(of: "PORT", with: "\(daemon.port)") })
    }

    @Test func curlAndPythonSpeakToIt() throws {
        try Self.run { daemon, authority, _ in
            let answer = try Self.curl(daemon, ["--cacert", authority.caFile, "https://localhost:PORT/api/version"])
            #expect(answer.output == #"{"version":"0.12.3"}"#, "\(answer)")
            let streamed = try Self.curl(
                daemon, ["--cacert", authority.caFile, "-N", "-d", #"{"model":"m","messages":[]}"#, "https://localhost:PORT/api/chat"])
            #expect(streamed.output.split(separator: "\n").count == 6)
            try PythonClient.run("tls_client.py", ["\(daemon.port)", authority.caFile, "m"])
        }
    }

    @Test func oldVersionsAndPlainTextAreRefused() throws {
        try Self.run { daemon, authority, _ in
            for (version, works) in [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
                let result = try ChildProcess.run(
                    "/bin/sh",
                    [
                        "-c",
                        "openssl s_client -connect 127.0.0.1:\(daemon.port) \(version) -cipher DEFAULT@SECLEVEL=0 -CAfile \(authority.caFile) -verify_return_error -verify_hostname localhost </dev/null",
                    ], within: 20)
                #expect((result.status == 0) == works, "\(version): \(result.errors.suffix(300))")
            }
            let plain = try daemon.client()
            try plain.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(plain.isClosed())
        }
    }

    @Test func renegotiationIsRefused() throws {
        try Self.run { daemon, authority, _ in
            let result = try ChildProcess.run(
                "/bin/sh",
                ["-c", "(printf 'R\\n'; cat) < /dev/null | openssl s_client -connect 127.0.0.1:\(daemon.port) -tls1_2 -CAfile \(authority.caFile)"],
                within: 20)
            let text = result.output + result.errors
            #expect(text.contains("RENEGOTIATING") && text.contains("no renegotiation"), "\(text.suffix(400))")
        }
    }

    /// A certificate of 90 days must not cost a restart.
    @Test func aReloadTakesTheNewCertificate() throws {
        try Self.run { daemon, authority, endpoint in
            let open = try daemon.endpoint("fake").name
            #expect(open == "fake")
            // The same files with another certificate in them.
            _ = try authority.certificate("listener", names: "DNS:renewed.example,IP:127.0.0.1")
            let before = try Self.curl(
                daemon, ["--cacert", authority.caFile, "--resolve", "renewed.example:PORT:127.0.0.1", "https://renewed.example:PORT/livez"])
            #expect(before.status == 60, "not before a reload: \(before)")
            try #expect(daemon.routerctl("reload").status == 0)
            let after = try Self.curl(
                daemon, ["--cacert", authority.caFile, "--resolve", "renewed.example:PORT:127.0.0.1", "https://renewed.example:PORT/livez"])
            #expect(after.output == "ok\n", "\(after)")
            // A bad one is refused, and the good one stays in force.
            try "no key".write(toFile: authority.path + "/listener.key", atomically: true, encoding: .utf8)
            let refused = try daemon.routerctl("reload")
            #expect(refused.status == 1 && refused.errors.contains("listener.key"), "\(refused)")
            try #expect(
                Self.curl(daemon, ["--cacert", authority.caFile, "https://127.0.0.1:PORT/livez"]).output == "ok\n")
            _ = endpoint
        }
    }
}
