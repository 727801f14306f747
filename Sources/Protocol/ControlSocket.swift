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

/// Every way in which a call to the daemon can fail.
public enum ControlError: Error, Sendable, Equatable {
    /// Nobody listens at `path`; `missing` if there is no such file at all.
    case noDaemon(path: String, missing: Bool)
    /// The socket's mode does not let this user in.
    case notAllowed(path: String)
    /// No answer in time.
    case timedOut
    /// The daemon closed the connection.
    case closed
    /// The daemon's own answer: it did not do it.
    case remote(RPCError)
    /// The daemon is on another machine, and the way there does not work.
    case ssh(SSHFailure)
    /// Something else than the protocol came back.
    case badReply(String)
}

/// A blocking Unix-domain stream socket with deadlines.
final class ControlSocket {
    let descriptor: Int32
    /// What stands between us and the daemon; nil for a socket of this machine.
    private let transport: SSHTransport?

    /// - Parameters:
    ///   - path: the socket's, or `ssh://[user@]host[:port][/path]`.
    ///   - mayAsk: whether ssh may ask the user something on the terminal.
    init(connectingTo path: String, mayAsk: Bool = false) throws(ControlError) {
        if SSHAddress.names(path) {
            do {
                let transport = try SSHTransport(to: path, mayAsk: mayAsk)
                self.transport = transport
                descriptor = transport.descriptor
                return
            } catch {
                throw .ssh(error)
            }
        }
        transport = nil
        guard path.utf8.count <= SocketPath.maximumLength else {
            throw .badReply("the socket's path is longer than \(SocketPath.maximumLength) bytes: \(path)")
        }
        #if os(Linux)
            descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #else
            descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { throw .badReply("cannot make a socket: \(String(cString: strerror(errno)))") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { field in
            field.copyBytes(from: path.utf8)
        }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        if result != 0 {
            // `deinit` runs although we throw, and closes it: closing here too would close what got the number since.
            let code = errno
            switch code {
            case ENOENT: throw .noDaemon(path: path, missing: true)
            case ECONNREFUSED, ENOTSOCK: throw .noDaemon(path: path, missing: false)
            case EACCES, EPERM: throw .notAllowed(path: path)
            default: throw .badReply("cannot connect to \(path): \(String(cString: strerror(code)))")
            }
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Milliseconds of the monotonic clock.
    static func nowMs() -> Int {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    }

    func write(_ data: Data) throws(ControlError) {
        let bytes = [UInt8](data)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                // MSG_NOSIGNAL: a daemon that went away is an error here, not a signal that ends the program.
                send(descriptor, buffer.baseAddress.map { $0 + sent }, buffer.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw .closed
            }
            sent += count
        }
    }

    func read(deadline: Int) throws(ControlError) -> [UInt8] {
        while true {
            let left = deadline - Self.nowMs()
            guard left > 0 else { throw .timedOut }
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&poller, 1, Int32(clamping: left))
            if ready == 0 { throw .timedOut }
            if ready < 0 {
                if errno == EINTR { continue }
                throw .closed
            }
            let chunk = [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
                count = max(0, recv(descriptor, buffer.baseAddress, buffer.count, 0))
            }
            if chunk.isEmpty { throw transport?.failure().map(ControlError.ssh) ?? .closed }
            return chunk
        }
    }
}
