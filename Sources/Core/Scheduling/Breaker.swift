// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Whether an endpoint, or a model on it, is asked at all. Pure: the time is handed in.
///
/// ```text
///            three failures in a row, half of the last answers failed,
///            cannot be reached, busy, not there
///   closed ───────────────────────────────────────────────▶ set aside ◀─────────────┐
///     ▲                                                        │                    │ it fails, too: set aside
///     │                                                        │ its time comes, or │ for twice as long
///     │                                                        │ nobody else is left│
///     │          a request that was let in is answered         ▼                    │
///     └───────────────────────────────────────────────────── probing ───────────────┘
///                                                              │ it ends without a verdict (the client left, a 4xx)
///                                                              └──▶ set aside, and the next request may probe
/// ```
///
/// A request that was let in before the breaker opened says nothing about what came after: its answer is counted and changes no state.
/// So each opening has its number, and a request remembers under which it was let in.
struct Breaker: Sendable, Equatable {
    /// One failure is an accident and two may be one accident with two requests in it.
    static let failuresInARow = 3
    /// With this share of failures every second client would have to be served by another endpoint.
    static let failingShare = 0.5
    /// The fewest answers of which a share means anything.
    static let leastAnswers = 8
    /// Long enough for a server to take a breath, short enough not to be missed by its clients.
    static let firstBackOff = TimeAmount.seconds(1)
    /// A server that has come back gets work within a minute.
    static let longestBackOff = TimeAmount.minutes(1)
    /// Services with a daily quota may ask for a day. An operator who raises the quota shall not have to wait for so long.
    static let longestRetryAfter = TimeAmount.hours(1)
    /// An endpoint's own words may be any.
    private static let reasonLimit = 120

    enum Cause: String, Sendable {
        /// It fails.
        case broken
        /// It cannot be reached.
        case unreachable
        /// It takes nothing at the moment.
        case busy
        /// The model is gone, or the route is not spoken.
        case absent
    }

    enum State: Sendable, Equatable {
        case closed
        case setAside(Cause)
        /// So many requests are out to see how it is: one, unless nobody else was left to be asked.
        case probing(Cause, requests: Int)
    }

    /// What an event changed.
    enum Change: String, Sendable {
        case opened
        /// A probe has failed.
        case reopened
        case closed
    }

    private(set) var state = State.closed
    /// When the next probe may go; without meaning while it is closed.
    private(set) var due = NIODeadline.uptimeNanoseconds(0)
    /// Since when it is not closed.
    private(set) var since = NIODeadline.uptimeNanoseconds(0)
    /// For how long it was set aside the last time.
    private(set) var backOff = TimeAmount.zero
    /// The number of the last opening.
    private(set) var openings: UInt32 = 0
    /// Why it is not closed, for people; empty while it is.
    private(set) var reason = ""
    private(set) var answers = AnswerWindow()
    /// Whether an event has told that it is not closed, so that another tells when it is.
    var isTold = false
    private var closedAt = NIODeadline.uptimeNanoseconds(0)

    var isClosed: Bool { state == .closed }

    var cause: Cause? {
        switch state {
        case .closed: nil
        case .setAside(let cause), .probing(let cause, _): cause
        }
    }

    /// Whether a request may go there now.
    func admits(now: NIODeadline) -> Bool {
        switch state {
        case .closed: true
        case .setAside: due <= now
        case .probing: false
        }
    }

    /// A request goes there; `admits` is asked before, unless nobody else is left.
    /// - Returns: the number of the opening that it is let in under, for the event of its end.
    mutating func letIn() -> UInt32 {
        switch state {
        case .closed: break
        case .setAside(let cause): state = .probing(cause, requests: 1)
        case .probing(let cause, let requests): state = .probing(cause, requests: requests + 1)
        }
        return openings
    }

    // MARK: How requests end

    /// It was answered.
    mutating func answered(_ opening: UInt32, now: NIODeadline) -> Change? {
        answers.record(failed: false)
        guard !isClosed, opening == openings else { return nil }
        return close(now: now)
    }

    /// As `answered`, where it is known to be closed: what nearly every request comes to.
    mutating func answeredWhileClosed() { answers.record(failed: false) }

    /// It ended without a verdict: the client left, or was at fault.
    mutating func endedWithoutVerdict(_ opening: UInt32) {
        guard opening == openings, case .probing(let cause, let requests) = state else { return }
        state = requests > 1 ? .probing(cause, requests: requests - 1) : .setAside(cause)
    }

    /// The endpoint failed it.
    /// - Parameter trips: whether a run of failures may open it; a probe's failure always does.
    mutating func failed(_ opening: UInt32, _ reason: String, trips: Bool = true, now: NIODeadline) -> Change? {
        answers.record(failed: true)
        let isProbe = !isClosed && opening == openings
        guard isProbe || (isClosed && trips && isTooMuch) else { return nil }
        let figures = "\(answers.failures) of the last \(answers.count) answers failed"
        return open(.broken, for: nextBackOff(now), reason.isEmpty ? figures : "\(figures): \(reason)", now: now)
    }

    /// It could not even be sent.
    mutating func unreachable(_ opening: UInt32, _ reason: String, now: NIODeadline) -> Change? {
        answers.record(failed: true)
        guard isClosed || opening == openings else { return nil }
        return open(.unreachable, for: nextBackOff(now), reason.isEmpty ? "cannot be reached" : "cannot be reached: \(reason)", now: now)
    }

    /// The endpoint takes nothing at the moment.
    mutating func busy(_ opening: UInt32, retryAfter: TimeAmount?, now: NIODeadline) -> Change? {
        let isProbe = opening == openings
        if let retryAfter {
            let time = min(max(retryAfter, Self.firstBackOff), Self.longestRetryAfter)
            // One that is known to be broken keeps that, however polite it is to those who came before.
            guard isClosed || isProbe || (cause == .busy && now + time > due) else { return nil }
            return open(.busy, for: time, "busy: asked to be left alone for \(Self.text(time))", now: now)
        }
        // A burst of such answers to requests that were there together counts once.
        guard isClosed || isProbe else { return nil }
        let time = isClosed ? Self.firstBackOff : nextBackOff(now)
        return open(.busy, for: time, "busy: left alone for \(Self.text(time))", now: now)
    }

    /// The model is gone there, or the route is not spoken.
    mutating func absent(_ opening: UInt32, _ reason: String, now: NIODeadline) -> Change? {
        guard isClosed || opening == openings else { return nil }
        return open(.absent, for: nextBackOff(now), reason.isEmpty ? "not there" : "not there: \(reason)", now: now)
    }

    /// An answer has begun well. That is no proof of a whole one, but whoever begins is there, is not busy, and has the model.
    mutating func began(_ opening: UInt32, now: NIODeadline) -> Change? {
        guard let cause, cause != .broken, opening == openings else { return nil }
        return close(now: now)
    }

    // MARK: Other events

    /// Something has changed there: the next probe need not wait.
    mutating func retry(now: NIODeadline) {
        if !isClosed { due = min(due, now) }
    }

    /// A poll was answered that was not answered before.
    mutating func reachedAgain(now: NIODeadline) -> Change? {
        if cause == .unreachable { return reset() }
        retry(now: now)
        return nil
    }

    /// An operator says that all is well.
    mutating func reset() -> Change? {
        let wasClosed = isClosed
        // The number goes on: requests that are out belong to the time before.
        let (number, wasTold) = (openings &+ 1, isTold)
        self = Breaker()
        (openings, isTold) = (number, wasTold)
        return wasClosed ? nil : .closed
    }

    /// Whole seconds, rounded up: whoever comes then is not too early.
    static func text(_ time: TimeAmount) -> String { "\(Int(max(0, time.seconds).rounded(.up))) s" }

    private var isTooMuch: Bool {
        if answers.failuresInARow >= Self.failuresInARow { return true }
        return answers.count >= Self.leastAnswers && Double(answers.failures) >= Self.failingShare * Double(answers.count)
    }

    /// Twice as long as the last time, if that was not long ago: what fails again soon after it was let in has not recovered.
    private func nextBackOff(_ now: NIODeadline) -> TimeAmount {
        let isLongAgo = isClosed && closedAt + Self.longestBackOff <= now
        return isLongAgo ? Self.firstBackOff : min(max(backOff * 2, Self.firstBackOff), Self.longestBackOff)
    }

    private mutating func open(_ cause: Cause, for time: TimeAmount, _ reason: String, now: NIODeadline) -> Change {
        let change = isClosed ? Change.opened : .reopened
        if isClosed { since = now }
        state = .setAside(cause)
        due = now + time
        backOff = time
        openings &+= 1
        self.reason = String(reason.prefix(Self.reasonLimit))
        return change
    }

    private mutating func close(now: NIODeadline) -> Change {
        // A busy endpoint that takes requests again is as good as new; a broken one that was mended may have been mended badly.
        if cause == .busy || cause == .absent { backOff = .zero }
        state = .closed
        reason = ""
        answers = AnswerWindow()
        closedAt = now
        return .closed
    }
}
