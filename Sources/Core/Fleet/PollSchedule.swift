// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Why somebody wants a look before its time.
enum PollHint: Sendable, Hashable {
    /// What is in memory there has changed.
    case loaded
    /// The list of models, too, may have changed, or the server itself.
    case everything
    /// It denied a model that its list had.
    case missing
    /// A request was refused because no endpoint is known to have its model: one may have got it meanwhile.
    case refused
}

/// When to poll one endpoint, and for what. Pure: time and chance are handed in.
///
/// While all is well: each part at its interval. After a failure: everything again after 1 s, 2 s, 4 s, ... up to `maxBackoff`, up to
/// a tenth less, so that endpoints that fell together are not all tried together. After a timeout: everything again at once, until it is
/// down. While the server loads: every second.
///
/// Three things hold polls back. Two rounds are `spacing` apart at least, those of a service that others run by `poll_interval`; a part
/// whose answer carried `Retry-After` is left alone until then; and refused requests bring no more than one round for each
/// `poll_interval`, however many there are.
struct PollSchedule: Sendable {
    /// The least time between the starts of two rounds, however often one is asked for.
    static let spacing: TimeAmount = .milliseconds(250)
    static let firstBackoff: TimeAmount = .seconds(1)
    static let whileLoading: TimeAmount = .seconds(1)

    var polling: Config.Polling
    /// Counted from the start of the round that asked; a part without an entry is due at once.
    private var due: [PollPart: NIODeadline] = [:]
    /// What failed when it was last asked for. It is in every round, so that a round that succeeds means that all is well.
    private var failing: [PollPart: ProbeError] = [:]
    /// What must not be asked for before then.
    private var heldUntil: [PollPart: NIODeadline] = [:]
    private var lastRound: NIODeadline?
    private var failuresInARow = 0
    /// Set after a round that did not succeed: the earliest time for the next one, which asks for everything.
    private var retryAt: NIODeadline?
    /// A kick that came while a round was under way: its answers may be from before.
    private var isKickedInRound = false
    /// When the last round that refused requests asked for was allowed.
    private var refusalsAt: NIODeadline?
    /// Wanted at once, whatever the spacing.
    private var urgent: Set<PollPart> = []

    init(polling: Config.Polling) {
        self.polling = polling
    }

    /// When the next round is due, and for which parts. Everything is due at once in the beginning.
    func next(of kind: EndpointKind, now: NIODeadline) -> (at: NIODeadline, parts: Set<PollPart>) {
        let all = PollPart.all(of: kind)
        let wanted = all.filter { urgent.contains($0) && !isHeld($0, now) }
        if !wanted.isEmpty { return (now, Set(wanted)) }
        let earliest = lastRound.map { $0 + spacing(of: kind) } ?? now
        /// When a part may be asked for and should be.
        func time(_ part: PollPart) -> NIODeadline { max(retryAt ?? due[part] ?? now, heldUntil[part] ?? .distantPast) }
        let start = max(earliest, all.map(time).min() ?? now)
        // What is due a moment later comes along: one round instead of two.
        let parts = all.filter { part in
            !isHeld(part, max(start, now)) && (failing[part] != nil || time(part) <= max(start, now) + Self.spacing)
        }
        return (start, Set(parts))
    }

    private func spacing(of kind: EndpointKind) -> TimeAmount { kind.isPolledAtWill ? Self.spacing : max(Self.spacing, polling.loadedInterval) }

    private func isHeld(_ part: PollPart, _ time: NIODeadline) -> Bool { heldUntil[part].map { $0 > time } ?? false }

    /// What must not be asked for now, and why it failed.
    func held(now: NIODeadline) -> [PollPart: String] {
        failing.filter { isHeld($0.key, now) }.mapValues(\.description)
    }

    /// Something happened that makes a look worth while before its time.
    mutating func kick(_ hint: PollHint, now: NIODeadline) {
        var time = now
        if hint == .refused {
            if let last = refusalsAt {
                // One is on its way already.
                if last > now { return }
                time = max(now, last + polling.loadedInterval)
            }
            refusalsAt = time
        }
        if let retry = retryAt { retryAt = min(retry, time) }
        if time <= now { isKickedInRound = true }
        for part in due.keys where hint != .loaded || part.isFrequent { due[part] = min(due[part] ?? time, time) }
    }

    /// Whether any of these parts may be asked for now.
    func mayAsk(_ parts: Set<PollPart>, now: NIODeadline) -> Bool { parts.contains { !isHeld($0, now) } }

    /// Asks for these parts at once, so that whoever waits for the answers knows what is there now.
    mutating func demand(_ parts: Set<PollPart>) {
        urgent.formUnion(parts)
        isKickedInRound = true
    }

    /// Another key is another customer: what was refused to the last one says nothing.
    mutating func forgetHolds() { heldUntil = [:] }

    mutating func began(_ parts: Set<PollPart>, at now: NIODeadline) {
        lastRound = now
        retryAt = nil
        isKickedInRound = false
        urgent = []
        // This one answers them.
        refusalsAt = refusalsAt.map { min($0, now) }
        for part in parts { due[part] = now + (part.isFrequent ? polling.loadedInterval : polling.modelsInterval) }
    }

    /// - Parameters:
    ///   - asked: all that the round asked for in the end, what was not due included.
    ///   - failed: what of it failed, and why.
    ///   - chance: 0 ..< 1.
    mutating func ended(
        asked: Set<PollPart>, failed: [PollPart: ProbeError], _ outcome: EndpointState.PollOutcome, at now: NIODeadline, chance: Double
    ) {
        for part in asked {
            failing[part] = failed[part]
            heldUntil[part] = failed[part]?.retryAfter.map { now + $0 }
        }
        switch outcome {
        case .succeeded, .partlyFailed:
            failuresInARow = 0
            return
        case .loading:
            failuresInARow = 0
            retryAt = now + Self.whileLoading
        case .failed(let error):
            failuresInARow += 1
            let isToBeChecked = error.isTimeout && failuresInARow < polling.fall
            retryAt = isToBeChecked ? now : now + Self.backoff(failuresInARow, max: polling.maxBackoff, chance: chance)
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
