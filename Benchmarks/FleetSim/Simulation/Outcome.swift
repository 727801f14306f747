// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What came of a trace.
public struct Outcome: Sendable, Equatable {
    public private(set) var firstTokens: [Double] = []
    public private(set) var wholes: [Double] = []
    public private(set) var left = 0
    public private(set) var refused = 0
    public private(set) var servedByKey: [Int]
    public private(set) var askedByKey: [Int]
    /// Requests by machine.
    public var sent: [Int] = []
    public var loads = 0
    /// Of those, of models that were in memory with another configuration.
    public var reloads = 0
    /// Evictions of models that were wanted again within a minute.
    public var early = 0
    /// Follow-up turns, and those of them that found their prefix warm.
    public private(set) var followUps = 0
    public private(set) var warm = 0

    init(keys: Int) {
        servedByKey = Array(repeating: 0, count: keys)
        askedByKey = servedByKey
    }

    mutating func add(key: Int, firstToken: Double, whole: Double, isServed: Bool, isRefused: Bool) {
        askedByKey[key] += 1
        if isServed {
            servedByKey[key] += 1
            wholes.append(whole)
        } else if isRefused {
            refused += 1
        } else {
            left += 1
        }
        // A refusal is an answer at once, and would only flatter the mean.
        if !isRefused { firstTokens.append(firstToken) }
    }

    mutating func count(_ request: SimulatedRequest, warm tokens: Int) {
        guard request.turn > 0 else { return }
        followUps += 1
        if tokens > 0 { warm += 1 }
    }

    /// Of several fleets, as one.
    public mutating func add(_ other: Outcome) {
        firstTokens += other.firstTokens
        wholes += other.wholes
        left += other.left
        refused += other.refused
        loads += other.loads
        reloads += other.reloads
        early += other.early
        followUps += other.followUps
        warm += other.warm
        for key in servedByKey.indices where key < other.servedByKey.count {
            servedByKey[key] += other.servedByKey[key]
            askedByKey[key] += other.askedByKey[key]
        }
    }

    public var meanFirstToken: Double { firstTokens.reduce(0, +) / Double(max(1, firstTokens.count)) }
    public var warmShare: Double { Double(warm) / Double(max(1, followUps)) }

    public static func quantile(_ share: Double, of values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        return sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
    }

    /// Jain's index of what each key got of its max-min fair share of all that was served: 1 is fair, 1/keys is one key for all.
    public var fairness: Double {
        let shares = Self.fairShares(of: Double(servedByKey.reduce(0, +)), asked: askedByKey.map(Double.init))
        let ratios = zip(servedByKey, shares).compactMap { $1 > 0 ? Double($0) / $1 : nil }
        let squares = ratios.map { $0 * $0 }.reduce(0, +)
        let sum = ratios.reduce(0, +)
        return squares > 0 ? sum * sum / (Double(ratios.count) * squares) : 1
    }

    /// Nobody gets more than it asked for; what one leaves is shared among the others.
    static func fairShares(of total: Double, asked: [Double]) -> [Double] {
        var shares = asked.map { _ in 0.0 }
        var left = total
        let order = asked.indices.sorted { asked[$0] < asked[$1] }
        for (done, key) in order.enumerated() {
            shares[key] = min(asked[key], left / Double(order.count - done))
            left -= shares[key]
        }
        return shares
    }
}
