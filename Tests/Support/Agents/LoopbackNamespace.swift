// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers

/// A network of its own that has the loopback only: what runs in it reaches nothing else, whatever it tries.
public enum LoopbackNamespace {
    /// Linux's CLONE_NEWNET.
    private static let newNetwork: CInt = 0x4000_0000

    private static let unshare: (@convention(c) (CInt) -> CInt)? = {
        guard let symbol = dlsym(nil, "unshare") else { return nil }
        return unsafeBitCast(symbol, to: (@convention(c) (CInt) -> CInt).self)
    }()

    /// Whether this system lets us.
    public static let isAvailable: Bool = (try? run { true }) ?? false

    /// Runs a body on a thread in a network of its own. Threads and processes that it starts are in there with it, and so are the sockets that
    /// it opens; Unix sockets of the file system are not concerned.
    public static func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws -> Result {
        let outcome = NIOLockedValueBox<Swift.Result<Result, any Error>?>(nil)
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            let result = Swift.Result {
                try enter()
                return try body()
            }
            outcome.withLockedValue { $0 = result }
            done.signal()
        }
        thread.stackSize = 8 << 20
        thread.start()
        done.wait()
        guard let result = outcome.withLockedValue({ $0 }) else { throw TestFailure("the thread in its network left no result") }
        return try result.get()
    }

    private static func enter() throws {
        guard let unshare, unshare(newNetwork) == 0 else { throw TestFailure("no network of our own: \(String(cString: strerror(errno)))") }
        // The loopback is down at first. An ifreq is the interface's name and, behind its 16 bytes, the flags.
        let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard socket >= 0 else { throw TestFailure("socket: \(String(cString: strerror(errno)))") }
        defer { close(socket) }
        var request = [UInt8](repeating: 0, count: 40)
        request.replaceSubrange(0..<2, with: "lo".utf8)
        let isUp = request.withUnsafeMutableBytes { bytes -> Bool in
            guard let base = bytes.baseAddress, ioctl(socket, 0x8913, base) == 0 else { return false }
            // IFF_UP and IFF_RUNNING.
            bytes.storeBytes(of: bytes.loadUnaligned(fromByteOffset: 16, as: Int16.self) | 0x41, toByteOffset: 16, as: Int16.self)
            return ioctl(socket, 0x8914, base) == 0
        }
        guard isUp else { throw TestFailure("the loopback does not come up: \(String(cString: strerror(errno)))") }
    }
}
