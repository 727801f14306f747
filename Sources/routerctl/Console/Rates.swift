// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Rates from counters: the newest snapshot against the oldest of the last two seconds.
///
/// Between two neighbouring snapshots, half a second apart, a slow stream would jump between 0 and 2 tokens/s.
public struct Rates: Sendable {
    /// Milliseconds of the daemon's clock over which rates are taken.
    public static let windowMs = 2000

    private struct Sample {
        var atMs: Int
        var requestsTotal: Int
        var requests: [String: Int] = [:]
        var tokens: [String: Int] = [:]
        var requestTokens: [String: Int] = [:]
    }

    private var samples: [Sample] = []

    public init() {}

    public mutating func add(_ snapshot: SnapshotInfo) {
        var sample = Sample(atMs: snapshot.atMs, requestsTotal: snapshot.status.requests.total)
        for endpoint in snapshot.status.endpoints {
            sample.requests[endpoint.name] = endpoint.requestsTotal
            sample.tokens[endpoint.name] = endpoint.tokensTotal
        }
        for request in snapshot.requests { sample.requestTokens[request.id] = request.tokens }
        // A clock or a counter that went back is another daemon: nothing before it counts.
        if let last = samples.last, sample.atMs <= last.atMs || sample.requestsTotal < last.requestsTotal { samples = [] }
        samples.append(sample)
        while samples.count > 2, samples[0].atMs < sample.atMs - Self.windowMs { samples.removeFirst() }
    }

    /// Requests a second that the router took in; nil until there are two snapshots.
    public var requests: Double? { rate { $0.requestsTotal } }

    /// Tokens a second of all endpoints.
    public var tokens: Double? {
        guard let newest = samples.last, samples.count > 1 else { return nil }
        return newest.tokens.keys.reduce(0) { $0 + (tokens(endpoint: $1) ?? 0) }
    }

    public func requests(endpoint: String) -> Double? { rate { $0.requests[endpoint] } }

    public func tokens(endpoint: String) -> Double? { rate { $0.tokens[endpoint] } }

    /// Tokens a second of one request; since its stream began, as long as it has been seen only once.
    public func tokens(request: RequestInfo) -> Double? {
        if let rate = rate({ $0.requestTokens[request.id] }) { return rate }
        guard request.phase == .streaming, request.phaseMs > 0 else { return nil }
        return Double(request.tokens) / Double(request.phaseMs) * 1000
    }

    /// Against the oldest sample that has the counter: one that came later has a shorter past.
    private func rate(_ counter: (Sample) -> Int?) -> Double? {
        guard let newest = samples.last, let value = counter(newest),
            let oldest = samples.first(where: { counter($0) != nil }), let before = counter(oldest), newest.atMs > oldest.atMs
        else { return nil }
        return max(0, Double(value - before)) / Double(newest.atMs - oldest.atMs) * 1000
    }
}
