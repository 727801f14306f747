// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Protocol
import TestSupport

/// Ten minutes, a day and a busy cache of the fleet of `Sample`, with curves as a fleet has them: a tide, bursts, and a fault.
extension Sample {
    /// The moment of the sample, seconds since 1970: 2026-11-24T03:15:00Z.
    public static let wallS = 1_795_490_100

    /// Numbers that look like chance and are the same everywhere.
    public struct Dice: RandomNumberGenerator, Sendable {
        private var source: SplitMix

        public init(seed: UInt64) {
            source = SplitMix(seed: seed)
        }

        public mutating func next() -> UInt64 { source.next() }

        /// 0 to 1.
        public mutating func share() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }
    }

    /// A tide between 0 and 1 with noise on it: a triangle's sides made round.
    private static func tide(_ step: Int, period: Int, dice: inout Dice) -> Double {
        let phase = Double(step % period) / Double(period)
        let side = phase < 0.5 ? phase * 2 : 2 - phase * 2
        return max(0, side * side * (3 - 2 * side) * 0.8 + dice.share() * 0.25)
    }

    public static let busyHistory = {
        var history = HistoryInfo(stepS: 2)
        var dice = Dice(seed: 7)
        var one = HistoryInfo.Series()
        var two = HistoryInfo.Series()
        var none = HistoryInfo.Series()
        for step in 0..<300 {
            let load = tide(step, period: 210, dice: &dice)
            // The second endpoint is drained two thirds in, and what it had moves to the first.
            let isDrained = step >= 200
            let first = load * (isDrained ? 7 : 4.5)
            let second = isDrained ? 0 : load * 3
            one.requests.append((first * 10).rounded() / 10)
            one.tokens.append((first * 42).rounded())
            one.failures.append(step == 120 ? 0.5 : 0)
            one.inFlight.append(min(4, Int(first * 0.9)))
            one.waiting.append(max(0, Int(first) - 4))
            one.ttftMs.append(first < 0.5 ? nil : (120 + first * first * 18).rounded())
            two.requests.append((second * 10).rounded() / 10)
            two.tokens.append((second * 38).rounded())
            two.failures.append(0)
            two.inFlight.append(min(4, Int(second)))
            two.waiting.append(0)
            two.ttftMs.append(second < 0.5 ? nil : (150 + second * 40).rounded())
            none.requests.append(0)
            none.tokens.append(0)
            none.failures.append(step < 12 ? 0.5 : 0)
            none.inFlight.append(0)
            none.waiting.append(0)
            none.ttftMs.append(nil)
            history.hitRate.append(step % 40 == 39 ? nil : min(1, 0.25 + 0.35 * Double(step) / 300 + dice.share() * 0.2))
        }
        history.endpoints = ["gpu-1": one, "gpu-2": two, "cpu-box": none]
        history.fleet.requests = zip(one.requests, two.requests).map { ($0 + $1) }
        history.fleet.tokens = zip(one.tokens, two.tokens).map { $0 + $1 }
        history.fleet.failures = zip(one.failures, none.failures).map { $0 + $1 }
        history.fleet.inFlight = zip(one.inFlight, two.inFlight).map { $0 + $1 }
        history.fleet.waiting = one.waiting
        history.fleet.ttftMs = one.ttftMs
        return history
    }()

    public static let busyEndpoints = {
        var endpoints = Sample.endpoints
        endpoints[0].loadedModels = [
            .init(name: "llama3.2:3b", sizeVramBytes: 3_500_000_000, expiresAt: "2026-11-24T03:19:30Z", contextLength: 8192, inFlight: 2),
            .init(name: "qwen2.5-coder:14b", sizeVramBytes: 11_200_000_000, expiresAt: "2318-01-01T00:00:00Z", contextLength: 32_768, inFlight: 1),
        ]
        endpoints[0].loadedModels[0].configuration = "num_ctx 8192"
        endpoints[0].loadedModels[0].loads = Sample.loads
        endpoints[0].loadedModels[1].configuration = "num_ctx 32768 (default)"
        endpoints[0].loadedModels[1].loads = LoadsInfo(first: 1, evicted: 2)
        endpoints[0].loadedModels[0].estimates = Sample.estimates
        endpoints[0].loadedModels[1].estimates = Sample.guesses
        endpoints[0].vramBytes = 24_000_000_000
        endpoints[0].retriesTotal = 1
        endpoints[0].clientErrorsTotal = 14
        endpoints[0].requestsPerSecond = 6.5
        endpoints[0].tokensPerSecond = 271.4
        endpoints[0].ttftP50Ms = 184
        endpoints[0].ttftP95Ms = 1240
        endpoints[0].polledAgoMs = 2100
        endpoints[0].hasKey = true
        return endpoints
    }()

    public static let busyRequests = {
        var requests = Sample.requests
        requests[0].key = "team-search"
        requests[0].why = "has the model loaded"
        requests[0].tokensPerSecond = 38.2
        requests[0].cache = "miss"
        requests[1].why = "fewest in flight"
        return requests
    }()

    public static let busyCache = {
        var cache = CacheInfo()
        cache.enabled = true
        cache.backend = "sqlite"
        cache.semantic = true
        cache.vectors = 811
        cache.guarded = ["negation": 14, "number": 9, "name": 3]
        cache.exactHits = 4210
        cache.semanticHits = 380
        cache.shared = 129
        cache.misses = 6804
        cache.bypasses = ["temperature above 0": 1204, "tools": 311, "Cache-Control: no-store": 12]
        cache.notKept = ["cut short": 48, "too large": 5]
        cache.entries = 6201
        cache.bytes = 48_300_000
        cache.oldestS = 86_400 * 3 + 7200
        cache.tokensSaved = 1_920_000
        cache.secondsSaved = 41_200
        cache.hitRates = [
            .init(minutes: 1, requests: 34, rate: 0.53), .init(minutes: 10, requests: 402, rate: 0.48),
            .init(minutes: 60, requests: 2210, rate: 0.41),
        ]
        cache.namespaces = [
            .init(name: "a41f09c2", model: "llama3.2:3b", tenant: "team-search", entries: 3120, bytes: 24_100_000),
            .init(name: "77e0b1d4", model: "qwen2.5-coder:14b", tenant: "team-code", entries: 1804, bytes: 17_900_000),
            .init(name: "0c9d2e11", model: "llama3.2:3b", tenant: "", entries: 1102, bytes: 5_900_000),
            .init(name: "f3b85a70", model: "nomic-embed-text:latest", tenant: "team-search", entries: 175, bytes: 400_000),
        ]
        return cache
    }()

    public static let busyStatus = {
        var status = Sample.status
        status.endpoints = busyEndpoints
        status.cache = busyCache
        return status
    }()

    /// A day in steps of twenty minutes: quiet at night, a dip at noon.
    public static let busyTokens = {
        var tokens = TokensInfo(sinceS: 86_400, stepS: 1200, from: wallS - 86_400)
        var dice = Dice(seed: 11)
        for step in 0..<72 {
            let load = tide(step, period: 72, dice: &dice) * (step > 30 && step < 36 ? 0.5 : 1)
            tokens.input.append(Int(load * 21_000))
            tokens.output.append(Int(load * (9000 + dice.share() * 9000)))
        }
        let input = tokens.input.reduce(0, +)
        let output = tokens.output.reduce(0, +)
        tokens.rows = [
            .init(endpoint: "gpu-1", model: "llama3.2:3b", inputTokens: input * 6 / 10, outputTokens: output / 2),
            .init(endpoint: "gpu-1", model: "qwen2.5-coder:14b", inputTokens: input / 4, outputTokens: output * 3 / 10),
            .init(endpoint: "gpu-2", model: "llama3.2:3b", inputTokens: input / 10, outputTokens: output / 5),
            .init(endpoint: "gpu-1", model: "nomic-embed-text:latest", inputTokens: input / 20, outputTokens: 0),
        ]
        tokens.totalInput = 48_120_400
        tokens.totalOutput = 21_954_321
        return tokens
    }()

    /// A log of a quarter of an hour, of all levels.
    public static let busyEvents = {
        var events: [EventInfo] = []
        func add(_ time: String, _ level: String, _ message: String, _ facts: [String: String]) {
            events.append(EventInfo(sequence: events.count + 1, at: "2026-11-24T\(time)Z", level: level, message: message, facts: facts))
        }
        add("03:00:00.120", "info", "control socket is open", ["path": "/run/routerd/control.sock"])
        add("03:00:00.480", "notice", "endpoint is up", ["endpoint": "gpu-1", "models": "3", "version": "0.12.6"])
        add("03:00:00.511", "notice", "endpoint is up", ["endpoint": "gpu-2", "models": "1", "version": "0.12.6"])
        add("03:00:01.000", "warning", "endpoint is down", ["endpoint": "cpu-box", "reason": "connection refused"])
        add("03:02:14.330", "info", "model is loaded", ["endpoint": "gpu-1", "model": "qwen2.5-coder:14b", "took": "8.4s"])
        add("03:05:40.002", "error", "answer was cut short", ["endpoint": "gpu-1", "request": "r-87", "reason": "connection reset by peer"])
        add("03:05:40.015", "info", "request was tried again", ["endpoint": "gpu-2", "request": "r-87"])
        add("03:08:00.000", "debug", "poll took long", ["endpoint": "gpu-1", "ms": "950"])
        add("03:10:00.500", "notice", "changed by an operator", ["endpoint": "gpu-2", "method": "drain", "uid": "1000"])
        add("03:14:52.700", "critical", "token counts are kept in memory only", ["reason": "database or disk is full"])
        return events
    }()
}
