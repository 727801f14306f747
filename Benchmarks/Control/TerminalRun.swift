// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import TestSupport

#if canImport(Glibc)
    import Glibc
#endif

/// A program on a pseudo-terminal that somebody reads, as a terminal emulator does.
final class TerminalRun {
    let pid: pid_t
    private let terminal: Int32

    // Linux's TIOCSPTLCK, TIOCGPTN and POSIX_SPAWN_SETSID, which Swift does not see.
    private static let unlock: UInt = 0x4004_5431
    private static let numberOf: UInt = 0x8004_5430
    private static let newSession: Int16 = 0x80

    /// - Throws: if there is no terminal or the program does not start.
    init(_ command: [String], columns: UInt16, rows: UInt16) throws {
        terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var number: Int32 = -1
        var isLocked: Int32 = 0
        guard terminal >= 0, ioctl(terminal, Self.unlock, &isLocked) == 0, ioctl(terminal, Self.numberOf, &number) == 0 else {
            throw TestFailure("cannot make a terminal: \(String(cString: strerror(errno)))")
        }
        let name = "/dev/pts/\(number)"
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(terminal, UInt(TIOCSWINSZ), &size)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The first open in a session of its own makes it the controlling terminal.
        posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Self.newSession)
        let variables = ProcessInfo.processInfo.environment.merging(["TERM": "xterm-256color", "LC_ALL": "C.UTF-8"]) { $1 }
        var argv: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var made: pid_t = 0
        let result = posix_spawn(&made, command[0], &actions, &attributes, &argv, &envp)
        guard result == 0 else { throw TestFailure("cannot start \(command[0]): \(String(cString: strerror(result)))") }
        pid = made
    }

    /// Reads what the program draws while the time passes, and tells how many bytes it was.
    func read(seconds: Double) -> Int {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let deadline = Deadline(seconds)
        var sent = 0
        while !deadline.hasPassed {
            var source = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
            guard poll(&source, 1, Int32(deadline.milliseconds)) > 0 else { continue }
            let count = Glibc.read(terminal, &buffer, buffer.count)
            // The program has left, and its terminal with it.
            guard count > 0 else { break }
            sent += count
        }
        return sent
    }

    /// Types the key that leaves. Throws if the program does not end in order.
    func leave(with key: String) throws {
        write(terminal, key, key.utf8.count)
        _ = read(seconds: 2)
        close(terminal)
        var status: Int32 = 0
        let deadline = Deadline(5)
        var isOver = false
        while !isOver, !deadline.hasPassed {
            isOver = waitpid(pid, &status, WNOHANG) == pid
            usleep(10_000)
        }
        if !isOver {
            kill(pid, SIGKILL)
            waitpid(pid, &status, 0)
        }
        guard isOver, status == 0 else { throw TestFailure("the console did not end in order (\(status))") }
    }
}
