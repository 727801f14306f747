// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What the scheduler has measured of a model on an endpoint: the inputs of a rule that expects times.
///
/// Exponentially weighted means; nil until something was measured.
public struct Learned: Sendable, Equatable {
    /// The share of a new measurement: about the last ten count.
    static let share = 0.2

    /// From sending a request to its end, seconds.
    public private(set) var serviceTime: Double?
    /// From sending a request to the first token of its answer where the model was loaded, seconds.
    public private(set) var timeToFirstToken: Double?
    /// To load the model, seconds: as the endpoint told, else as the first token of a cold model took.
    public private(set) var loadTime: Double?
    /// Tokens per second of service.
    public private(set) var tokenRate: Double?

    mutating func record(_ end: LeaseEnd, wasLoaded: Bool) {
        guard end.teaches else { return }
        let service = end.serviceTime.seconds
        Self.mix(&serviceTime, service)
        if wasLoaded {
            if let first = end.timeToFirstToken?.seconds { Self.mix(&timeToFirstToken, first) }
        } else if let load = (end.loadTime ?? end.timeToFirstToken)?.seconds {
            Self.mix(&loadTime, load)
        }
        if end.tokens > 0, service > 0 { Self.mix(&tokenRate, Double(end.tokens) / service) }
    }

    /// A load that was asked for ahead of need.
    mutating func recordLoad(_ seconds: Double) { Self.mix(&loadTime, seconds) }

    private static func mix(_ mean: inout Double?, _ value: Double) {
        mean = mean.map { $0 + share * (value - $0) } ?? value
    }
}

/// Requests per second for a model, decayed with a half-life: what of it is wanted lately.
public struct Demand: Sendable, Equatable {
    /// Seconds.
    static let halfLife = 300.0

    private var weight = 0.0
    private var at = NIODeadline.uptimeNanoseconds(0)

    mutating func record(now: NIODeadline) {
        weight = decayed(now) + 1
        at = now
    }

    /// A steady rate r gives a decayed count of r * halfLife / ln 2.
    public func perSecond(now: NIODeadline) -> Double { decayed(now) * 0.693_147 / Self.halfLife }

    private func decayed(_ now: NIODeadline) -> Double {
        weight == 0 ? 0 : weight * exponential(-(now - at).seconds / Self.halfLife)
    }
}

#if canImport(Glibc)
    import Glibc

    private func exponential(_ halves: Double) -> Double { exp2(halves) }
#endif
