// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers

/// A real `redis-server` in a folder of its own, on a free port; it keeps what it has when it is stopped and started again.
public final class RedisServer: Sendable {
    public let port: Int
    private let folder: TemporaryFolder
    private let arguments: [String]
    private let process = NIOLockedValueBox<ChildProcess?>(nil)
    private let password: String?
    private let keeper: TestAuthority?

    /// Path of the certificate that vouches for it; nil without TLS.
    public var authority: String? { keeper?.caFile }

    /// - Parameter isSecure: it speaks TLS, and nothing else.
    public init(password: String? = nil, isSecure: Bool = false) throws {
        folder = try TemporaryFolder()
        self.password = password
        // A moment passes between the port's choice and its use; nobody else takes it in between, as ports go round.
        let probe = try TCPSocket.listening()
        port = probe.localPort
        probe.close()
        var arguments = [
            "--bind", "127.0.0.1", "--dir", folder.path, "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no",
        ]
        if isSecure {
            let authority = try TestAuthority()
            let certificate = try authority.certificate("redis")
            keeper = authority
            arguments += [
                "--port", "0", "--tls-port", "\(port)", "--tls-cert-file", certificate.certificate, "--tls-key-file", certificate.key,
                "--tls-ca-cert-file", authority.caFile, "--tls-auth-clients", "no",
            ]
        } else {
            keeper = nil
            arguments += ["--port", "\(port)"]
        }
        if let password { arguments += ["--requirepass", password] }
        self.arguments = arguments
        try start()
    }

    deinit { stop() }

    public var url: String {
        let key = password.map { ":\($0.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")@" } ?? ""
        return "\(keeper == nil ? "redis" : "rediss")://\(key)127.0.0.1:\(port)/0"
    }

    public func start() throws {
        let log = folder.path + "/log"
        let started = try ChildProcess("/usr/bin/redis-server", arguments, output: log, errors: log)
        process.withLockedValue { $0 = started }
        try eventually("redis-server listens: \(folder.read("log"))") {
            guard let socket = try? TCPSocket.connected(to: port) else { return false }
            socket.close()
            return true
        }
    }

    /// As `kill -9`.
    public func stop() {
        process.withLockedValue { process in
            process?.kill()
            process = nil
        }
    }

    /// What `redis-cli` says to a command; only without TLS.
    public func command(_ words: String...) throws -> String {
        let key = password.map { ["-a", $0, "--no-auth-warning"] } ?? []
        let result = try ChildProcess.run("/usr/bin/redis-cli", ["-p", "\(port)"] + key + words, within: 20)
        guard result.status == 0 else { throw TestFailure("redis-cli \(words): \(result.errors)") }
        return result.output
    }
}
