// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Standard output: every answer of every command goes through here, and a command whose answer does not arrive fails.
///
/// A reader that has seen enough is no failure: `routerctl watch | head -1` ends quietly, as it would for any other program.
enum StandardOutput {
    /// How long a wait for something else may go on before somebody looks whether there still is a reader, milliseconds.
    static let lookMs = 250

    /// Makes sure that the three standard descriptors are taken. Where one was closed by whoever started us, the socket to the daemon would
    /// get its number, and the answer would go there.
    static func reserve() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is this one. It is opened the wrong way, so that using it fails.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// One line each.
    ///
    /// - Throws: `ExitStatusOnly` where the reader has closed the pipe, `Failure` where it cannot be written.
    static func write(lines: some Sequence<String>) throws {
        var bytes: [UInt8] = []
        for line in lines {
            bytes += line.utf8
            bytes.append(UInt8(ascii: "\n"))
        }
        try write(bytes)
    }

    /// - Throws: as `write(lines:)`.
    static func write(line: String) throws { try write(lines: CollectionOfOne(line)) }

    private static func write(_ bytes: [UInt8]) throws {
        switch Descriptor.write(bytes, to: STDOUT_FILENO) {
        case 0: return
        case EPIPE: throw ExitStatusOnly(status: .done)
        case let code:
            throw Failure(status: .failed, code: "output", message: "standard output cannot be written: \(String(cString: strerror(code)))")
        }
    }

    /// Waits, but not longer than there is a reader: what has nothing to write for an hour must not outlive it by an hour.
    ///
    /// - Throws: `ExitStatusOnly` once the reader has closed the pipe.
    static func wait(milliseconds: Int) throws {
        var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        let end = Clock.nowMs() + milliseconds
        while true {
            let left = end - Clock.nowMs()
            // Without events to wait for it reports what cannot be asked for: a closed pipe, a terminal that hung up.
            let ready = poll(&output, 1, Int32(clamping: max(0, left)))
            if ready > 0, output.revents & Int16(POLLERR | POLLHUP) != 0 { throw ExitStatusOnly(status: .done) }
            if left <= 0 { return }
            // No descriptor to look at: the time passes all the same.
            if ready > 0 { usleep(UInt32(clamping: left * 1000)) }
        }
    }
}

/// Standard error, for people. There is nobody to tell if it cannot be written.
enum StandardError {
    static func write(line: String) { write(Array(line.utf8) + [UInt8(ascii: "\n")]) }

    static func write(_ bytes: [UInt8]) { _ = Descriptor.write(bytes, to: STDERR_FILENO) }
}

private enum Descriptor {
    /// - Returns: 0, or `errno` of the write that failed.
    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { buffer in
                #if canImport(Glibc)
                    Glibc.write(descriptor, buffer.baseAddress, buffer.count)
                #else
                    Darwin.write(descriptor, buffer.baseAddress, buffer.count)
                #endif
            }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                // A pipe that somebody else has made non-blocking.
                var wish = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&wish, 1, -1)
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }
}
