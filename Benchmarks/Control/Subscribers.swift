// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// Many subscribers on one thread, which reads what comes and throws it away.
final class Subscribers {
    private let sockets: [Int32]
    private let reader: Thread
    /// Ends the thread by becoming readable.
    private let wakeup: (Int32, Int32)

    init(_ count: Int, _ path: String, deltas: Bool) throws {
        sockets = try (0..<count).map { _ in try Self.connect(path) }
        let call = Array("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\",\"params\":{\"deltas\":\(deltas)}}\n".utf8)
        for socket in sockets { send(socket, call, call.count, 0) }
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        wakeup = (ends[0], ends[1])
        let all = sockets + [ends[0]]
        reader = Thread {
            var polled = all.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            var buffer = [UInt8](repeating: 0, count: 1 << 18)
            while true {
                poll(&polled, nfds_t(polled.count), -1)
                if polled[polled.count - 1].revents != 0 { return }
                for entry in polled where entry.revents != 0 { _ = recv(entry.fd, &buffer, buffer.count, Int32(MSG_DONTWAIT)) }
            }
        }
        reader.start()
    }

    func stop() {
        write(wakeup.1, "x", 1)
        while !reader.isFinished { usleep(1000) }
        for socket in sockets + [wakeup.0, wakeup.1] { close(socket) }
    }

    private static func connect(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw TestFailure("cannot connect to \(path)") }
        return descriptor
    }
}
