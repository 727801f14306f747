// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol
import Synchronization

/// The console's way to the daemon: a subscription that comes back by itself, what else the view needs, and commands, each on a
/// thread of its own.
final class Feed: Sendable {
    /// A daemon silent for so long is taken for gone, milliseconds, beside the interval.
    static let silenceMs = 5000
    /// Between two attempts to connect, milliseconds.
    static let retryMs = 500
    /// Between two looks at the last minutes and at token counts, milliseconds.
    static let historyMs = 4000

    private struct State {
        var wanted: Wanted
        /// Rises with each subscription: one that is not the newest ends without a word.
        var generation = 0
    }

    let path: String
    let mailbox: Mailbox
    /// Turns a failed call into words.
    private let describe: @Sendable (ControlError) -> String
    private let state: Mutex<State>
    /// Wakes the thread that brings history and tokens.
    private let wake: (reading: Int32, writing: Int32)

    init(path: String, mailbox: Mailbox, wanted: Wanted, describe: @escaping @Sendable (ControlError) -> String) {
        self.path = path
        self.mailbox = mailbox
        self.describe = describe
        state = Mutex(State(wanted: wanted))
        let (reading, writing) = Mailbox.makePipe()
        wake = (reading, writing)
    }

    /// Starts to bring what is wanted; it ends with the program.
    func start() {
        subscribe()
        Background.run { [self] in bringMore() }
    }

    /// From here on something else is wanted, and at once.
    func want(_ wanted: Wanted) {
        let isOther = state.withLock { state in
            defer { state.wanted = wanted }
            return state.wanted.topics != wanted.topics || state.wanted.intervalMs != wanted.intervalMs
        }
        if isOther { subscribe() }
        wakeUp()
    }

    /// A new picture now.
    func refresh() {
        subscribe()
        wakeUp()
    }

    private func wakeUp() {
        var byte: UInt8 = 0
        _ = write(wake.writing, &byte, 1)
    }

    /// A subscription on a connection of its own. The one before ends with its next picture.
    private func subscribe() {
        let generation = state.withLock { state in
            state.generation += 1
            return state.generation
        }
        Background.run { [self] in
            while true {
                do throws(ControlError) {
                    try follow(generation)
                    return
                } catch {
                    guard isCurrent(generation) else { return }
                    mailbox.post(.lost(describe(error)))
                }
                usleep(UInt32(Self.retryMs * 1000))
                guard isCurrent(generation) else { return }
            }
        }
    }

    private func isCurrent(_ generation: Int) -> Bool { state.withLock { $0.generation == generation } }

    /// Returns when another subscription has taken over.
    private func follow(_ generation: Int) throws(ControlError) {
        let wanted = state.withLock { $0.wanted }
        let client = try ControlClient(path: path, timeoutMs: Self.silenceMs)
        let topics = SnapshotTopic.allCases.filter(wanted.topics.contains)
        _ = try client.subscribe(intervalMs: wanted.intervalMs, topics: topics)
        while isCurrent(generation) {
            let snapshot = try client.nextSnapshot(timeoutMs: Self.silenceMs + wanted.intervalMs)
            guard isCurrent(generation) else { return }
            mailbox.post(.snapshot(snapshot, topics: wanted.topics))
        }
    }

    /// History and token counts, every few seconds and when something else is wanted. A failure is silent: the subscription tells of it.
    private func bringMore() {
        var client: ControlClient?
        while true {
            let wanted = state.withLock { $0.wanted }
            do throws(ControlError) {
                let current: ControlClient
                if let client { current = client } else { current = try ControlClient(path: path, timeoutMs: Self.silenceMs) }
                client = current
                mailbox.post(.history(try current.history(endpoints: wanted.history.endpoints)))
                if let seconds = wanted.tokensS { mailbox.post(.tokens(try current.tokens(TokensParams(sinceS: seconds)))) }
            } catch {
                // An answer that says no leaves the connection as it was.
                if case .remote = error {} else { client = nil }
            }
            var source = pollfd(fd: wake.reading, events: Int16(POLLIN), revents: 0)
            _ = poll(&source, 1, Int32(Self.historyMs))
            Mailbox.drain(wake.reading) { _ in }
        }
    }

    /// Has the daemon do the commands, one after the other; the answers come as one event.
    func run(job: Int, _ commands: [Command]) {
        Background.run { [self] in
            let caller = Caller(path: path, describe: describe)
            let answers = commands.map { command in
                CommandAnswer(command, caller.call(command) { [self] in mailbox.post(.progress(job: job, $0)) })
            }
            mailbox.post(.answered(job: job, answers))
        }
    }

    /// Asks what would come of the commands.
    func prepare(_ commands: [Command]) {
        Background.run { [self] in
            mailbox.post(.prepared(commands, Caller(path: path, describe: describe).prepare(commands)))
        }
    }
}
