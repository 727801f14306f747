// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// The rule: the least expected time to the first token, counted with the harm to others. It may be "wait" although a slot is free.
extension Scheduler {
    struct Choice {
        var candidate: Candidate
        var why: Grant.Reason
        var fit: RouteFit
        var cost: Cost
    }

    enum Decision {
        case go(Choice)
        case wait
        /// Wait, and let what is in the way on this pair's endpoint come to its end.
        case claim(Int)
    }

    /// Costs that differ by less than this part are equal: the weight decides, then chance.
    private static let tolerance = 0.01

    /// - Parameter before: how many of the same model wait before it.
    mutating func choose(_ target: Target, _ ask: Ask, before: Int, now: NIODeadline) -> Decision {
        var best: (choice: Choice, cost: Double)?
        var blocked: (pair: Int, cost: Double)?
        var equals = 0
        for candidate in target.candidates {
            guard let (choice, cost) = weigh(candidate, ask, now: now) else { continue }
            if choice.cost.isBlocked {
                if blocked.map({ cost < $0.cost }) ?? true { blocked = (candidate.pair, cost) }
                continue
            }
            if let known = best {
                if cost > known.cost * (1 + Self.tolerance) { continue }
                let isEqual = cost >= known.cost * (1 - Self.tolerance)
                let weight = places[pairs[candidate.pair].place].endpoint.weight
                let knownWeight = places[pairs[known.choice.candidate.pair].place].endpoint.weight
                if isEqual, weight < knownWeight { continue }
                // Among equals each is taken with the same probability, whatever their number and order.
                equals = isEqual && weight == knownWeight ? equals + 1 : 1
                if equals > 1, Int.random(in: 0..<equals, using: &random) != 0 { continue }
            } else {
                equals = 1
            }
            best = (choice, cost)
        }
        let mayWait = settings.placement != .off && !settings.overcommits
        if let best, best.choice.why == .loaded || best.choice.why == .affinity || !mayWait { return .go(best.choice) }
        let line = costOfLine(target, needs: ask.needs, excluding: ask.excluding, before: before, now: now).map { $0 * Weights.line }
        let least = min(best?.cost ?? .infinity, line ?? .infinity)
        if let blocked, blocked.cost < least { return mayWait ? .claim(blocked.pair) : overcommit(target, ask, now: now) }
        if let best, best.cost <= line ?? .infinity { return .go(best.choice) }
        return overcommit(target, ask, now: now)
    }

    /// What it would cost to give the request to a candidate now; nil where that is impossible.
    func weigh(_ candidate: Candidate, _ ask: Ask, now: NIODeadline) -> (Choice, Double)? {
        let pair = candidate.pair
        let place = pairs[pair].place
        guard places[place].takesWork, pairs[pair].inFlight < pairs[pair].limit(places[place].endpoint),
            let fit = ask.needs.fit(of: places[place].capabilities), ask.excluding.isEmpty || !ask.excluding.contains(places[place].endpoint.id),
            pairs[pair].claim == nil
        else { return nil }
        if pairs[pair].isUsable {
            let cost = costOfUse(pair, ask, now: now)
            let decides = cost.warmSaving > 0.5 * cost.prefill
            let why: Grant.Reason = pairs[pair].isLoaded ? (decides ? .affinity : .loaded) : .loading
            return (Choice(candidate: candidate, why: why, fit: fit, cost: cost), order(cost.weighed, pair, fit))
        }
        if settings.placement == .off {
            let cost = Cost(load: loadTime(pair))
            return (Choice(candidate: candidate, why: .load, fit: fit, cost: cost), order(1e6 * Double(1 + places[place].inFlight), pair, fit))
        }
        let cost = costOfLoad(pair, ask, now: now)
        return (Choice(candidate: candidate, why: cost.fits ? .fits : .load, fit: fit, cost: cost), order(cost.weighed, pair, fit))
    }

    /// Where all else is equal: fewest in flight for the model, and rather without a translation.
    private func order(_ cost: Double, _ pair: Int, _ fit: RouteFit) -> Double {
        (cost + 1e-4) * (1 + 0.02 * Double(pairs[pair].inFlight)) * (fit == .native ? 1 : 1.03)
    }

    /// Where the configuration says not to wait: the least busy of those that hold the model, else of all.
    private func overcommit(_ target: Target, _ ask: Ask, now: NIODeadline) -> Decision {
        guard settings.overcommits else { return .wait }
        var best: (candidate: Candidate, fit: RouteFit, rank: (Int, Int, Int))?
        for candidate in target.candidates {
            let place = pairs[candidate.pair].place
            guard places[place].takesWork, let fit = ask.needs.fit(of: places[place].capabilities), !ask.excluding.contains(places[place].endpoint.id)
            else { continue }
            let rank = (pairs[candidate.pair].isUsable ? 0 : 1, pairs[candidate.pair].inFlight, places[place].inFlight)
            if best.map({ rank < $0.rank }) ?? true { best = (candidate, fit, rank) }
        }
        guard let best else { return .wait }
        let cost = pairs[best.candidate.pair].isUsable
            ? costOfUse(best.candidate.pair, ask, now: now) : costOfLoad(best.candidate.pair, ask, now: now)
        return .go(Choice(candidate: best.candidate, why: .overcommit, fit: best.fit, cost: cost))
    }
}
