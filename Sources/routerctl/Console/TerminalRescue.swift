// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Gives the terminal back whatever ends the program, and turns orderly signals into bytes on a pipe.
///
/// A signal handler may touch next to nothing: what it needs is prepared here beforehand, in memory that never moves.
enum TerminalRescue {
    /// Signals that a crash raises, and SIGQUIT: the terminal is restored, then the signal does its work.
    static let crashes = [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT, SIGQUIT]
    /// Signals that the loop hears of through the pipe.
    static let orderly = [SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT]

    // Written before the handlers are installed and never changed while they are, so that
    // a handler on any thread reads settled values.
    nonisolated(unsafe) private static var sequence: UnsafeMutablePointer<UInt8>?
    nonisolated(unsafe) private static var sequenceLength = 0
    nonisolated(unsafe) private static var savedModes = termios()
    nonisolated(unsafe) private static var pipeEnd: Int32 = -1

    /// - Parameters:
    ///   - restore: what has to be written to the terminal to leave the full screen.
    ///   - modes: the terminal's modes before the full screen.
    ///   - pipe: the writing end of a non-blocking pipe, gets the number of each orderly signal as one byte.
    static func install(restore: [UInt8], modes: termios, pipe: Int32) {
        savedModes = modes
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, restore.count))
        memory.initialize(from: restore, count: restore.count)
        sequence = memory
        sequenceLength = restore.count
        pipeEnd = pipe
        for signal in crashes {
            handle(signal) { number in
                TerminalRescue.restore()
                Glibc.signal(number, SIG_DFL)
                raise(number)
            }
        }
        for signal in orderly {
            handle(signal, orderlyHandler)
        }
    }

    /// Back to the handling that a program starts with. The memory stays: a handler may just be running.
    static func uninstall() {
        for signal in crashes + orderly { Glibc.signal(signal, SIG_DFL) }
    }

    /// Stops the program by SIGTSTP's own doing, so that the shell sees what it expects; returns when it goes on.
    static func stop() {
        Glibc.signal(SIGTSTP, SIG_DFL)
        raise(SIGTSTP)
        handle(SIGTSTP, orderlyHandler)
    }

    /// Only calls that a signal handler may make.
    private static func restore() {
        // From the background, setting the modes would stop the program instead.
        Glibc.signal(SIGTTOU, SIG_IGN)
        _ = write(STDOUT_FILENO, sequence, sequenceLength)
        tcsetattr(STDIN_FILENO, TCSANOW, &savedModes)
    }

    private static let orderlyHandler: @convention(c) (Int32) -> Void = { number in
        let before = errno
        var byte = UInt8(truncatingIfNeeded: number)
        _ = write(TerminalRescue.pipeEnd, &byte, 1)
        errno = before
    }

    private static func handle(_ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handler
        sigaction(number, &action, nil)
    }
}
