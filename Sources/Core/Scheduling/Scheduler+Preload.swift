// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Loads ahead of need: pinned models, and with `placement: active` what is wanted more than what its memory holds now.
extension Scheduler {
    /// Seconds over which the gain of a load has to pay a part of its time.
    private static let horizon = 300.0
    private static let payback = 0.3
    /// The share of a memory that further copies of a model leave free, so that the next load that is needed pushes nothing out.
    private static let reserve = 0.35
    /// What it is worth to learn whether a model fits where memory is not known, seconds for each request for it.
    private static let trial = 3.0
    private static let placeEvery = TimeAmount.seconds(1)
    private static let afterFailure = TimeAmount.seconds(60)

    /// How a load went that `SchedulerAction.load` had asked for.
    public mutating func loadEnded(_ id: EndpointID, model: String, _ end: LoadEnd, now: NIODeadline) -> [SchedulerAction] {
        guard let place = indexOf[id], let pair = places[place].pairs.first(where: { pairs[$0].name == model }), pairs[pair].aheadUntil != nil else {
            return []
        }
        switch end {
        case .loaded(let time):
            if time > .zero {
                pairs[pair].learned.recordLoad(time.seconds)
                learnLoad(pair, time.seconds)
            }
            let isUp = places[place].phase.takesWork
            setUse(pair) { pair in
                pair.aheadUntil = nil
                pair.isLoaded = isUp
            }
            return line.isEmpty ? [] : dispatch(freed: pair, now: now)
        case .failed:
            setUse(pair) { pair in pair.aheadUntil = nil }
            places[place].loadFailed = now
            return line.isEmpty ? [] : dispatchAll(now: now)
        }
    }

    mutating func preloads(now: NIODeadline) -> [SchedulerAction] {
        guard now - placedAt >= Self.placeEvery, settings.placement == .active || !settings.pins.isEmpty else { return [] }
        placedAt = now
        refreshResidents()
        var actions: [SchedulerAction] = []
        for place in places.indices where mayLoad(place, now: now) {
            let isForAll = weighting == .even || places[place].endpoint.weight > 0
            guard let pair = pinnedAndMissing(place) ?? (settings.placement == .active && isForAll ? mostWanted(place) : nil) else { continue }
            let options = usualOptions(pair)
            beginLoad(pair, options, .first, after: 0, now: now)
            let patience = max(120, 10 * loadTime(pair))
            setUse(pair) { pair in pair.aheadUntil = now + .nanoseconds(Int64(patience * 1e9)) }
            pairs[pair].lastUsed = now
            residentsChanged(place)
            actions.append(.load(places[place].endpoint.id, model: pairs[pair].name, options: options))
        }
        return actions
    }

    /// One load at a time; what was asked for and never came is given up.
    private mutating func mayLoad(_ place: PlaceIndex, now: NIODeadline) -> Bool {
        guard places[place].takesWork, places[place].endpoint.kind.loadsModels, placeBreakers[place].isClosed else { return false }
        for pair in places[place].resident {
            if let until = pairs[pair].aheadUntil, until <= now {
                setUse(pair) { pair in pair.aheadUntil = nil }
                places[place].loadFailed = now
                return false
            }
            if !pairs[pair].isLoaded, pairs[pair].isUsable { return false }
        }
        return places[place].loadFailed.map { now - $0 >= Self.afterFailure } ?? true
    }

    private func pinnedAndMissing(_ place: PlaceIndex) -> PairIndex? {
        places[place].pairs.first { pairs[$0].isPinned && pairs[$0].isPresent && !pairs[$0].isUsable && !pairs[$0].isSetAside }
    }

    /// The model for which a load there would save most waiting, if it is worth it.
    private func mostWanted(_ place: PlaceIndex) -> PairIndex? {
        var best: (pair: PairIndex, gain: Double)?
        for pair in places[place].pairs where pairs[pair].isPresent && !pairs[pair].isUsable && !pairs[pair].isSetAside {
            var gain = gain(pair)
            var cost = Self.payback * loadTime(pair)
            if used(with: pair) > places[place].largestSeen, places[place].endpoint.vramBytes == nil {
                guard let harm = harmOfTrial(pair) else { continue }
                gain += Self.trial * books[pairs[pair].book].rate
                cost += harm
            } else if let memory = memory(place) {
                // Ahead of need nothing is pushed out.
                let free = books[pairs[pair].book].holders == 0 ? 0 : Self.reserve * Double(memory)
                if Double(memory - used(with: pair)) < free { continue }
            }
            if gain * Self.horizon > cost, gain > best?.gain ?? 0 { best = (pair, gain) }
        }
        return best?.pair
    }

    /// More than was seen to fit, where nobody told how much there is: an idle endpoint may find out, once. Either it fits, and there is
    /// that much more to count on; or something went for it, and the memory is known from then on.
    ///
    /// - Returns: the harm if all of the excess has to go, seconds; nil if there is nothing to be found out, somebody would be disturbed, or
    ///   something might have to go that is wanted more.
    private func harmOfTrial(_ pair: PairIndex) -> Double? {
        let place = pairs[pair].place
        guard places[place].leastOverflow == nil, places[place].inFlight == 0 else { return nil }
        let rate = books[pairs[pair].book].rate
        var left = used(with: pair) - places[place].largestSeen
        var harm = 0.0
        for victim in residents[place].victims where left > 0 {
            guard !pairs[victim.pair].isPinned, books[pairs[victim.pair].book].rate <= rate else { return nil }
            left -= victim.size
            harm += victim.harm
        }
        return harm
    }

    /// Seconds of waiting saved per second by one more holder.
    private func gain(_ pair: PairIndex) -> Double {
        let book = pairs[pair].book
        return (wait(pair, holders: books[book].holders) - wait(pair, holders: books[book].holders + 1))
            * (books[book].rate + Double(line.waiting(for: book)) / 10)
    }

    /// About how long a request for the model waits with so many holders: with none for a load and then as with one, else for a slot
    /// (Sakasegawa's approximation of a queue with several servers).
    private func wait(_ pair: PairIndex, holders: Int) -> Double {
        guard holders > 0 else { return loadTime(pair) + wait(pair, holders: 1) }
        let book = books[pairs[pair].book]
        let slots = Double(holders * limit(pair))
        let use = min(0.95, book.rate * book.service.value / slots)
        guard use > 0.001 else { return 0 }
        return book.service.value / slots * Arithmetic.power(use, (2 * (slots + 1)).squareRoot() - 1) / (1 - use)
    }
}
