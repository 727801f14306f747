// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What is known of a model over all endpoints: how much of it is wanted, and how long it takes. Times are counted for an endpoint of
/// relative speed 1 that does nothing else.
struct ModelBook: Sendable {
    /// Before anything is measured.
    static let priorService = 6.0
    static let priorFirstToken = 0.3
    static let priorSecondsPerToken = 0.0005

    let key: String
    private(set) var demand = Demand()
    /// Requests per second lately, as of the last request or sweep: an exponential costs more than a decision has time for.
    private(set) var rate = 0.0
    /// Of that, what asks for which options.
    private(set) var configurations = ConfigurationDemand()
    /// Pairs where it is in memory or on the way there.
    var usable: [PairIndex] = []
    var holders: Int { usable.count }
    /// Seconds.
    private(set) var service = Mean(priorService)
    private(set) var firstToken = Mean(priorFirstToken)
    /// Seconds to read a token of the prompt that is not warm.
    private(set) var secondsPerToken = Mean(priorSecondsPerToken)
    /// Seconds that its loads took, wherever that was; nil until one was measured.
    private(set) var load: Mean?
    /// How fast its answers come on each endpoint.
    var paces = Paces()

    init(key: String) { self.key = key }

    mutating func count(_ options: RunnerOptions?, now: NIODeadline) {
        demand.record(now: now)
        configurations.count(options, now: now)
        rate = demand.perSecond(now: now)
    }

    mutating func decay(now: NIODeadline) {
        if rate > 0 { rate = demand.perSecond(now: now) }
        configurations.decay(now: now)
    }

    /// - Parameter coldTokens: of the prompt, what was not warm; 0 if unknown.
    mutating func record(_ end: LeaseEnd, speed: Double, wasLoaded: Bool, coldTokens: Int) {
        guard end.teaches else { return }
        let whole = end.serviceTime.seconds
        guard wasLoaded else {
            // The load is no part of the service. Where nothing tells how long it took, the rest is not known either.
            if let first = end.timeToFirstToken?.seconds {
                service.add(max(0, whole - first) * speed + firstToken.value)
            } else if let load = end.loadTime?.seconds {
                service.add(max(0, whole - load) * speed)
            }
            return
        }
        service.add(whole * speed)
        // An answer that comes whole does not tell when its first token was made.
        guard let first = end.timeToFirstToken?.seconds else { return }
        firstToken.add(first * speed)
        if coldTokens > 0 { secondsPerToken.add(first * speed / Double(max(coldTokens, 32))) }
    }

    /// The speed of an endpoint was far from what it was taken for, and so are the means of times at speed 1.
    mutating func distrustTimes() {
        service.distrust()
        firstToken.distrust()
        secondsPerToken.distrust()
    }

    mutating func recordLoad(_ seconds: Double) {
        var mean = load ?? Mean(seconds)
        mean.add(seconds)
        load = mean
    }

    /// To read a prompt, at speed 1.
    func prefill(tokens: Int, warm: Int) -> Double {
        tokens > 0 ? secondsPerToken.value * Double(max(16, tokens - warm)) : firstToken.value
    }
}
