// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What one event loop has measured: plain values, added up over all loops when somebody asks.
struct WorkerMetrics: Sendable {
    struct RequestKey: Hashable, Sendable {
        /// A row of the route table, never a path.
        var route: String
        /// As the endpoint spells it; what no endpoint has is "other".
        var model: String
        var endpoint: String
        /// 499 for a client that left.
        var status: Int
    }

    struct PlaceKey: Hashable, Sendable {
        var endpoint: String
        var model: String
    }

    struct OfPlace: Sendable {
        var timeToFirstByte = Histogram(bounds: Histogram.seconds)
        var timePerToken = Histogram(bounds: Histogram.tokenSeconds)
        var tokens = TokenSum()
    }

    private(set) var requests: [RequestKey: Int] = [:]
    private(set) var places: [PlaceKey: OfPlace] = [:]

    /// More combinations than this are counted as one: a page that grows without end is of no use to anybody.
    static let limit = 4096

    mutating func count(_ key: RequestKey) {
        if requests[key] == nil, requests.count >= Self.limit {
            requests[RequestKey(route: "other", model: "other", endpoint: "other", status: key.status), default: 0] += 1
        } else {
            requests[key, default: 0] += 1
        }
    }

    mutating func measure(_ key: PlaceKey, timeToFirstByte: Double?, timePerToken: Double?, tokens: TokenSum) {
        let key = places[key] != nil || places.count < Self.limit ? key : PlaceKey(endpoint: "other", model: "other")
        places[key, default: OfPlace()].tokens += tokens
        if let timeToFirstByte { places[key]?.timeToFirstByte.record(timeToFirstByte) }
        if let timePerToken { places[key]?.timePerToken.record(timePerToken) }
    }

    mutating func add(_ other: WorkerMetrics) {
        for (key, count) in other.requests { requests[key, default: 0] += count }
        for (key, place) in other.places {
            places[key, default: OfPlace()].tokens += place.tokens
            places[key]?.timeToFirstByte.add(place.timeToFirstByte)
            places[key]?.timePerToken.add(place.timePerToken)
        }
    }
}

/// Counts of values by ranges, as Prometheus' histograms have them.
struct Histogram: Sendable, Equatable {
    /// Upper ends, rising; what is above the last is counted in one more.
    let bounds: [Double]
    /// Not cumulative.
    private(set) var counts: [Int]
    private(set) var sum = 0.0

    /// For a first byte: from a warm answer to a cold load.
    static let seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
    /// For one token.
    static let tokenSeconds = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1]

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    var count: Int { counts.reduce(0, +) }

    mutating func record(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }

    mutating func add(_ other: Histogram) {
        for index in counts.indices where index < other.counts.count { counts[index] += other.counts[index] }
        sum += other.sum
    }
}
