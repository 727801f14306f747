// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What each thing that can be done would cost, in seconds until the first token, with the harm to others.
extension Scheduler {
    /// Constants of the rule. Tuned on simulated fleets (`make fleet-sim` reports on others).
    enum Weights {
        /// Of a load's time, as the load serves those who come later too.
        static let load = 0.5
        /// Of the expected wait in line, as whoever waits makes the next one wait.
        static let line = 3.0
        /// For how long, seconds, the demand for a model counts that a load pushes out.
        static let harmSeconds = 100.0
        /// Of that harm, where the model is in memory elsewhere too.
        static let harmElsewhere = 0.25
        /// Of the service time of a model that is in the way and busy.
        static let busy = 1.0
        /// Seconds of harm for pushing out a pinned model: only where there is no other way.
        static let pinned = 1000.0
    }

    /// A cost by its parts, seconds.
    struct Cost: Sendable {
        var prefill = 0.0
        /// What a warm prefix saves, and what the prefill would be without.
        var warmSaving = 0.0
        var load = 0.0
        var loadsBefore = 0.0
        var busy = 0.0
        var harm = 0.0
        var warmTokens = 0
        var fits = true
        /// Models in the way are in use: the load cannot begin now.
        var isBlocked = false

        var expected: Double { prefill + load + loadsBefore + busy }
        var weighed: Double { prefill + Weights.load * load + loadsBefore + busy + harm }
    }

    /// Where the model is in memory, or on the way there.
    func costOfUse(_ pair: Int, _ ask: Ask, now: NIODeadline) -> Cost {
        let place = pairs[pair].place
        let book = pairs[pair].book
        var cost = Cost()
        let speed = places[place].speedForOneMore
        if settings.affinity, pairs[pair].isLoaded, !ask.prefix.isEmpty || ask.session != nil {
            cost.warmTokens = pairs[pair].prefixes.warmTokens(ask)
        }
        cost.prefill = books[book].prefill(tokens: ask.promptTokens, warm: cost.warmTokens) / speed
        if cost.warmTokens > 0 { cost.warmSaving = books[book].prefill(tokens: ask.promptTokens, warm: 0) / speed - cost.prefill }
        if !pairs[pair].isLoaded { cost.load = remainingLoad(pair, now: now) }
        return cost
    }

    /// Where the model has to be loaded.
    func costOfLoad(_ wanted: Int, _ ask: Ask, now: NIODeadline) -> Cost {
        let place = pairs[wanted].place
        var cost = Cost()
        cost.prefill = books[pairs[wanted].book].prefill(tokens: ask.promptTokens, warm: 0) / places[place].speedForOneMore
        cost.load = loadTime(wanted)
        for index in places[place].resident where !pairs[index].isLoaded && pairs[index].isUsable && index != wanted {
            cost.loadsBefore += remainingLoad(index, now: now)
        }
        let room = makeRoom(for: wanted, now: now)
        cost.fits = room.idle.isEmpty && room.busy.isEmpty
        for victim in room.idle { cost.harm += harm(victim, now: now) }
        for victim in room.busy {
            cost.harm += harm(victim, now: now)
            cost.busy += Weights.busy * books[pairs[victim].book].service.value / places[place].speedForOneMore
            cost.isBlocked = true
        }
        return cost
    }

    /// What a load would push out: idle models, least recently used first, then those in use.
    func makeRoom(for wanted: Int, now: NIODeadline) -> (idle: [Int], busy: [Int]) {
        let place = pairs[wanted].place
        guard let memory = places[place].memory, let size = pairs[wanted].expectedSize else { return ([], []) }
        var used = size
        for index in places[place].resident where index != wanted { used += pairs[index].expectedSize ?? 0 }
        if used <= memory || used <= places[place].largestSeen { return ([], []) }
        var victims: (idle: [Int], busy: [Int]) = ([], [])
        let others = places[place].resident.filter { $0 != wanted && pairs[$0].expectedSize ?? 0 > 0 }
        for index in others.filter({ pairs[$0].inFlight == 0 && pairs[$0].isLoaded }).sorted(by: { pairs[$0].lastUsed < pairs[$1].lastUsed }) {
            victims.idle.append(index)
            used -= pairs[index].expectedSize ?? 0
            if used <= memory { return victims }
        }
        for index in others.filter({ pairs[$0].inFlight > 0 || !pairs[$0].isLoaded }).sorted(by: { harm($0, now: now) < harm($1, now: now) }) {
            victims.busy.append(index)
            used -= pairs[index].expectedSize ?? 0
            if used <= memory { break }
        }
        return victims
    }

    /// What those who will want the model pay for its going.
    func harm(_ pair: Int, now: NIODeadline) -> Double {
        let book = pairs[pair].book
        let whole = books[book].demand.perSecond(now: now) * loadTime(pair) * Weights.harmSeconds
        let harm = books[book].holders > 1 ? whole * Weights.harmElsewhere : whole
        return pairs[pair].isPinned ? harm + Weights.pinned : harm
    }

    func loadTime(_ pair: Int) -> Double {
        if let known = pairs[pair].learned.loadTime { return known }
        guard let size = pairs[pair].expectedSize else { return 10 }
        return 1 + Double(size) / (places[pairs[pair].place].bandwidth ?? 1.5e9)
    }

    /// Never nothing while the load is not known to have ended: it may be late.
    private func remainingLoad(_ pair: Int, now: NIODeadline) -> Double {
        max((pairs[pair].readyAt - now).seconds, 0.1 * loadTime(pair))
    }

    /// To wait for the next slot of those who hold the model; nil if nobody does.
    func costOfLine(_ target: Target, needs: RouteNeeds, excluding: [EndpointID], before: Int, now: NIODeadline) -> Double? {
        var slots = 0
        var speeds = 0.0
        var holders = 0.0
        for candidate in target.candidates where pairs[candidate.pair].isUsable && pairs[candidate.pair].claim == nil {
            let place = pairs[candidate.pair].place
            guard places[place].takesWork, excluding.isEmpty || !excluding.contains(places[place].endpoint.id),
                needs.fit(of: places[place].capabilities) != nil
            else { continue }
            slots += pairs[candidate.pair].limit(places[place].endpoint)
            speeds += places[place].speed / (1 + Place.slowing * Double(max(0, places[place].inFlight - 1)))
            holders += 1
        }
        guard slots > 0, let first = target.candidates.first else { return nil }
        return books[pairs[first.pair].book].service.value / (speeds / holders) * Double(before + 1) / Double(slots)
    }
}
