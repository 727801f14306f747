// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import NIOPosix

#if canImport(Glibc)
    import Glibc
#endif

/// Why a poll got no answer that means anything. The texts are for the operator, as an endpoint's `reason`.
public enum ProbeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nobody listens there.
    case refused
    /// No connection for any other reason: no such host, no route, connection lost before an answer.
    case unreachable(String)
    /// Nothing, or not all, within this time.
    case timedOut(TimeAmount)
    /// Something answers, but not with what it should: no HTTP, no JSON, other JSON.
    case badAnswer(String)
    /// The body has more bytes than this.
    case tooLarge(limit: Int)
    /// A status other than 200, with the message of its body if there is one, and how long not to ask again if it says so.
    case status(Int, message: String, retryAfter: TimeAmount? = nil)
    /// The router itself could not ask: it lacks descriptors, memory or ports. That says nothing about the endpoint.
    case ours(String)
    /// The daemon stops, or no longer wants to know.
    case cancelled

    /// Whether the server itself is beyond reach, so that asking it anything else is pointless.
    var isConnectionFailure: Bool {
        switch self {
        case .refused, .unreachable, .cancelled: true
        case .timedOut, .badAnswer, .tooLarge, .status, .ours: false
        }
    }

    /// 401 and 403: no endpoint's failure, but the configuration's.
    var isKeyRefused: Bool {
        switch self {
        case .status(401, _, _), .status(403, _, _): true
        default: false
        }
    }

    /// 429: it lives, and wants to be asked less often.
    var isTooManyRequests: Bool {
        if case .status(429, _, _) = self { return true }
        return false
    }

    /// How long the endpoint wants not to be asked this again; nil where it did not say.
    var retryAfter: TimeAmount? {
        if case .status(_, _, let time) = self { return time }
        return nil
    }

    var isOurs: Bool {
        if case .ours = self { return true }
        return false
    }

    var isTimeout: Bool {
        if case .timedOut = self { return true }
        return false
    }

    public var description: String {
        switch self {
        case .refused: "connection refused"
        case .unreachable(let why): why
        case .timedOut(let time): "no answer within \(seconds(time))"
        case .badAnswer(let what): "unusable answer: \(what)"
        case .tooLarge(let limit): "answer larger than \(limit) bytes"
        case .status(401, _, _): "the endpoint wants a key (401): set it in api_keys"
        case .status(403, _, _): "the endpoint refuses our key (403): check api_keys"
        case .status(let code, let message, _): message.isEmpty ? "status \(code)" : "status \(code): \(message)"
        case .ours(let what): what
        case .cancelled: "cancelled"
        }
    }

    private func seconds(_ time: TimeAmount) -> String {
        time.nanoseconds % 1_000_000_000 == 0 ? "\(time.nanoseconds / 1_000_000_000) s" : "\(time.nanoseconds / 1_000_000) ms"
    }
}

extension ProbeError {
    /// - Parameter timeout: the one that was in force.
    init(_ error: any Error, within timeout: TimeAmount) {
        switch error {
        case let error as ProbeError: self = error
        case let error as NIOConnectionError where !error.connectionErrors.isEmpty:
            self = ProbeError(IOErrorText.cause(error), within: timeout)
        case ChannelError.connectTimeout: self = .timedOut(timeout)
        case HTTPParserError.invalidEOFState: self = .badAnswer("connection closed before the end")
        case let error as HTTPParserError: self = .badAnswer("not HTTP (\(error))")
        case let error as IOError where error.errnoCode == ECONNREFUSED: self = .refused
        case let error as IOError where error.errnoCode == ECONNRESET || error.errnoCode == EPIPE:
            self = .badAnswer("connection lost before the whole answer")
        default:
            switch IOFault(error) {
            case .ours(let reason): self = .ours(reason)
            case .endpoint(let reason): self = .unreachable(reason)
            }
        }
    }
}
