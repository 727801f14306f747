// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The parameters of `subscribe`, checked. Pure.
enum SubscriptionRequest {
    static let intervals = 100...60_000
    static let defaultInterval = 500

    /// - Throws: `RPCError` with what is wrong.
    static func read(_ line: Data, isSubscribed: Bool) throws -> (kind: Subscriptions.Kind, deltas: Bool) {
        let params: SubscribeParams = try ControlMethod.params("subscribe", line)
        guard !isSubscribed else { throw RPCError(.refused, "this connection has a subscription already") }
        let interval = params.intervalMs ?? defaultInterval
        guard intervals.contains(interval) else {
            throw RPCError(.invalidParams, "interval_ms must be from \(intervals.lowerBound) to \(intervals.upperBound), not \(interval)")
        }
        return (Subscriptions.Kind(intervalMs: interval, topics: Set(params.topics ?? SnapshotTopic.allCases)), params.deltas ?? false)
    }
}
