// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// How an endpoint's certificate is judged, and which one we show it.
public struct TLSClientSettings: Sendable, Hashable {
    /// Path of PEM certificates that are trusted instead of the system's.
    public var caFile: String?
    /// Paths of our own certificate (PEM, with its chain) and its key, for servers that demand one.
    public var certificate: String?
    public var key: String?
    /// Takes any certificate. Whoever is on the way can then read and change everything: loudly logged.
    public var insecureSkipVerify: Bool
    /// The name that the certificate must be for, and that is sent as SNI; nil means the URL's host.
    public var serverName: String?

    public init(
        caFile: String? = nil, certificate: String? = nil, key: String? = nil, insecureSkipVerify: Bool = false, serverName: String? = nil
    ) {
        self.caFile = caFile
        self.certificate = certificate
        self.key = key
        self.insecureSkipVerify = insecureSkipVerify
        self.serverName = serverName
    }
}

/// The listener's certificate (PEM, with its chain) and key, as paths.
public struct TLSServerSettings: Sendable, Hashable {
    public var certificate: String
    public var key: String

    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}
