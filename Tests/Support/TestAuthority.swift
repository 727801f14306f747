// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation

/// A certificate authority for one test, made by the `openssl` command in a folder of its own.
public final class TestAuthority: Sendable {
    public struct Certificate: Sendable {
        /// Paths of PEM files.
        public let certificate: String
        public let key: String
    }

    private let folder: TemporaryFolder
    /// Path of the authority's own certificate.
    public var caFile: String { folder.path + "/ca.pem" }
    public var path: String { folder.path }

    public init() throws {
        folder = try TemporaryFolder()
        try openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=Test-Authority -keyout ca.key -out ca.pem")
    }

    /// A certificate of this authority.
    ///
    /// - Parameters:
    ///   - names: as OpenSSL writes them: `DNS:localhost,IP:127.0.0.1`.
    ///   - isExpired: valid for one day, two years ago.
    public func certificate(_ file: String, names: String = "DNS:localhost,IP:127.0.0.1,IP:::1", isExpired: Bool = false) throws -> Certificate {
        try openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=\(file) -keyout \(file).key -out \(file).csr")
        try folder.write("subjectAltName=\(names)\n", to: "\(file).ext")
        if isExpired {
            try folder.write(
                "[ca]\ndefault_ca=d\n[d]\ndatabase=\(path)/index\nnew_certs_dir=\(path)\nserial=\(path)/serial\npolicy=p\n[p]\ncommonName=supplied\n",
                to: "ca.cnf")
            try folder.write("", to: "index")
            try folder.write("01\n", to: "serial")
            try openssl(
                "ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -md sha256 -in \(file).csr -out \(file).pem -extfile \(file).ext "
                    + "-startdate 20200101000000Z -enddate 20200102000000Z -notext")
        } else {
            try openssl("x509 -req -in \(file).csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile \(file).ext -out \(file).pem")
        }
        return Certificate(certificate: "\(path)/\(file).pem", key: "\(path)/\(file).key")
    }

    /// A certificate that nobody vouches for but itself.
    public func selfSigned(_ file: String, names: String = "DNS:localhost,IP:127.0.0.1") throws -> Certificate {
        try openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=\(file) -addext subjectAltName=\(names) "
                + "-keyout \(file).key -out \(file).pem")
        return Certificate(certificate: "\(path)/\(file).pem", key: "\(path)/\(file).key")
    }

    private func openssl(_ arguments: String) throws {
        let result = try ChildProcess.run("/bin/sh", ["-c", "cd \(path) && exec openssl \(arguments)"], within: 30)
        guard result.status == 0 else { throw TestFailure("openssl \(arguments): \(result.errors)") }
    }
}

/// TLS in front of a fake endpoint: Python's `ssl`, in a process of its own.
public final class TLSFront: Sendable {
    public let port: Int
    private let process: ChildProcess
    private let folder: TemporaryFolder

    /// - Parameter options: `--drip`, `--truncate`, `--client-ca FILE`, `--tls12`.
    public init(_ certificate: TestAuthority.Certificate, to backend: Int, _ options: [String] = []) throws {
        let folder = try TemporaryFolder()
        let log = folder.path + "/log"
        process = try ChildProcess(
            "/usr/bin/env",
            ["python3", "-u", Checkout.root + "/Tests/Clients/tls_front.py", certificate.certificate, certificate.key, "\(backend)"] + options,
            output: log, errors: log)
        self.folder = folder
        port = try eventualValue("a TLS front: \(folder.read("log"))", within: 20) {
            folder.read("log").split(separator: "\n").first { $0.hasPrefix("port ") }.flatMap { Int($0.dropFirst(5)) }
        }
    }

    deinit { process.kill() }

    /// What it saw: one line for each handshake, such as `TLSv1.3 reused=False alpn=http/1.1 sni=localhost`.
    public var log: [String] { folder.read("log").split(separator: "\n").map(String.init) }
}
