// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers
import NIOCore

/// What was foreseen lately. To foresee takes milliseconds, so it is done outside the lock, for who asks, and not again for a while.
struct Forecasts: Sendable {
    struct Newcomer: Sendable {
        var at: NIODeadline
        var wait: Double?
    }

    /// For so long a forecast of the line is good.
    static let lifetime = TimeAmount.seconds(1)
    /// For so long it is better than nothing, where no other can be made at the moment.
    static let oldest = TimeAmount.seconds(10)
    /// Models of refused requests: further ones have to wait for their turn.
    static let limit = 64

    var line: (at: NIODeadline, forecast: Forecast)?
    var newcomers: [String: Newcomer] = [:]
    private var madeAt: NIODeadline?

    /// True once in a second: whoever hears it makes one for a refused request.
    mutating func isDue(_ now: NIODeadline) -> Bool {
        if let madeAt, now < madeAt + Self.lifetime { return false }
        madeAt = now
        return true
    }

    mutating func keep(_ wait: Double?, of model: String, now: NIODeadline) {
        newcomers = newcomers.filter { now < $0.value.at + Self.oldest }
        if newcomers.count < Self.limit { newcomers[model] = Newcomer(at: now, wait: wait) }
    }

    func wait(of model: String, now: NIODeadline) -> Newcomer? { newcomers[model].flatMap { now < $0.at + Self.oldest ? $0 : nil } }
}

extension SchedulerBox {
    /// Everybody in line, with when each is expected to begin.
    func queue() -> [LinePlace] {
        let now = time
        var places = scheduler { $0.queue(now: now) }
        guard !places.isEmpty else { return [] }
        let (at, forecast) = forecast(now: now)
        let age = (now - at).seconds
        for index in places.indices { places[index].beginsIn = forecast.begins[places[index].ticket].map { max(0, $0 - age) } }
        return places
    }

    /// How long a request would wait that was refused and comes again, seconds; nil where that is not known, or longer than requests wait.
    ///
    /// A flood of refused requests makes one forecast in a second, and all others hear of that or of none.
    func expectedWait(_ ask: Ask) -> Double? {
        let now = time
        let known = forecasts.withLockedValue { $0.wait(of: ask.model, now: now) }
        if let known, now < known.at + Forecasts.lifetime { return known.wait }
        guard forecasts.withLockedValue({ $0.isDue(now) }) else { return known?.wait }
        var ask = ask
        ask.since = nil
        ask.deadline = nil
        ask.excluding = []
        let wait = scheduler { $0 }.expectedWait(ask, now: now)
        forecasts.withLockedValue { $0.keep(wait, of: ask.model, now: now) }
        return wait
    }

    private func forecast(now: NIODeadline) -> (at: NIODeadline, forecast: Forecast) {
        if let last = forecasts.withLockedValue({ $0.line }), now < last.at + Forecasts.lifetime { return last }
        let made = (at: now, forecast: scheduler { $0 }.forecast(now: now))
        forecasts.withLockedValue { $0.line = made }
        return made
    }
}
