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

    /// How the console is started.
    public struct Options: Sendable {
        /// The daemon's control socket.
        public var path: String
        public var environment: [String: String]
        public var intervalMs = 500
        public var isReadOnly = false
        public var view = View.endpoints

        public init(path: String, environment: [String: String]) {
            self.path = path
            self.environment = environment
        }
    }

    /// Runs until the operator leaves. A signal that ends the program does so after the terminal is restored.
    ///
    /// - Parameter describe: turns a failed call into words.
    public static func run(_ options: Options, describe: @escaping @Sendable (ControlError) -> String) throws(Failure) {
        let (signals, signalsEnd) = Mailbox.makePipe()
        let mailbox = Mailbox()
        guard signals >= 0, mailbox.descriptor >= 0 else { throw Failure(message: "cannot make a pipe") }
        var saved = termios()
        tcgetattr(STDIN_FILENO, &saved)
        let environment = options.environment
        let terminal: CursesTerminal
        do {
            terminal = try CursesTerminal(noColour: environment["NO_COLOR"].map { !$0.isEmpty } ?? false, environment: environment)
        } catch {
            throw Failure(message: error.message)
        }
        TerminalRescue.install(restore: terminal.restoreSequence, modes: saved, pipe: signalsEnd)
        var model = Model(size: terminal.size, intervalMs: options.intervalMs, isReadOnly: options.isReadOnly)
        model.go(to: options.view)
        let feed = Feed(path: options.path, mailbox: mailbox, wanted: model.wanted, describe: describe)
        feed.start()
        let signal = loop(&model, terminal, feed, signals: signals)
        terminal.close()
        tcsetattr(STDIN_FILENO, TCSADRAIN, &saved)
        TerminalRescue.uninstall()
        // So that who sent it sees what it did.
        if let signal, signal != SIGINT { raise(signal) }
    }

    /// The signal that ended the loop; nil if a key did.
    private static func loop(_ model: inout Model, _ terminal: CursesTerminal, _ feed: Feed, signals: Int32) -> Int32? {
        var isOver = false
        var isSuspended = false
        func handle(_ event: Event) {
            for effect in update(&model, event) {
                switch effect {
                case .quit: isOver = true
                case .suspend: isSuspended = true
                case .repaint: terminal.repaint()
                case .refresh: feed.refresh()
                case .prepare(let commands): feed.prepare(commands)
                case .run(let job, let commands): feed.run(job: job, commands)
                }
            }
        }
        while true {
            terminal.show(draw(model, theme: terminal.theme))
            var sources = [STDIN_FILENO, feed.mailbox.descriptor, signals].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            // A second, for the age of a stale picture and for messages that go by themselves.
            _ = poll(&sources, nfds_t(sources.count), 1000)
            let wanted = model.wanted
            handle(.tick(nowMs: nowMs(), wallS: time(nil)))
            var ending: Int32?
            Mailbox.drain(signals) { byte in
                switch Int32(byte) {
                case SIGWINCH, SIGCONT:
                    terminal.resize(to: terminal.size)
                    handle(.resize(terminal.size))
                case SIGTSTP: isSuspended = true
                case let number: ending = number
                }
            }
            if let ending { return ending }
            for event in feed.mailbox.take() { handle(event) }
            while !isOver, !isSuspended, let event = terminal.nextEvent() { handle(event) }
            if isOver { return nil }
            if model.wanted != wanted { feed.want(model.wanted) }
            if isSuspended {
                isSuspended = false
                terminal.suspend()
                handle(.resize(terminal.size))
            }
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
