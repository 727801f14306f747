// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What an endpoint's weight means. Two things, and both only between endpoints whose weights differ:
///
/// 1. What would cost a second on an endpoint counts as many seconds as its weight goes into the largest of the fleet.
/// 2. Of those that hold the model and that would serve a request about as well as the best of them by that count, each gets the share of
///    the traffic that is its weight's share: 2 against 1 is two requests of three.
///
/// Whoever has the weight 0 is there for what nobody else can serve, now or later.
///
/// The share is kept by a clock for each pair, as in stride scheduling (Waldspurger and Weihl 1995): it goes forward with each request, the
/// faster the less the weight, and the one that is behind is next. So it holds for one client in sequence as for many, and does not depend
/// on chance.
extension Scheduler {
    /// Those that cost no more than that times what the best costs are about as good.
    private static let equals = 1.25

    /// What weighs between endpoints.
    enum Weighting: Sendable, Equatable {
        /// All weights are the same: they mean nothing.
        case even
        /// The largest of them.
        case uneven(largest: Double)
    }

    mutating func setWeighting() {
        let weights = places.values.lazy.filter { !$0.isRemoved }.map(\.endpoint.weight)
        let largest = weights.max() ?? 1
        weighting = largest == (weights.min() ?? 1) ? .even : .uneven(largest: largest)
    }

    /// How much more counts what costs something there.
    func costFactor(_ place: PlaceIndex) -> Double {
        guard case .uneven(let largest) = weighting, places[place].endpoint.weight > 0 else { return 1 }
        return largest / places[place].endpoint.weight
    }

    /// Whether the request is left to others, as the endpoint takes only what nobody else can serve.
    func leavesToOthers(_ place: PlaceIndex, _ others: Others) -> Bool { others == .canServe && places[place].endpoint.weight == 0 }

    /// Of a request: whether anybody is there for it beside those that take only what nobody else can serve.
    enum Others: Sendable {
        case canServe, cannotServe
    }

    func others(_ target: Target, _ ask: Ask, now: NIODeadline) -> Others {
        guard weighting != .even else { return .cannotServe }
        let some = target.candidates.contains { candidate in
            places[pairs[candidate.pair].place].endpoint.weight > 0 && couldServe(candidate.pair, ask) && admits(candidate.pair, ask.needs, now: now)
        }
        return some ? .canServe : .cannotServe
    }

    /// One that holds the model, and what the request would cost there.
    struct Holder {
        var choice: Choice
        /// By itself, not counted by its weight.
        var cost: Double
    }

    /// Of those that are about as good as `best` the one whose turn it is.
    func share(_ holders: [Holder], _ best: Choice, cost: Double) -> Choice {
        let equals = holders.filter { $0.cost <= cost * Self.equals }
        guard equals.count > 1 else { return best }
        let clocks = clocks(equals.map(\.choice.candidate.pair))
        let next = equals.indices.min { left, right in
            if clocks[left] != clocks[right] { return clocks[left] < clocks[right] }
            let factors = (factor(equals[left]), factor(equals[right]))
            return factors.0 != factors.1 ? factors.0 < factors.1 : equals[left].cost < equals[right].cost
        }
        return next.map { equals[$0].choice } ?? best
    }

    /// A pair that was away for long does not get everything until it has caught up: it is behind by a request of each at most.
    private func clocks(_ pairs: [PairIndex]) -> [Double] {
        let clocks = pairs.map { self.pairs[$0].shareClock }
        let steps = pairs.map { costFactor(self.pairs[$0].place) }
        let least = (clocks.max() ?? 0) - (steps.max() ?? 0)
        return zip(clocks, steps).map { max($0, least - $1) }
    }

    private func factor(_ holder: Holder) -> Double { costFactor(pairs[holder.choice.candidate.pair].place) }

    /// A request goes there that could have gone elsewhere.
    mutating func countShare(_ pair: PairIndex) {
        guard weighting != .even else { return }
        let holders = books[pairs[pair].book].usable
        let top = holders.reduce(pairs[pair].shareClock) { max($0, pairs[$1].shareClock) }
        let step = costFactor(pairs[pair].place)
        let longest = holders.reduce(step) { max($0, costFactor(pairs[$1].place)) }
        pairs[pair].shareClock = max(pairs[pair].shareClock, top - longest - step) + step
    }
}
