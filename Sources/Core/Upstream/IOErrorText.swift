// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#endif

/// Network errors as an operator would say them: the one place that words them.
enum IOErrorText {
    static func reason(_ error: any Error) -> String {
        switch error {
        case let error as IOError: reason(error)
        case let error as NIOConnectionError: reason(error)
        case let error as ChannelError: reason(error)
        case let error as TLSError: error.description
        default: "\(error)"
        }
    }

    static func reason(_ error: IOError) -> String {
        switch error.errnoCode {
        case ECONNREFUSED: "connection refused"
        case ECONNRESET: "connection reset"
        case EPIPE: "connection closed"
        case EHOSTUNREACH: "no route to host"
        case ENETUNREACH: "network unreachable"
        case ETIMEDOUT: "connection timed out"
        case EMFILE, ENFILE: "the router has too many open files"
        case ENOMEM, ENOBUFS: "the router is out of memory for connections"
        case EADDRNOTAVAIL: "no such local address, or no local port left"
        default: String(cString: strerror(error.errnoCode))
        }
    }

    private static func reason(_ error: NIOConnectionError) -> String {
        if !error.connectionErrors.isEmpty { return reason(cause(error)) }
        if let fault = error.dnsAError ?? error.dnsAAAAError { return "\(fault)" }
        return "cannot connect"
    }

    /// A name may stand for several addresses. What is told is what the first of them met that tells anything: our own trouble says
    /// least, and that nobody listens less than anything else.
    static func cause(_ error: NIOConnectionError) -> any Error {
        let causes = error.connectionErrors.map(\.error)
        let endpoints = causes.filter { !IOFault.isOurs($0) }
        let telling = endpoints.first { ($0 as? IOError)?.errnoCode != ECONNREFUSED }
        return telling ?? endpoints.first ?? causes.first ?? error
    }

    private static func reason(_ error: ChannelError) -> String {
        if case .connectTimeout(let limit) = error { return "no connection within \(limit.nanoseconds / 1_000_000) ms (connect_timeout)" }
        return "\(error)"
    }
}
