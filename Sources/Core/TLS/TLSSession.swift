// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import COpenSSL
import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// One TLS connection without a socket: bytes of the network go in and out by memory, plain bytes on the other side.
///
/// Bound to the event loop of its channel, hence not `Sendable`. It owns its `SSL`, which owns its two BIOs.
final class TLSSession {
    enum Step: Equatable {
        case goOn
        /// More bytes of the network are needed.
        case wait
        /// The other side has ended its half in order.
        case ended
    }

    private let ssl: OpaquePointer
    private let input: OpaquePointer
    private let output: OpaquePointer
    private let context: TLSContext
    private let host: String
    private(set) var isEstablished = false
    /// TLS 1.3 hands out sessions after the handshake; once is enough.
    private var keptSession = false

    /// - Parameter host: the name or address that the certificate must be for; empty on a server.
    init(_ context: TLSContext, host: String) throws(TLSError) {
        ERR_clear_error()
        guard let ssl = SSL_new(context.pointer) else { throw .library(TLSError.queued()) }
        guard let input = BIO_new(BIO_s_mem()) else {
            SSL_free(ssl)
            throw .library(TLSError.queued())
        }
        guard let output = BIO_new(BIO_s_mem()) else {
            BIO_free(input)
            SSL_free(ssl)
            throw .library(TLSError.queued())
        }
        routerd_bio_never_ends(input)
        routerd_bio_never_ends(output)
        SSL_set_bio(ssl, input, output)
        self.ssl = ssl
        self.input = input
        self.output = output
        self.context = context
        self.host = context.serverName ?? host
        if context.isServer {
            SSL_set_accept_state(ssl)
        } else {
            SSL_set_connect_state(ssl)
            try expect(self.host)
            context.resume(self.host, on: ssl)
        }
    }

    deinit { SSL_free(ssl) }

    /// Whom the certificate must be for. An address is not sent as a name (RFC 6066, section 3).
    private func expect(_ host: String) throws(TLSError) {
        var isSet: Int32
        if Self.isAddress(host) {
            isSet = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host)
        } else {
            SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            isSet = SSL_set1_host(ssl, host)
            if isSet == 1 { isSet = routerd_ssl_set_host_name(ssl, host) }
        }
        guard isSet == 1 else { throw .handshake("'\(host)' can be no certificate's name") }
    }

    private static func isAddress(_ host: String) -> Bool {
        // Room for an IPv6 address.
        var address: (UInt64, UInt64) = (0, 0)
        return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
    }

    // MARK: The network's side

    /// Bytes have come from the network.
    func received(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
        // A memory BIO grows; it takes everything.
        BIO_write(input, base, Int32(clamping: bytes.count))
    }

    /// Moves what is to be sent to the network into `buffer`.
    func drain(into buffer: inout ByteBuffer) {
        let pending = Int(routerd_bio_pending(output))
        guard pending > 0 else { return }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: pending) { space in
            max(0, Int(BIO_read(output, space.baseAddress, Int32(clamping: pending))))
        }
    }

    // MARK: The handshake and the end

    func handshake() throws(TLSError) -> Step {
        if isEstablished { return .goOn }
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 {
            isEstablished = true
            return .goOn
        }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wait
        default:
            let verdict = SSL_get_verify_result(ssl)
            if !context.isServer, context.verifies, verdict != Int(X509_V_OK) {
                ERR_clear_error()
                throw .verification(verdict, host: host)
            }
            throw .handshake(TLSError.queued())
        }
    }

    /// Says that nothing more will be sent (`close_notify`).
    func end() {
        guard isEstablished else { return }
        ERR_clear_error()
        _ = SSL_shutdown(ssl)
        ERR_clear_error()
    }

    // MARK: The plain side

    /// Decrypts what there is into `buffer`, up to `limit` bytes of it.
    func read(into buffer: inout ByteBuffer, limit: Int) throws(TLSError) -> Step {
        while buffer.readableBytes < limit {
            ERR_clear_error()
            var result: Int32 = 0
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.record) { space in
                result = SSL_read(ssl, space.baseAddress, Int32(clamping: space.count))
                return max(0, Int(result))
            }
            if result > 0 {
                keepSession()
                continue
            }
            switch SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wait
            case SSL_ERROR_ZERO_RETURN: return .ended
            default: throw .protocolFault(TLSError.queued())
            }
        }
        return .goOn
    }

    private func keepSession() {
        guard !keptSession, !context.isServer else { return }
        keptSession = true
        context.keepSession(of: ssl, host: host)
    }

    /// Encrypts all of it; what comes of it waits for `drain`.
    func write(_ bytes: UnsafeRawBufferPointer) throws(TLSError) {
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            ERR_clear_error()
            let result = SSL_write(ssl, base, Int32(clamping: rest.count))
            guard result > 0 else { throw .protocolFault(TLSError.queued()) }
            rest = UnsafeRawBufferPointer(rebasing: rest[Int(result)...])
        }
    }

    /// The most that one record holds.
    private static let record = 16 * 1024
}
