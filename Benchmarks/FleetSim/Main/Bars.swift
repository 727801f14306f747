// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FleetSimulation

/// What the rule is held to, as ratios of other rules' results on the same traffic.
struct Bars {
    struct Cell: Hashable {
        var rule: ComparedRule
        var load: Double
    }

    var results: [Cell: Outcome] = [:]
    var conversations: [ComparedRule: Outcome] = [:]
    var flood: Outcome?
    /// Where three keys of ten ask for another context, and where the same keys ask for the same, by load.
    var configurations: [Cell: Outcome] = [:]
    var sameConfigurations: [Double: Outcome] = [:]
    /// Of those that waited for more than two seconds the share whose wait was foreseen within a factor of two as they came, by load.
    var foreseen: [Double: Double] = [:]
    private var areMet = true

    /// - Returns: whether all are met.
    mutating func report() -> Bool {
        print("\nbars")
        for load in [0.4, 0.7, 0.9] {
            atMost(load == 0.4 ? 1 : 0.25, "mean against the seed system's, load \(load)", ratio(.expectedTime, .seed, load) { $0.meanFirstToken })
        }
        for load in [0.7, 0.9] {
            atMost(
                0.25, "p95 against the seed system's, load \(load)", ratio(.expectedTime, .seed, load) { Outcome.quantile(0.95, of: $0.firstTokens) })
        }
        atMost(0.35, "mean against strict order, load 0.9", ratio(.expectedTime, .strict, 0.9) { $0.meanFirstToken })
        atMost(2, "mean with placement: active against the bound, load 0.7", ratio(.active, .bound, 0.7) { $0.meanFirstToken })
        atMost(0.25, "loads against the seed system's, load 0.7", ratio(.expectedTime, .seed, 0.7) { Double($0.loads) })
        if let flood { atLeast(0.95, "Jain's index between keys under one key's flood", flood.fairness) }
        if let with = conversations[.expectedTime], let without = conversations[.noAffinity] {
            atLeast(0.9, "follow-up turns that find their prefix warm", with.warmShare)
            atMost(1, "mean against affinity off", with.meanFirstToken / without.meanFirstToken)
        }
        for (load, share) in foreseen.sorted(by: { $0.key < $1.key }) {
            atLeast(0.8, "waits over 2 s that were foreseen within a factor of two, load \(load)", share)
        }
        return reportConfigurations()
    }

    mutating func reportConfigurations() -> Bool {
        let load = 0.7
        let seed = configurations[Cell(rule: .seed, load: load)]
        for (rule, name, bar) in [(ComparedRule.expectedTime, "as_asked", 0.1), (.share, "share", 0.02)] {
            let ours = configurations[Cell(rule: rule, load: load)]
            let reloads = seed.flatMap { seed in ours.map { Double($0.reloads) / Double(seed.reloads) } }
            atMost(bar, "reloads for another context against the seed system's, context: \(name), load \(load)", reloads)
            let same = sameConfigurations[load]
            let mean = same.flatMap { same in ours.map { $0.meanFirstToken / same.meanFirstToken } }
            atMost(1.3, "mean against the same fleets where all ask for the same, context: \(name), load \(load)", mean)
        }
        return areMet
    }

    private func ratio(_ rule: ComparedRule, _ other: ComparedRule, _ load: Double, _ value: (Outcome) -> Double) -> Double? {
        guard let mine = results[Cell(rule: rule, load: load)], let theirs = results[Cell(rule: other, load: load)] else { return nil }
        return value(mine) / value(theirs)
    }

    private mutating func atMost(_ bar: Double, _ what: String, _ value: Double?) {
        line(what, value, "at most \(bar)", value.map { $0 <= bar } ?? false)
    }
    private mutating func atLeast(_ bar: Double, _ what: String, _ value: Double?) {
        line(what, value, "at least \(bar)", value.map { $0 >= bar } ?? false)
    }

    private mutating func line(_ what: String, _ value: Double?, _ bar: String, _ isMet: Bool) {
        areMet = areMet && isMet
        print("\(isMet ? "PASS" : "FAIL")  \(Report.pad(value.map(Report.number) ?? "?", 6))  \(bar)  \(what)")
    }
}
