// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOConcurrencyHelpers

/// How the access log is doing, across reloads. An operator is told once when lines are lost, and once when they are written again.
final class AccessLogHealth: Sendable {
    struct Figures: Sendable, Equatable {
        /// Empty while all is well.
        var fault = ""
        /// Since the start.
        var lostLines = 0
    }

    private struct State {
        var figures = Figures()
        /// Lost lines when the fault began.
        var lostBefore = 0
    }

    private let state = NIOLockedValueBox(State())
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    var figures: Figures { state.withLockedValue { $0.figures } }

    func lost(_ lines: Int, of path: String, _ reason: String) {
        let isNew = state.withLockedValue { state in
            let isNew = state.figures.fault.isEmpty
            if isNew { state.lostBefore = state.figures.lostLines }
            state.figures.fault = reason
            state.figures.lostLines += lines
            return isNew
        }
        if isNew { logger.error("the access log cannot be written; its lines are lost", metadata: ["path": "\(path)", "reason": "\(reason)"]) }
    }

    func wrote(to path: String) {
        let lost = state.withLockedValue { state -> Int? in
            guard !state.figures.fault.isEmpty else { return nil }
            state.figures.fault = ""
            return state.figures.lostLines - state.lostBefore
        }
        if let lost { logger.notice("the access log is written again", metadata: ["path": "\(path)", "lost_lines": "\(lost)"]) }
    }

    /// The log is elsewhere now, or off: what was wrong with the old place is nobody's concern.
    func moved() {
        state.withLockedValue { $0.figures.fault = "" }
    }
}
