// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Synchronization

/// Events from other threads for the loop, which sleeps on `descriptor` until there are some.
final class Mailbox: Sendable {
    /// Readable while events wait.
    let descriptor: Int32
    private let writeEnd: Int32
    private let events = Mutex<[Event]>([])

    init() {
        (descriptor, writeEnd) = Self.makePipe()
    }

    func post(_ event: Event) {
        events.withLock { waiting in
            // A picture that nobody has seen yet is replaced by the newer one.
            if case .snapshot = event, case .snapshot? = waiting.last { waiting.removeLast() }
            waiting.append(event)
        }
        var byte: UInt8 = 0
        _ = write(writeEnd, &byte, 1)
    }

    func take() -> [Event] {
        Self.drain(descriptor) { _ in }
        return events.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }

    /// A pipe of which neither end blocks: reading and writing end.
    static func makePipe() -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return (-1, -1) }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        return (ends[0], ends[1])
    }

    static func drain(_ descriptor: Int32, _ body: (UInt8) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return }
            buffer[..<count].forEach(body)
        }
    }
}

/// A thread for calls that block.
enum Background {
    static func run(_ body: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(Box(body: body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                // Signals are the main thread's: one here would not wake its poll.
                var all = sigset_t()
                sigemptyset(&all)
                for signal in TerminalRescue.orderly { sigaddset(&all, signal) }
                pthread_sigmask(SIG_BLOCK, &all, nil)
                if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, box.toOpaque())
        if result == 0 { pthread_detach(thread) } else { box.release() }
    }

    private final class Box: Sendable {
        let body: @Sendable () -> Void

        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
