// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// Clients of the router, all on one thread: each asks, reads its answer to the end, and asks again.
final class Traffic {
    private let wakeup: Int32
    private let thread: Thread

    /// - Throws: if the router cannot be reached.
    init(port: Int, count: Int, models: [String]) throws {
        let sockets = try (0..<count).map { _ in try Self.connect(to: port) }
        let calls = models.map { model in
            RawClient.request("POST", "/api/chat", body: #"{"model":"\#(model)","messages":[{"role":"user","content":"hello"}]}"#)
        }
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        wakeup = ends[1]
        let end = ends[0]
        thread = Thread { Self.run(sockets, calls, end: end) }
        thread.start()
    }

    func stop() {
        write(wakeup, "x", 1)
        while !thread.isFinished { usleep(1000) }
        close(wakeup)
    }

    private static func run(_ sockets: [Int32], _ calls: [[UInt8]], end: Int32) {
        for (index, socket) in sockets.enumerated() {
            let call = calls[index % calls.count]
            send(socket, call, call.count, Int32(MSG_NOSIGNAL))
        }
        var polled = (sockets + [end]).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            poll(&polled, nfds_t(polled.count), -1)
            if polled[sockets.count].revents != 0 { break }
            for index in sockets.indices where polled[index].revents != 0 {
                let count = recv(sockets[index], &buffer, buffer.count, Int32(MSG_DONTWAIT))
                // The last chunk of an answer: nothing else in these answers ends so.
                guard count >= 5, buffer[..<count].suffix(5).elementsEqual("0\r\n\r\n".utf8) else { continue }
                let call = calls[index % calls.count]
                send(sockets[index], call, call.count, Int32(MSG_NOSIGNAL))
            }
            // Tokens are read some at a time, so that reading them is not most of the load.
            usleep(5000)
        }
        for socket in sockets + [end] { close(socket) }
    }

    private static func connect(to port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard result == 0 else { throw TestFailure("cannot connect to port \(port)") }
        return descriptor
    }
}
