// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#endif

/// Whose trouble a network error is. Pure.
///
/// What this process or this host lacks (descriptors, memory, local ports) says nothing about the endpoint that a connection was for:
/// the same error would have met any other endpoint, so it must never count against this one.
enum IOFault: Sendable, Equatable {
    case endpoint(String)
    case ours(String)

    /// As an operator would say it.
    var reason: String {
        switch self {
        case .endpoint(let reason), .ours(let reason): reason
        }
    }

    var isOurs: Bool {
        if case .ours = self { return true }
        return false
    }

    init(_ error: any Error) {
        let reason = IOErrorText.reason(error)
        self = Self.isOurs(error) ? .ours(reason) : .endpoint(reason)
    }

    static func isOurs(_ error: any Error) -> Bool {
        switch error {
        case let error as IOError: return isOurs(errno: error.errnoCode)
        case let error as NIOConnectionError:
            // One address of several that was tried properly tells of the endpoint.
            if !error.connectionErrors.isEmpty { return error.connectionErrors.allSatisfy { isOurs($0.error) } }
            return (error.dnsAError ?? error.dnsAAAAError).map { isOurs($0) } ?? false
        case NameFault.ours: return true
        default: return false
        }
    }

    private static func isOurs(errno: CInt) -> Bool {
        switch errno {
        // EADDRNOTAVAIL: every local port towards this address is in use.
        case EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL: true
        default: false
        }
    }
}
