// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import DequeModule
import NIOCore
import Protocol

/// How the fleet did lately, from looks at its counters every two seconds. Pure: times and counters are handed in.
struct History: Sendable {
    /// Between two looks.
    static let step = TimeAmount.seconds(2)
    /// Ten minutes.
    static let length = 300
    private static let rateWindow = TimeAmount.seconds(10)
    private static let percentileWindow = TimeAmount.minutes(5)
    /// Histograms are kept this far apart: the window is right to this.
    private static let histogramStep = TimeAmount.seconds(10)

    /// Counters since the start, but for what is now.
    struct Counters: Sendable, Equatable {
        var requests = 0
        var tokens = 0
        var failures = 0
        var inFlight = 0
        var waiting = 0
    }

    /// One look.
    struct Look: Sendable {
        var at: NIODeadline
        var fleet = Counters()
        var endpoints: [EndpointID: Counters] = [:]
        var times: [EndpointID: AnswerTimes] = [:]
        /// Of requests on routes with a cache.
        var hits = 0
        var misses = 0
    }

    private struct Values: Sendable {
        var requests = 0.0
        var tokens = 0.0
        var failures = 0.0
        var inFlight = 0
        var waiting = 0
        var ttftMs: Double?
        var answerMs: Double?

        init() {}

        init(from before: Counters, to now: Counters, seconds: Double, times: AnswerTimes) {
            requests = History.rate(before.requests, now.requests, seconds)
            tokens = History.rate(before.tokens, now.tokens, seconds)
            failures = History.rate(before.failures, now.failures, seconds)
            inFlight = now.inFlight
            waiting = now.waiting
            ttftMs = times.firstTokens.percentile(0.5)
            answerMs = times.wholes.percentile(0.5)
        }
    }

    private struct Step: Sendable {
        var fleet: Values
        var endpoints: [EndpointID: Values]
        var hitRate: Double?
    }

    /// The last ten minutes.
    private var steps: Deque<Step> = []
    /// A little more than the window of rates.
    private var looks: Deque<Look> = []
    private var histograms: Deque<(at: NIODeadline, of: [EndpointID: AnswerTimes])> = []

    mutating func record(_ look: Look) {
        if let before = looks.last {
            let seconds = (look.at - before.at).seconds
            guard seconds > 0 else { return }
            var all = AnswerTimes()
            var endpoints: [EndpointID: Values] = [:]
            for (id, counters) in look.endpoints {
                let lately = (look.times[id] ?? AnswerTimes()) - (before.times[id] ?? AnswerTimes())
                all += lately
                endpoints[id] = Values(from: before.endpoints[id] ?? counters, to: counters, seconds: seconds, times: lately)
            }
            let hits = look.hits - before.hits
            let asked = hits + look.misses - before.misses
            steps.append(
                Step(
                    fleet: Values(from: before.fleet, to: look.fleet, seconds: seconds, times: all), endpoints: endpoints,
                    hitRate: asked > 0 ? Double(hits) / Double(asked) : nil))
            if steps.count > Self.length { steps.removeFirst() }
        }
        looks.append(look)
        while looks.count > 2, look.at - looks[1].at >= Self.rateWindow { looks.removeFirst() }
        if histograms.last.map({ look.at - $0.at >= Self.histogramStep }) ?? true { histograms.append((look.at, look.times)) }
        while histograms.count > 1, look.at - histograms[1].at >= Self.percentileWindow { histograms.removeFirst() }
    }

    /// Requests and tokens a second over the last ten seconds, or since the first look if that is less.
    ///
    /// - Parameter counters: as they are now.
    func rates(of id: EndpointID, _ counters: Counters, now: NIODeadline) -> (requests: Double, tokens: Double) {
        guard let then = looks.first(where: { now - $0.at <= Self.rateWindow }) ?? looks.last, let before = then.endpoints[id] else { return (0, 0) }
        let seconds = (now - then.at).seconds
        // So short a time says nothing.
        guard seconds >= 0.5 else { return (0, 0) }
        return (Self.rate(before.requests, counters.requests, seconds), Self.rate(before.tokens, counters.tokens, seconds))
    }

    /// Requests a second of the whole router over the last ten seconds.
    ///
    /// - Parameter count: that have come until now.
    func requestRate(_ count: Int, now: NIODeadline) -> Double {
        guard let then = looks.first(where: { now - $0.at <= Self.rateWindow }) ?? looks.last else { return 0 }
        let seconds = (now - then.at).seconds
        return seconds >= 0.5 ? Self.rate(then.fleet.requests, count, seconds) : 0
    }

    /// How long answers took over the last five minutes.
    ///
    /// - Parameter times: as they are now.
    func times(of id: EndpointID, _ times: AnswerTimes) -> AnswerTimes {
        // What was there at the first look was recorded before it.
        times - (histograms.first?.of[id] ?? AnswerTimes())
    }

    /// - Parameter names: of the endpoints that are to be in it.
    func info(_ names: [EndpointID: String]) -> HistoryInfo {
        var info = HistoryInfo(stepS: Self.step.seconds)
        info.hitRate = steps.map(\.hitRate)
        info.fleet = Self.series(steps.map(\.fleet))
        for (id, name) in names { info.endpoints[name] = Self.series(steps.map { $0.endpoints[id] ?? Values() }) }
        return info
    }

    private static func series(_ values: [Values]) -> HistoryInfo.Series {
        var series = HistoryInfo.Series()
        series.requests = values.map(\.requests)
        series.tokens = values.map(\.tokens)
        series.failures = values.map(\.failures)
        series.inFlight = values.map(\.inFlight)
        series.waiting = values.map(\.waiting)
        series.ttftMs = values.map(\.ttftMs)
        series.answerMs = values.map(\.answerMs)
        return series
    }

    /// With three decimals. Tokens may turn out fewer at a stream's end than were counted as they passed: no rate is below zero.
    private static func rate(_ before: Int, _ now: Int, _ seconds: Double) -> Double {
        max(0, (Double(now - before) / seconds * 1000).rounded() / 1000)
    }
}
