// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Turns signals into bytes on a pipe, from before there is anybody to read them: none is lost, however early it comes.
///
/// A second SIGTERM or SIGINT ends the process from within the handler, so that it works whatever hangs. One that comes within `patience` of
/// the first is the same wish said twice: `timeout` of the coreutils and some supervisors signal the process and then its group.
enum SignalPipe {
    /// Nanoseconds.
    private static let patience: UInt64 = 1_000_000_000
    private static let signals = [SIGHUP, SIGTERM, SIGINT]

    // A handler may touch next to nothing. Both are settled before the handlers are installed.
    nonisolated(unsafe) private static var ends: (read: Int32, write: Int32) = (-1, -1)
    /// Kept alive for as long as the process is.
    nonisolated(unsafe) private static var reader: (any DispatchSourceRead)?
    /// When the first wish to stop came; 0 before it.
    private static let firstStop = Atomic<UInt64>(0)

    /// - Returns: whether the system gave a pipe.
    static func install() -> Bool {
        var descriptors: [Int32] = [-1, -1]
        guard pipe(&descriptors) == 0 else { return false }
        for descriptor in descriptors {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            // Neither may the handler wait, nor the reader.
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
        ends = (descriptors[0], descriptors[1])
        firstStop.store(0, ordering: .sequentiallyConsistent)
        for number in signals {
            var action = sigaction()
            #if canImport(Glibc)
                action.__sigaction_handler.sa_handler = handler
            #else
                action.__sigaction_u.__sa_handler = handler
            #endif
            action.sa_flags = SA_RESTART
            sigaction(number, &action, nil)
        }
        return true
    }

    private static let handler: @convention(c) (Int32) -> Void = { number in
        let saved = errno
        if number != SIGHUP {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            let now = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
            let (isFirst, first) = SignalPipe.firstStop.compareExchange(expected: 0, desired: now, ordering: .sequentiallyConsistent)
            if !isFirst, now >= first + SignalPipe.patience { _exit(1) }
        }
        var byte = UInt8(truncatingIfNeeded: number)
        _ = write(SignalPipe.ends.write, &byte, 1)
        errno = saved
    }

    /// The numbers of all signals since `install`, those among them that nobody has waited for. To be called once.
    static func numbers() -> AsyncStream<Int32> {
        let (stream, feed) = AsyncStream.makeStream(of: Int32.self)
        let descriptor = ends.read
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
        source.setEventHandler {
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = read(descriptor, &bytes, bytes.count)
            for byte in bytes.prefix(max(0, count)) { feed.yield(Int32(byte)) }
        }
        source.activate()
        reader = source
        return stream
    }
}
