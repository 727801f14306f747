// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Console
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol
import Synchronization

/// Shows an `ActionProgress` on standard error while the call to the daemon blocks: a thread of its own keeps the seconds running.
final class ProgressLine: Sendable {
    private struct State: Sendable {
        var progress: ActionProgress
        var shown = ""
        var isOver = false
    }

    private let state: Mutex<State>
    private let isTerminal: Bool
    private let isSilent: Bool
    private let width: Int
    private let ascii: Bool

    init(title: String, output: Output, isSilent: Bool) {
        isTerminal = isatty(STDERR_FILENO) == 1
        self.isSilent = isSilent
        // One column less: some terminals wrap when the last one is written.
        width = (output.width ?? 80) - 1
        ascii = output.style.ascii
        state = Mutex(State(progress: ActionProgress(title: title, nowMs: Clock.nowMs())))
    }

    /// Begins to tick.
    func start() {
        guard !isSilent else { return }
        let argument = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                // Signals are the main thread's.
                var all = sigset_t()
                sigfillset(&all)
                pthread_sigmask(SIG_BLOCK, &all, nil)
                #if os(Linux)
                    guard let argument else { return nil }
                #endif
                let line = Unmanaged<ProgressLine>.fromOpaque(argument).takeRetainedValue()
                while line.tick() { usleep(200_000) }
                return nil
            }, argument.toOpaque())
        if result == 0 { pthread_detach(thread) } else { argument.release() }
    }

    func note(_ progress: ModelProgress) {
        state.withLock { $0.progress.note(progress, nowMs: Clock.nowMs()) }
        _ = tick()
    }

    /// Takes the line away. Nothing is written afterwards.
    func end() {
        state.withLock { state in
            if !state.isOver, !state.shown.isEmpty { StandardError.write(Array("\r\u{1B}[K".utf8)) }
            state.isOver = true
        }
    }

    private func tick() -> Bool {
        guard !isSilent else { return false }
        return state.withLock { state in
            guard !state.isOver else { return false }
            let now = Clock.nowMs()
            if isTerminal {
                let text = state.progress.line(nowMs: now, width: width, ascii: ascii)
                if text != state.shown { StandardError.write(Array("\r\u{1B}[K\(text)".utf8)) }
                state.shown = text
            } else {
                state.progress.newLines(nowMs: now).forEach { StandardError.write(line: $0) }
            }
            return true
        }
    }
}
