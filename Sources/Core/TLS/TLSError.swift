// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import COpenSSL

/// Why a TLS connection cannot be had, for the operator. No secret is in any of them.
public enum TLSError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A file of the configuration: which, and what is wrong with it.
    case file(String, String)
    /// The other side's certificate is not to be trusted.
    case certificate(String)
    /// The handshake failed for another reason; OpenSSL's words.
    case handshake(String)
    /// Bytes that are no TLS, or not as it must be; OpenSSL's words.
    case protocolFault(String)
    /// The connection ended without TLS's own end: what came may lack its end.
    case truncated
    /// OpenSSL cannot work: out of memory, a broken installation.
    case library(String)

    public var description: String {
        switch self {
        case .file(let path, let what): "\(path): \(what)"
        case .certificate(let what): "its certificate is not trusted: \(what)"
        case .handshake(let what): "TLS handshake failed: \(what)"
        case .protocolFault(let what): "TLS failed: \(what)"
        case .truncated: "the TLS connection was cut off"
        case .library(let what): "OpenSSL: \(what)"
        }
    }

    /// The first error that OpenSSL has noted for this thread; the rest is thrown away.
    static func queued() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0, let reason = ERR_reason_error_string(code) else { return "no reason given" }
        return String(cString: reason)
    }

    /// What a verification came to, with what to do about it where that is known.
    static func verification(_ result: Int, host: String) -> TLSError {
        let text = String(cString: X509_verify_cert_error_string(result))
        switch Int32(truncatingIfNeeded: result) {
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: return .certificate("it is not for \(host)")
        case X509_V_ERR_CERT_HAS_EXPIRED: return .certificate("it has expired")
        case X509_V_ERR_CERT_NOT_YET_VALID: return .certificate("it is not valid yet")
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return .certificate("it is self-signed; trust it by ca_file")
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return .certificate("its authority is unknown (\(text)); trust it by ca_file")
        default: return .certificate(text)
        }
    }
}
