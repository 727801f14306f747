// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// Turns what went wrong with a call into a failure with advice.
enum Diagnosis {
    static func failure(_ error: ControlError, option: String? = nil) -> Failure {
        switch error {
        case .noDaemon(let path, let missing):
            return noDaemon(path: path, missing: missing, option: option)
        case .notAllowed(let path):
            return Failure(
                status: .notAllowed, code: "not_allowed", message: "not allowed to connect to \(path)",
                advice: ["\(owner(of: path)); this is user \(getuid()). Run routerctl as that user, or as root."])
        case .timedOut:
            return Failure(status: .timedOut, code: "timed_out", message: "routerd did not answer in time")
        case .closed:
            return Failure(
                status: .noDaemon, code: "no_daemon", message: "routerd closed the connection",
                advice: ["It is stopping, or it was stopped."])
        case .remote(let error):
            return remote(error)
        case .ssh(let failure):
            return ssh(failure)
        case .badReply(let text):
            return Failure(
                status: .failed, code: "bad_reply", message: "cannot understand the answer: \(text)",
                advice: ["Compare the versions: routerctl version"])
        }
    }

    /// The daemon's own answer: its words, our status.
    static func remote(_ error: RPCError) -> Failure {
        switch error.code {
        case .notAllowed: return Failure(status: .notAllowed, code: "not_allowed", message: error.message)
        case .notFound: return Failure(status: .notFound, code: "not_found", message: error.message)
        case .refused: return Failure(status: .failed, code: "refused", message: error.message)
        case .invalidParams: return Failure(status: .failed, code: "invalid_params", message: error.message)
        case .methodNotFound:
            return Failure(
                status: .failed, code: "unknown_method", message: error.message,
                advice: ["The daemon is of another version than this routerctl. Compare: routerctl version"])
        default: return Failure(status: .failed, code: "internal_error", message: error.message)
        }
    }

    /// ssh's own words first: they say best what is wrong.
    static func ssh(_ failure: SSHFailure) -> Failure {
        let host = failure.host
        let words = failure.words.split(whereSeparator: \.isNewline).map(String.init)
        switch failure.kind {
        case .badAddress:
            return Failure(
                status: .usage, code: "usage", message: "\(host): \(failure.words)", advice: ["Write ssh://[user@]host[:port][/path/to/socket]"])
        case .noSSH:
            return Failure(
                status: .failed, code: "ssh", message: "there is no ssh on this machine", advice: ["Install it: apt install openssh-client"])
        case .unreachable:
            return Failure(status: .noDaemon, code: "ssh", message: "ssh cannot reach \(host)", advice: words)
        case .notLetIn:
            return Failure(
                status: .notAllowed, code: "ssh", message: "ssh was not let in at \(host)",
                advice: words + ["Without a terminal, and in the console, only keys and agents work: try ssh \(host) first."])
        case .noRouterctl:
            return Failure(
                status: .failed, code: "ssh", message: "there is no routerctl on \(host)",
                advice: words + ["It has to be in the path of a command that ssh starts there: ssh \(host) routerctl version"])
        case .noDaemon:
            return Failure(status: .noDaemon, code: "no_daemon", message: "no routerd on \(host)", advice: words)
        case .notAllowed:
            return Failure(status: .notAllowed, code: "not_allowed", message: "not allowed on \(host)", advice: words)
        case .other:
            return Failure(status: .failed, code: "ssh", message: "ssh to \(host) ended", advice: words)
        }
    }

    private static func noDaemon(path: String, missing: Bool, option: String?) -> Failure {
        var advice: [String] = []
        if missing {
            advice.append("Is routerd running? Start it with: routerd --config config.yaml, or: systemctl start routerd")
            if option == nil, path != SocketPath.ofTheService { advice.append("Also looked at \(SocketPath.ofTheService).") }
            advice.append("If it listens elsewhere, name its socket: --socket PATH, or $NOMYO_ROUTER_CONTROL_SOCKET.")
        } else {
            advice.append("The socket is there but nobody listens: routerd has ended without removing it. Start it again.")
        }
        let what = missing ? "there is no such socket" : "connection refused"
        return Failure(status: .noDaemon, code: "no_daemon", message: "no routerd at \(path): \(what)", advice: advice)
    }

    /// Whose the socket is, or the first folder on the way to it that this user may not enter.
    private static func owner(of path: String) -> String {
        var status = stat()
        if stat(path, &status) == 0 {
            return "The socket belongs to user \(status.st_uid), group \(status.st_gid), mode \(octal(status.st_mode))"
        }
        var folder = path
        while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
            folder = String(folder[..<slash])
            if stat(folder, &status) == 0 {
                return "\(folder) belongs to user \(status.st_uid), group \(status.st_gid), mode \(octal(status.st_mode))"
            }
        }
        return "The socket belongs to another user"
    }

    private static func octal(_ mode: mode_t) -> String {
        let digits = String(mode & 0o7777, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
