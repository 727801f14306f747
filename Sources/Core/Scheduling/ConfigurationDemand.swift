// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// How much each configuration of a model is wanted lately. Empty while nobody sets any option, which is nearly always.
struct ConfigurationDemand: Sendable {
    /// So many are told apart; of further ones the least wanted makes room, so that no client can make this grow.
    static let limit = 8
    /// What is wanted less often than that, requests per second, is forgotten: about once in a month.
    private static let least = 4e-7

    private struct Entry: Sendable {
        var options: RunnerOptions
        var demand = Demand()
        /// Requests per second, as of the last request or sweep.
        var rate = 0.0
    }

    private var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }

    /// - Parameter options: nil where the request sets none.
    mutating func count(_ options: RunnerOptions?, now: NIODeadline) {
        if options == nil, entries.isEmpty { return }
        let options = options ?? .unset
        let index: Int
        if let known = entries.firstIndex(where: { $0.options == options }) {
            index = known
        } else {
            if entries.count >= Self.limit, let least = entries.indices.min(by: { entries[$0].rate < entries[$1].rate }) {
                entries.remove(at: least)
            }
            index = entries.count
            entries.append(Entry(options: options))
        }
        entries[index].demand.record(now: now)
        entries[index].rate = entries[index].demand.perSecond(now: now)
    }

    mutating func decay(now: NIODeadline) {
        if entries.isEmpty { return }
        for index in entries.indices { entries[index].rate = entries[index].demand.perSecond(now: now) }
        entries.removeAll { $0.rate < Self.least }
        if entries.allSatisfy({ $0.options == .unset }) { entries = [] }
    }

    /// Requests per second with options for which this holds.
    func rate(where isServed: (RunnerOptions) -> Bool) -> Double {
        entries.reduce(0) { $0 + (isServed($1.options) ? $1.rate : 0) }
    }

    /// What some request asks for, by how often each is asked for.
    func some(using random: inout SplitMix64) -> RunnerOptions? {
        guard !entries.isEmpty else { return nil }
        var left = Double.random(in: 0..<1, using: &random) * entries.reduce(0) { $0 + $1.rate }
        for entry in entries {
            left -= entry.rate
            if left < 0 { return entry.options == .unset ? nil : entry.options }
        }
        return nil
    }

    /// What most requests ask for; nil where that is nothing.
    var commonest: RunnerOptions? {
        guard let most = entries.max(by: { $0.rate < $1.rate }), most.options != .unset else { return nil }
        return most.options
    }
}
