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

/// Why a daemon on another machine cannot be reached.
public struct SSHFailure: Error, Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// The address is none.
        case badAddress
        /// There is no `ssh` on this machine.
        case noSSH
        /// ssh could not connect: name, network, or the connection broke.
        case unreachable
        /// The host let this user not in, or is not the one that it was.
        case notLetIn
        /// There is no `routerctl` in the remote user's path.
        case noRouterctl
        /// `routerctl` runs there and found no daemon.
        case noDaemon
        /// The socket there does not let the remote user in.
        case notAllowed
        /// Anything else.
        case other
    }

    public var kind: Kind
    public var host: String
    /// What ssh, or `routerctl` at the other end, wrote to standard error; may have several lines, may be empty.
    public var words: String
}

/// The system's ssh, with `routerctl proxy` at its other end: a socket pair takes the place of the daemon's socket.
final class SSHTransport {
    /// Our end of the socket pair. Belongs to the transport's owner, who closes it.
    let descriptor: Int32
    private let host: String
    private let pid: pid_t
    /// A file without a name for standard error: a pipe that nobody reads would stop ssh when it is full.
    private let errors: Int32
    private var isReaped = false

    /// Starts ssh. It connects while the first call waits for its reply.
    init(to text: String, mayAsk: Bool) throws(SSHFailure) {
        let address: SSHAddress
        do {
            address = try SSHAddress(text)
        } catch {
            throw SSHFailure(kind: .badAddress, host: text, words: error.reason)
        }
        host = address.host
        var pair: [Int32] = [-1, -1]
        #if os(Linux)
            let made = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair)
        #else
            let made = socketpair(AF_UNIX, SOCK_STREAM, 0, &pair)
        #endif
        var template = Array("\(ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp")/routerctl-ssh-XXXXXX".utf8CString)
        let file = made == 0 ? mkstemp(&template) : -1
        guard file >= 0 else {
            let words = String(cString: strerror(errno))
            pair.filter { $0 >= 0 }.forEach { close($0) }
            throw SSHFailure(kind: .other, host: address.host, words: words)
        }
        unlink(template)
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        _ = fcntl(pair[0], F_SETFD, FD_CLOEXEC)
        let result = Self.spawn(address.arguments(mayAsk: mayAsk), stream: pair[1], errors: file)
        close(pair[1])
        switch result {
        case .success(let started):
            pid = started
            descriptor = pair[0]
            errors = file
        case .failure(let code):
            close(pair[0])
            close(file)
            throw SSHFailure(
                kind: code.rawValue == ENOENT ? .noSSH : .other, host: address.host, words: String(cString: strerror(code.rawValue)))
        }
    }

    deinit {
        close(errors)
        guard !isReaped else { return }
        kill(pid, SIGTERM)
        if wait(milliseconds: 500) == nil {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
    }

    /// Why the stream ended; nil where the daemon itself closed it.
    func failure() -> SSHFailure? {
        guard let status = wait(milliseconds: 2000) else { return nil }
        let words = self.words()
        guard let kind = Self.kind(status: status, words: words) else { return nil }
        return SSHFailure(kind: kind, host: host, words: words)
    }

    /// ssh ends with the status of the remote command, or with 255 for a fault of its own.
    static func kind(status: Int32, words: String) -> SSHFailure.Kind? {
        switch status {
        case ofSSH:
            let isRefusal = ["Permission denied", "Host key verification failed", "Too many authentication failures"].contains(where: words.contains)
            return isRefusal ? .notLetIn : .unreachable
        case ofMissingProgram: return .noRouterctl
        case ExitStatus.done.rawValue: return nil
        case ExitStatus.noDaemon.rawValue: return .noDaemon
        case ExitStatus.notAllowed.rawValue: return .notAllowed
        default: return .other
        }
    }

    /// What ssh ends with for a fault of its own.
    private static let ofSSH: Int32 = 255
    /// What a shell ends with that does not find the program.
    private static let ofMissingProgram: Int32 = 127

    private struct Code: Error {
        let rawValue: Int32
    }

    private static func spawn(_ arguments: [String], stream: Int32, errors: Int32) -> Result<pid_t, Code> {
        #if os(Linux)
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #else
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_adddup2(&actions, stream, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, stream, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
        // routerctl ignores it; ssh must end by it as it would at a shell.
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))
        var argv: [UnsafeMutablePointer<CChar>?] = (["ssh"] + arguments).map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        var started: pid_t = 0
        let code = posix_spawnp(&started, "ssh", &actions, &attributes, &argv, environ)
        return code == 0 ? .success(started) : .failure(Code(rawValue: code))
    }

    /// The exit status, or 128 plus the signal; nil if it still runs then.
    private func wait(milliseconds: Int) -> Int32? {
        var status: Int32 = 0
        for _ in 0...(milliseconds / 10) {
            if waitpid(pid, &status, WNOHANG) == pid {
                isReaped = true
                return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
            }
            usleep(10_000)
        }
        return nil
    }

    private func words() -> String {
        var bytes = [UInt8](repeating: 0, count: 16384)
        let count = pread(errors, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: "\n")
    }
}
