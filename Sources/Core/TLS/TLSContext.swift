// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import COpenSSL
import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#endif

/// What connections of one configuration share: certificates, trust, sessions to take up again.
///
/// `@unchecked Sendable`: an `SSL_CTX` is set up in `init` and only read afterwards, and OpenSSL locks what it changes in it
/// itself (its reference count, its session cache); our own sessions are behind a lock.
public final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer
    let isServer: Bool
    let verifies: Bool
    /// The name to be verified instead of the host's.
    let serverName: String?
    private let sessions = NIOLockedValueBox(Sessions())

    /// TLS sessions by host, so that the next connection is spared half of the handshake.
    private struct Sessions {
        static let limit = 64
        var byHost: [String: OpaquePointer] = [:]
    }

    /// HTTP/1.1, as ALPN writes it: a length and a name.
    private static let protocols: [UInt8] = [8] + Array("http/1.1".utf8)

    /// For connections to endpoints.
    public init(client settings: TLSClientSettings) throws(TLSError) {
        pointer = try Self.make(TLS_client_method(), isServer: false)
        isServer = false
        verifies = !settings.insecureSkipVerify
        serverName = settings.serverName
        routerd_ssl_ctx_cache_client_sessions(pointer)
        SSL_CTX_set_verify(pointer, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        _ = SSL_CTX_set_alpn_protos(pointer, Self.protocols, UInt32(Self.protocols.count))
        if let file = settings.caFile {
            try Self.check(SSL_CTX_load_verify_locations(pointer, file, nil), file, "no certificates of authorities that can be read")
        } else if SSL_CTX_set_default_verify_paths(pointer) != 1 {
            throw .library("the system's trusted certificates cannot be read: \(TLSError.queued())")
        }
        if let certificate = settings.certificate, let key = settings.key { try Self.use(certificate, key, in: pointer) }
    }

    /// For the listener.
    public init(server settings: TLSServerSettings) throws(TLSError) {
        pointer = try Self.make(TLS_server_method(), isServer: true)
        isServer = true
        verifies = false
        serverName = nil
        try Self.use(settings.certificate, settings.key, in: pointer)
        let id = Array("routerd".utf8)
        _ = SSL_CTX_set_session_id_context(pointer, id, UInt32(id.count))
        SSL_CTX_set_alpn_select_cb(
            pointer,
            { _, out, outLength, offered, offeredLength, _ in
                guard let out, let outLength, let offered else { return SSL_TLSEXT_ERR_NOACK }
                var chosen: UnsafeMutablePointer<UInt8>?
                let known = TLSContext.protocols
                let result = known.withUnsafeBufferPointer { known in
                    SSL_select_next_proto(&chosen, outLength, known.baseAddress, UInt32(known.count), offered, offeredLength)
                }
                // What the client offered lives as long as the handshake; our own list would not.
                guard result == OPENSSL_NPN_NEGOTIATED, let name = TLSContext.offer("http/1.1", offered, Int(offeredLength)) else {
                    return SSL_TLSEXT_ERR_NOACK
                }
                out.pointee = name
                outLength.pointee = 8
                return SSL_TLSEXT_ERR_OK
            }, nil)
    }

    deinit {
        sessions.withLockedValue { sessions in
            for session in sessions.byHost.values { SSL_SESSION_free(session) }
            sessions.byHost = [:]
        }
        SSL_CTX_free(pointer)
    }

    /// Where a protocol's name stands in a client's list.
    private static func offer(_ name: String, _ list: UnsafePointer<UInt8>, _ length: Int) -> UnsafePointer<UInt8>? {
        var index = 0
        while index < length {
            let count = Int(list[index])
            guard index + 1 + count <= length else { return nil }
            if UnsafeBufferPointer(start: list + index + 1, count: count).elementsEqual(name.utf8) { return list + index + 1 }
            index += 1 + count
        }
        return nil
    }

    private static func make(_ method: OpaquePointer?, isServer: Bool) throws(TLSError) -> OpaquePointer {
        ERR_clear_error()
        guard let pointer = SSL_CTX_new(method), routerd_ssl_ctx_set_min_tls12(pointer) == 1 else { throw .library(TLSError.queued()) }
        routerd_ssl_ctx_set_mode(pointer)
        routerd_ssl_ctx_set_options(pointer, isServer ? 1 : 0)
        return pointer
    }

    private static func use(_ certificate: String, _ key: String, in pointer: OpaquePointer) throws(TLSError) {
        try check(SSL_CTX_use_certificate_chain_file(pointer, certificate), certificate, "no certificate that can be read")
        try check(SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM), key, "no key that can be read, or not the certificate's")
        try check(SSL_CTX_check_private_key(pointer), key, "the key is not the certificate's")
    }

    private static func check(_ result: Int32, _ path: String, _ what: String) throws(TLSError) {
        guard result != 1 else { return }
        let reason = TLSError.queued()
        // OpenSSL has no words for what the system says.
        guard access(path, R_OK) == 0 else { throw .file(path, errno == ENOENT ? "no such file" : String(cString: strerror(errno))) }
        throw .file(path, "\(what) (\(reason))")
    }

    // MARK: Sessions

    /// Gives `ssl` the last session with the host, if there is one.
    func resume(_ host: String, on ssl: OpaquePointer) {
        sessions.withLockedValue { sessions in
            if let session = sessions.byHost[host] { SSL_set_session(ssl, session) }
        }
    }

    /// Keeps the session for the next connection to the host.
    func keepSession(of ssl: OpaquePointer, host: String) {
        guard let session = SSL_get1_session(ssl) else { return }
        guard SSL_SESSION_is_resumable(session) == 1 else { return SSL_SESSION_free(session) }
        sessions.withLockedValue { sessions in
            if let old = sessions.byHost.updateValue(session, forKey: host) { SSL_SESSION_free(old) }
            if sessions.byHost.count > Sessions.limit, let other = sessions.byHost.keys.first(where: { $0 != host }),
                let old = sessions.byHost.removeValue(forKey: other)
            {
                SSL_SESSION_free(old)
            }
        }
    }
}
