// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// A peer of the control socket that does with it what it likes: half lines, half closing, no reading.
final class ControlPeer {
    private let descriptor: Int32
    private var received: [UInt8] = []

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw TestFailure("cannot connect to \(path): \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// Sends as much as the socket takes at once.
    ///
    /// - Returns: how many bytes that was; fewer than given once the other side does not read or is gone.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Int {
        let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)) }
        return max(0, count)
    }

    /// Sends a line whole, as the other side takes it.
    func send(_ line: String) {
        var bytes = Array("\(line)\n".utf8)
        let deadline = Deadline.generous
        while !bytes.isEmpty, !deadline.hasPassed {
            bytes.removeFirst(send(bytes))
            if !bytes.isEmpty { usleep(1000) }
        }
    }

    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The next line as an object; nil when the daemon has closed.
    func next(within seconds: Double = 20) throws -> [String: Any]? {
        guard let line = try nextLine(within: seconds) else { return nil }
        guard let object = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any] else { throw TestFailure("a line that is no object") }
        return object
    }

    /// The next line without its end; nil when the daemon has closed.
    func nextLine(within seconds: Double = 20) throws -> [UInt8]? {
        let deadline = Deadline(seconds)
        while true {
            if let end = received.firstIndex(of: 0x0a) {
                defer { received.removeSubrange(...end) }
                return Array(received[..<end])
            }
            guard !deadline.hasPassed else { throw TestFailure("no line of the daemon in time") }
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, Int32(deadline.milliseconds)) > 0 else { continue }
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count <= 0 { return nil }
            received += buffer[..<count]
        }
    }

    /// The error code of a reply.
    static func code(_ reply: [String: Any]?) -> Int? { (reply?["error"] as? [String: Any])?["code"] as? Int }

    static func message(_ reply: [String: Any]?) -> String { (reply?["error"] as? [String: Any])?["message"] as? String ?? "" }
}

extension RunningDaemon {
    /// Descriptors that the daemon has open.
    func descriptorCount() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.pid)/fd").count }
}
