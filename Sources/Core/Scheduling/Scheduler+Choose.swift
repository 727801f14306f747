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
        case claim(PairIndex)
    }

    /// Which loads are looked at.
    enum Loads: Equatable {
        case none
        /// Of one pair, on whose endpoint something has changed.
        case of(PairIndex)
        case all
    }

    /// Costs that differ by less than this part are equal: chance decides.
    private static let tolerance = 0.01
    /// So many seconds more may a request cost that finds out whether an endpoint that was set aside works again. Without it, conversations
    /// that are warm elsewhere would leave a mended endpoint idle for good.
    private static let probeCost = 2.0

    /// - Parameters:
    ///   - before: how many of the same model wait before it.
    ///   - loads: others than these are left out; slots where the model is in memory always count.
    mutating func choose(_ target: Target, _ ask: Ask, before: Int, loads: Loads = .all, now: NIODeadline) -> Decision {
        if setAsideCount > 0, let choice = lastResort(target, ask, now: now) { return .go(choice) }
        if loads != .none { refreshResidents() }
        let mayWait = settings.placement != .off && !settings.overcommits
        let line =
            mayWait && loads != .none
            ? costOfLine(target, ask, before: before, now: now)?.weighed : nil
        var search = Search(bound: line ?? .infinity, heedsBreakers: setAsideCount > 0, others: others(target, ask, now: now))
        if let book = target.book, !target.byPlace.isEmpty {
            // Few, and found without looking at all.
            for pair in books[book].usable {
                if isAsAsked(pair, ask), let candidate = target.candidate(pair, at: pairs[pair].place) { consider(candidate, ask, &search, now: now) }
            }
        } else {
            for candidate in target.candidates where serves(candidate.pair, ask) { consider(candidate, ask, &search, now: now) }
        }
        // Last, so that a load that costs more than what is known already is dropped at the first glance.
        switch loads {
        case .none: break
        case .of(let pair):
            if serves(pair, ask) { break }
            let known = target.byPlace.isEmpty ? target.candidates.first { $0.pair == pair } : target.candidate(pair, at: pairs[pair].place)
            if let known { consider(known, ask, &search, now: now) }
        case .all:
            for candidate in target.candidates where !serves(candidate.pair, ask) { consider(candidate, ask, &search, now: now) }
        }
        if let probe = search.probe, probe.cost <= search.bestCost + Self.probeCost { return .go(probe.choice) }
        var best = search.best
        if !search.holders.isEmpty, let choice = best, choice.why.isUse { best = share(search.holders, choice, cost: search.bestOwnCost) }
        let blocked = search.blocked
        if let best, best.why == .loaded || best.why == .affinity || !mayWait { return .go(best) }
        let least = min(search.bestCost, line ?? .infinity)
        if let blocked, blocked.cost < least {
            guard mayWait else { return overcommit(target, ask, now: now) }
            return blocked.isEarly ? .wait : .claim(blocked.pair)
        }
        // Nobody waits in line for the sake of a weight.
        if let best, search.bestOwnCost <= line ?? .infinity { return .go(best) }
        return overcommit(target, ask, now: now)
    }

    private struct Search {
        /// What costs more is of no interest.
        var bound: Double
        /// False where nothing is set aside, which is nearly always.
        let heedsBreakers: Bool
        let others: Others
        var best: Choice?
        /// Its cost, apart as it is compared with that of each candidate and the rest is large.
        var bestCost = Double.infinity
        /// The best one's cost, not counted by its weight.
        var bestOwnCost = Double.infinity
        /// Where weights differ, all that hold the model.
        var holders: [Holder] = []
        /// - `isEarly`: those who use the model as it is loaded have their turn yet.
        var blocked: (pair: PairIndex, cost: Double, isEarly: Bool)?
        /// What was set aside, and may be asked how it is.
        var probe: (choice: Choice, cost: Double)?
        var equals = 1
    }

    // With what it weighs as one function, as most candidates are dropped and their costs need not be moved about.
    @inline(never)
    private mutating func consider(_ candidate: Candidate, _ ask: Ask, _ search: inout Search, now: NIODeadline) {
        if search.heedsBreakers, !admits(candidate.pair, ask.needs, now: now) { return }
        if leavesToOthers(pairs[candidate.pair].place, search.others) { return }
        guard let (choice, ownCost) = weigh(candidate, ask, bound: search.bound, now: now) else { return }
        let cost = ownCost * costFactor(pairs[candidate.pair].place)
        search.bound = min(search.bound, cost * (1 + Self.tolerance))
        if choice.cost.isBlocked {
            if search.blocked.map({ cost < $0.cost }) ?? true {
                search.blocked = (candidate.pair, cost, choice.cost.patience > 0)
            }
            return
        }
        // Not by a request that has failed somewhere already, and not by one that would set off a load.
        if search.heedsBreakers, pairs[candidate.pair].isSetAside, serves(candidate.pair, ask), ask.since == nil,
            search.probe.map({ cost < $0.cost }) ?? true
        {
            search.probe = (choice, cost)
        }
        if weighting != .even, choice.why.isUse { search.holders.append(Holder(choice: choice, cost: ownCost)) }
        if search.best != nil {
            if cost > search.bestCost * (1 + Self.tolerance) { return }
            let isEqual = cost >= search.bestCost * (1 - Self.tolerance)
            // Among equals each is taken with the same probability, whatever their number and order.
            search.equals = isEqual ? search.equals + 1 : 1
            if search.equals > 1, Int.random(in: 0..<search.equals, using: &random) != 0 { return }
        }
        search.best = choice
        search.bestCost = cost
        search.bestOwnCost = ownCost
    }

    /// What it would cost to give the request to a candidate now, whatever breakers say; nil where that is impossible.
    /// - Parameter bound: a load that costs more is as good as impossible.
    @inline(__always)
    func weigh(_ candidate: Candidate, _ ask: Ask, bound: Double = .infinity, now: NIODeadline) -> (Choice, Double)? {
        let pair = candidate.pair
        let place = pairs[pair].place
        guard takesWork(place), pairs[pair].inFlight < limit(pair),
            let fit = ask.needs.fit(of: places[place].capabilities), ask.excluding.isEmpty || !ask.excluding.contains(places[place].endpoint.id),
            isUnclaimed(pair, ask)
        else { return nil }
        if serves(pair, ask) {
            let cost = costOfUse(pair, ask, now: now)
            let decides = cost.warmSaving > 0.5 * cost.prefill
            let why: Grant.Reason = pairs[pair].isLoaded ? (decides ? .affinity : .loaded) : .loading
            return (Choice(candidate: candidate, why: why, fit: fit, cost: cost), order(cost.weighed, pair, fit))
        }
        if settings.placement == .off {
            let cost = Cost(load: loadTime(pair))
            return (Choice(candidate: candidate, why: .load, fit: fit, cost: cost), order(1e6 * Double(1 + places[place].inFlight), pair, fit))
        }
        guard let cost = costOfLoad(pair, ask, bound: bound, now: now) else { return nil }
        return (Choice(candidate: candidate, why: cost.fits ? .fits : .load, fit: fit, cost: cost), order(cost.weighed, pair, fit))
    }

    /// Where all else is equal: fewest in flight for the model, and rather without a translation.
    private func order(_ cost: Double, _ pair: PairIndex, _ fit: RouteFit) -> Double {
        (cost + 1e-4) * (1 + 0.02 * Double(pairs[pair].inFlight)) * (fit == .native ? 1 : 1.03)
    }

    /// Where the configuration says not to wait: the least busy of those that hold the model, else of all.
    private func overcommit(_ target: Target, _ ask: Ask, now: NIODeadline) -> Decision {
        guard settings.overcommits else { return .wait }
        let others = others(target, ask, now: now)
        var best: (candidate: Candidate, fit: RouteFit, rank: (Int, Int, Int))?
        for candidate in target.candidates {
            let place = pairs[candidate.pair].place
            guard takesWork(place), let fit = ask.needs.fit(of: places[place].capabilities), !ask.excluding.contains(places[place].endpoint.id),
                admits(candidate.pair, ask.needs, now: now), !leavesToOthers(place, others)
            else { continue }
            let rank = (serves(candidate.pair, ask) ? 0 : 1, pairs[candidate.pair].inFlight, places[place].inFlight)
            if best.map({ rank < $0.rank }) ?? true { best = (candidate, fit, rank) }
        }
        guard let best else { return .wait }
        let cost =
            serves(best.candidate.pair, ask)
            ? costOfUse(best.candidate.pair, ask, now: now) : costOfLoad(best.candidate.pair, ask, now: now) ?? Cost()
        return .go(Choice(candidate: best.candidate, why: .overcommit, fit: best.fit, cost: cost))
    }
}
