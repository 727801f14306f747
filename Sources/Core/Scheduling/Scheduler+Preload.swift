// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Loads ahead of need: pinned models, and with `placement: active` what is wanted more than what its memory holds now.
extension Scheduler {
    /// Seconds over which the gain of a load has to pay a part of its time.
    private static let horizon = 300.0
    private static let payback = 0.1
    /// How much more a model must be wanted than what it pushes out.
    private static let advantage = 1.5
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
            setUse(pair) { pair, place in
                pair.aheadUntil = nil
                pair.isLoaded = place.phase.takesWork
            }
            return line.isEmpty ? [] : dispatch(freed: pair, now: now)
        case .failed:
            setUse(pair) { pair, _ in pair.aheadUntil = nil }
            places[place].loadFailed = now
            return line.isEmpty ? [] : dispatchAll(now: now)
        }
    }

    mutating func preloads(now: NIODeadline) -> [SchedulerAction] {
        guard now - placedAt >= Self.placeEvery, settings.placement == .active || !settings.pins.isEmpty else { return [] }
        placedAt = now
        var actions: [SchedulerAction] = []
        for place in places.indices where mayLoad(place, now: now) {
            guard let pair = pinnedAndMissing(place) ?? (settings.placement == .active ? mostWanted(place, now: now) : nil) else { continue }
            beginLoad(pair, after: 0, now: now)
            let patience = max(120, 10 * loadTime(pair))
            setUse(pair) { pair, _ in pair.aheadUntil = now + .nanoseconds(Int64(patience * 1e9)) }
            pairs[pair].lastUsed = now
            actions.append(.load(places[place].endpoint.id, model: pairs[pair].name))
        }
        return actions
    }

    /// One load at a time; what was asked for and never came is given up.
    private mutating func mayLoad(_ place: Int, now: NIODeadline) -> Bool {
        guard places[place].takesWork, places[place].endpoint.kind.loadsModels else { return false }
        for pair in places[place].resident {
            if let until = pairs[pair].aheadUntil, until <= now {
                setUse(pair) { pair, _ in pair.aheadUntil = nil }
                places[place].loadFailed = now
                return false
            }
            if !pairs[pair].isLoaded, pairs[pair].isUsable { return false }
        }
        return places[place].loadFailed.map { now - $0 >= Self.afterFailure } ?? true
    }

    private func pinnedAndMissing(_ place: Int) -> Int? {
        places[place].pairs.first { pairs[$0].isPinned && pairs[$0].isPresent && !pairs[$0].isUsable }
    }

    /// The model for which a load there would save most waiting, if it is worth it.
    private func mostWanted(_ place: Int, now: NIODeadline) -> Int? {
        var best: (pair: Int, gain: Double)?
        for pair in places[place].pairs where pairs[pair].isPresent && !pairs[pair].isUsable {
            let gain = gain(pair, now: now)
            guard gain * Self.horizon > Self.payback * loadTime(pair), gain > best?.gain ?? 0 else { continue }
            let room = makeRoom(for: pair, now: now)
            guard room.busy.isEmpty, !room.idle.contains(where: { pairs[$0].isPinned }) else { continue }
            let loss = room.idle.reduce(0) { $0 + self.loss($1, now: now) }
            if gain - Self.advantage * loss > best?.gain ?? 0 { best = (pair, gain - Self.advantage * loss) }
        }
        return best?.pair
    }

    /// Seconds of waiting saved per second by one more holder.
    private func gain(_ pair: Int, now: NIODeadline) -> Double {
        let book = pairs[pair].book
        return (wait(pair, holders: books[book].holders, now: now) - wait(pair, holders: books[book].holders + 1, now: now))
            * (books[book].demand.perSecond(now: now) + Double(line.waiting(for: book)) / 10)
    }

    private func loss(_ pair: Int, now: NIODeadline) -> Double {
        let book = pairs[pair].book
        return (wait(pair, holders: books[book].holders - 1, now: now) - wait(pair, holders: books[book].holders, now: now))
            * books[book].demand.perSecond(now: now)
    }

    /// About how long a request for the model waits with so many holders: for a load with none, else the more the busier they are.
    private func wait(_ pair: Int, holders: Int, now: NIODeadline) -> Double {
        let load = loadTime(pair)
        guard holders > 0 else { return load }
        let book = books[pairs[pair].book]
        let slots = Double(holders * pairs[pair].limit(places[pairs[pair].place].endpoint))
        let use = min(1, book.demand.perSecond(now: now) * book.service.value / slots)
        return min(load, book.service.value / Double(holders) * (0.1 + use) * use)
    }
}
