// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// The console's loop: an event, `update`, its effects, `draw`. It sleeps in `poll` between events.
public enum App {
    public struct Failure: Error {
        public let message: String
    }

    /// Runs until the operator leaves. A signal that ends the program does so after the terminal is restored.
    ///
    /// - Parameters:
    ///   - path: the daemon's control socket.
    ///   - describe: turns a failed call into words.
    public static func run(
        path: String, environment: [String: String], describe: @escaping @Sendable (ControlError) -> String
    ) throws(Failure) {
        let (signals, signalsEnd) = Mailbox.makePipe()
        let mailbox = Mailbox()
        guard signals >= 0, mailbox.descriptor >= 0 else { throw Failure(message: "cannot make a pipe") }
        var saved = termios()
        tcgetattr(STDIN_FILENO, &saved)
        let terminal: CursesTerminal
        do {
            terminal = try CursesTerminal(noColour: environment["NO_COLOR"].map { !$0.isEmpty } ?? false, environment: environment)
        } catch {
            throw Failure(message: error.message)
        }
        TerminalRescue.install(restore: terminal.restoreSequence, modes: saved, pipe: signalsEnd)
        let feed = Feed(path: path, mailbox: mailbox, describe: describe)
        feed.start()
        let signal = loop(terminal, feed, signals: signals)
        terminal.close()
        tcsetattr(STDIN_FILENO, TCSADRAIN, &saved)
        TerminalRescue.uninstall()
        // So that who sent it sees what it did.
        if let signal, signal != SIGINT { raise(signal) }
    }

    /// The signal that ended the loop; nil if a key did.
    private static func loop(_ terminal: CursesTerminal, _ feed: Feed, signals: Int32) -> Int32? {
        var model = Model(size: terminal.size)
        var isOver = false
        func handle(_ event: Event) {
            for effect in update(&model, event) {
                switch effect {
                case .quit: isOver = true
                case .ask(let change, let endpoint): feed.ask(change, endpoint: endpoint)
                case .repaint: terminal.repaint()
                }
            }
        }
        while true {
            terminal.show(draw(model, theme: terminal.theme))
            var sources = [STDIN_FILENO, feed.mailbox.descriptor, signals].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            // A second, for the age of a stale picture and for messages that go by themselves.
            _ = poll(&sources, nfds_t(sources.count), 1000)
            handle(.tick(nowMs: nowMs()))
            var ending: Int32?
            Mailbox.drain(signals) { byte in
                if Int32(byte) == SIGWINCH {
                    terminal.resize(to: terminal.size)
                    handle(.resize(terminal.size))
                } else {
                    ending = Int32(byte)
                }
            }
            if let ending { return ending }
            for event in feed.mailbox.take() { handle(event) }
            while !isOver, let key = terminal.nextKey() { handle(.key(key)) }
            if isOver { return nil }
            // The terminal itself is gone: without this the loop would spin on its end of file.
            if sources[0].revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0 { return SIGHUP }
        }
    }

    private static func nowMs() -> Int {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    }
}
