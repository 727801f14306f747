// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers

/// Why bytes did not come or go.
public enum SocketError: Error, Equatable {
    case timedOut
    /// The peer has ended its side.
    case closed
    /// The peer has reset the connection, or this side has closed it meanwhile.
    case broken(String)
    case refused
}

/// Held while a child is made and while a connection is accepted, which is not closed to children from its first moment.
let spawning = NIOLock()

/// A TCP socket on the loopback, with deadlines. May be closed from any thread, whatever another one does with it.
///
/// The descriptor is non-blocking and only touched under the lock, so that no call can reach a descriptor that was
/// closed and given out again meanwhile. Waiting happens outside, in short turns.
public final class TCPSocket: Sendable {
    private let descriptor: NIOLockedValueBox<Int32>
    private static let turn = 20

    private init(_ descriptor: Int32) { self.descriptor = NIOLockedValueBox(descriptor) }

    deinit { close() }

    private static func make() throws -> Int32 {
        // Not for the children: a daemon that inherits a socket would keep it open.
        let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard made >= 0 else { throw TestFailure("socket: \(String(cString: strerror(errno)))") }
        return made
    }

    /// A port that is taken and on which nobody listens: whoever connects to it is refused, for as long as the socket is there.
    public static func boundAndDeaf() throws -> (socket: TCPSocket, port: Int) {
        let made = try make()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        var address = sockaddr_in()
        let isBound = withAddress(0) { bind(made, $0, $1) } == 0
        let isNamed = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(made, $0, &length) == 0 }
        }
        guard isBound, isNamed else { throw TestFailure("bind: \(String(cString: strerror(errno)))") }
        return (TCPSocket(made), Int(UInt16(bigEndian: address.sin_port)))
    }

    /// - Parameter host: the last byte, as all of 127.0.0.0/8 is this machine.
    private static func loopback(_ port: Int, host: UInt8) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0000 | UInt32(host)).bigEndian
        return address
    }

    private static func withAddress(_ port: Int, host: UInt8 = 1, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = loopback(port, host: host)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// - Parameters:
    ///   - port: zero for any free one.
    ///   - host: the last byte of its address, 127.0.0.x.
    public static func listening(port: Int = 0, host: UInt8 = 1) throws -> TCPSocket {
        let made = try make()
        set(made, SOL_SOCKET, SO_REUSEADDR, 1)
        guard withAddress(port, host: host, { bind(made, $0, $1) }) == 0, listen(made, 1024) == 0 else {
            let reason = String(cString: strerror(errno))
            Glibc.close(made)
            throw TestFailure("bind to port \(port): \(reason)")
        }
        return TCPSocket(made)
    }

    /// - Parameters:
    ///   - host: the last byte of the client's own address, 127.0.0.x.
    ///   - receiveBuffer: bytes that the kernel keeps for a slow reader; nil for its default.
    public static func connected(to port: Int, from host: UInt8 = 1, receiveBuffer: Int? = nil) throws -> TCPSocket {
        let made = try make()
        if host != 1, withAddress(0, host: host, { bind(made, $0, $1) }) != 0 {
            let reason = String(cString: strerror(errno))
            Glibc.close(made)
            throw TestFailure("bind to 127.0.0.\(host): \(reason)")
        }
        if let receiveBuffer { set(made, SOL_SOCKET, SO_RCVBUF, Int32(receiveBuffer)) }
        let result = withAddress(port) { connect(made, $0, $1) }
        let reason = errno
        let connection = TCPSocket(made)
        if result == 0 { return connection.tuned() }
        guard reason == EINPROGRESS else { throw SocketError.refused }
        guard try connection.wait(for: Int16(POLLOUT), until: .generous) else { throw SocketError.timedOut }
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(made, SOL_SOCKET, SO_ERROR, &error, &size)
        guard error == 0 else { throw SocketError.refused }
        return connection.tuned()
    }

    private func tuned() -> TCPSocket {
        descriptor.withLockedValue { Self.set($0, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }
        return self
    }

    public var localPort: Int {
        descriptor.withLockedValue { open in
            var address = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(open, $0, &size) }
            }
            return result == 0 ? Int(UInt16(bigEndian: address.sin_port)) : 0
        }
    }

    public var isOpen: Bool { descriptor.withLockedValue { $0 >= 0 } }

    /// The next connection; nil when nobody came in this turn.
    public func accept() throws -> TCPSocket? {
        guard try wait(for: Int16(POLLIN), until: Deadline(0.1)) else { return nil }
        let accepted = descriptor.withLockedValue { open -> Int32 in
            guard open >= 0 else { return -1 }
            return spawning.withLock {
                let accepted = Glibc.accept(open, nil, nil)
                _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
                _ = fcntl(accepted, F_SETFL, O_NONBLOCK)
                return accepted
            }
        }
        return accepted < 0 ? nil : TCPSocket(accepted).tuned()
    }

    /// - Returns: false when the deadline has passed.
    private func wait(for events: Int16, until deadline: Deadline) throws -> Bool {
        while true {
            let open = descriptor.withLockedValue { $0 }
            guard open >= 0 else { throw SocketError.broken("closed by this side") }
            var entry = pollfd(fd: open, events: events, revents: 0)
            if poll(&entry, 1, Int32(min(Self.turn, deadline.milliseconds))) > 0 { return true }
            if deadline.hasPassed { return false }
        }
    }

    public func send(_ bytes: [UInt8], until deadline: Deadline = .generous) throws {
        var sent = 0
        while sent < bytes.count {
            let (count, reason) = descriptor.withLockedValue { open in
                let count = bytes.withUnsafeBytes { buffer in
                    Glibc.send(open, buffer.baseAddress.map { $0 + sent }, buffer.count - sent, Int32(MSG_NOSIGNAL))
                }
                return (count, errno)
            }
            if count > 0 {
                sent += count
            } else if reason == EAGAIN {
                guard try wait(for: Int16(POLLOUT), until: deadline) else { throw SocketError.timedOut }
            } else if reason != EINTR {
                throw SocketError.broken(String(cString: strerror(reason)))
            }
        }
    }

    /// What has come, at most `limit` bytes, at least one.
    public func receive(limit: Int = 256 * 1024, until deadline: Deadline = .generous) throws -> [UInt8] {
        while true {
            var count = 0
            var reason: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, filled in
                (count, reason) = descriptor.withLockedValue { (recv($0, buffer.baseAddress, limit, 0), errno) }
                filled = max(0, count)
            }
            if count > 0 { return bytes }
            if count == 0 { throw SocketError.closed }
            if reason == EAGAIN {
                guard try wait(for: Int16(POLLIN), until: deadline) else { throw SocketError.timedOut }
            } else if reason != EINTR {
                throw SocketError.broken(String(cString: strerror(reason)))
            }
        }
    }

    /// Whether the peer has closed or reset the connection, without taking bytes from it.
    public var peerIsGone: Bool {
        descriptor.withLockedValue { open in
            guard open >= 0 else { return true }
            var entry = pollfd(fd: open, events: Int16(POLLIN | 0x2000 /* POLLRDHUP */), revents: 0)
            guard poll(&entry, 1, 0) > 0 else { return false }
            return entry.revents & Int16(POLLERR | POLLHUP | 0x2000) != 0
        }
    }

    public func endSending() { descriptor.withLockedValue { _ = shutdown($0, Int32(SHUT_WR)) } }

    /// As a process that is killed does: the kernel ends the connection, or resets it where bytes were not read.
    public func close() {
        descriptor.withLockedValue { open in
            if open >= 0 { Glibc.close(open) }
            open = -1
        }
    }

    /// Ends the connection with a RST.
    public func reset() {
        descriptor.withLockedValue { open in
            guard open >= 0 else { return }
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(open, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
            Glibc.close(open)
            open = -1
        }
    }
}
