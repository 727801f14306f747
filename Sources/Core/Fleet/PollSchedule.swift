// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// When to poll one endpoint, and for what. Pure: time and chance are handed in.
///
/// While all is well: each part at its interval. After a failure: everything again after 1 s, 2 s, 4 s, ... up to `maxBackoff`, up to
/// a tenth less, so that endpoints that fell together are not all tried together. After a first timeout: everything again at once,
/// because only a second one tells. While the server loads: every second.
struct PollSchedule: Sendable {
    /// The least time between the starts of two rounds, however often one is asked for.
    static let spacing: TimeAmount = .milliseconds(250)
    static let firstBackoff: TimeAmount = .seconds(1)
    static let whileLoading: TimeAmount = .seconds(1)

    var polling: Config.Polling
    /// Counted from the start of the round that asked; a part without an entry is due at once.
    private var due: [PollPart: NIODeadline] = [:]
    /// What failed when it was last asked for. It is in every round, so that a round that succeeds means that all is well.
    private var failing: Set<PollPart> = []
    private var lastRound: NIODeadline?
    private var failuresInARow = 0
    /// Set after a round that did not succeed: the earliest time for the next one, which asks for everything.
    private var retryAt: NIODeadline?
    /// A kick that came while a round was under way: its answers may be from before.
    private var isKickedInRound = false

    init(polling: Config.Polling) {
        self.polling = polling
    }

    /// When the next round is due, and for which parts. Everything is due at once in the beginning.
    func next(of kind: EndpointKind, now: NIODeadline) -> (at: NIODeadline, parts: Set<PollPart>) {
        let all = PollPart.all(of: kind)
        let earliest = lastRound.map { $0 + Self.spacing } ?? now
        if let retryAt { return (max(earliest, retryAt), Set(all)) }
        let start = max(earliest, all.map { due[$0] ?? now }.min() ?? now)
        // What is due a moment later comes along: one round instead of two.
        let parts = all.filter { failing.contains($0) || due[$0] ?? now <= max(start, now) + Self.spacing }
        return (start, Set(parts))
    }

    /// Something happened that makes a look worth while before its time.
    ///
    /// - Parameter everything: the list of models, too, not only what is loaded.
    mutating func kick(everything: Bool, now: NIODeadline) {
        if retryAt != nil { retryAt = now }
        isKickedInRound = true
        if everything { due = [:] } else { due = due.filter { !$0.key.isFrequent } }
    }

    mutating func began(_ parts: Set<PollPart>, at now: NIODeadline) {
        lastRound = now
        retryAt = nil
        isKickedInRound = false
        for part in parts { due[part] = now + (part.isFrequent ? polling.loadedInterval : polling.modelsInterval) }
    }

    /// - Parameters:
    ///   - asked: all that the round asked for in the end, what was not due included.
    ///   - failed: what of it failed.
    ///   - chance: 0 ..< 1.
    mutating func ended(
        asked: Set<PollPart>, failed: Set<PollPart>, _ outcome: EndpointState.PollOutcome, at now: NIODeadline, chance: Double
    ) {
        failing.subtract(asked)
        failing.formUnion(failed)
        switch outcome {
        case .succeeded, .partlyFailed:
            failuresInARow = 0
            return
        case .loading:
            failuresInARow = 0
            retryAt = now + Self.whileLoading
        case .failed(let error):
            failuresInARow += 1
            let isFirstTimeout = error.isTimeout && failuresInARow == 1
            retryAt = isFirstTimeout ? now : now + Self.backoff(failuresInARow, max: polling.maxBackoff, chance: chance)
        }
        if isKickedInRound { retryAt = now }
    }

    /// `firstBackoff` doubled for each failure but the first, at most `max`, less up to a tenth by chance.
    static func backoff(_ failures: Int, max: TimeAmount, chance: Double) -> TimeAmount {
        let doublings = min(Swift.max(0, failures - 1), 20)
        let full = min(firstBackoff.nanoseconds << doublings, max.nanoseconds)
        return .nanoseconds(full - Int64(Double(full) * 0.1 * chance))
    }
}
