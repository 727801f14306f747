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
    /// Loads that told it.
    public private(set) var loads = 0
    /// Tokens per second of service.
    public private(set) var tokenRate: Double?

    mutating func record(_ end: LeaseEnd, wasLoaded: Bool) {
        guard end.teaches else { return }
        let service = end.serviceTime.seconds
        Self.mix(&serviceTime, service)
        if wasLoaded {
            if let first = end.timeToFirstToken?.seconds { Self.mix(&timeToFirstToken, first) }
        } else if let load = (end.loadTime ?? end.timeToFirstToken)?.seconds {
            recordLoad(load)
        }
        if end.tokens > 0, service > 0 { Self.mix(&tokenRate, Double(end.tokens) / service) }
    }

    /// A load, be it asked for ahead of need.
    mutating func recordLoad(_ seconds: Double) {
        loads += 1
        Self.mix(&loadTime, seconds)
    }

    private static func mix(_ mean: inout Double?, _ value: Double) {
        mean = mean.map { $0 + share * (value - $0) } ?? value
    }
}
