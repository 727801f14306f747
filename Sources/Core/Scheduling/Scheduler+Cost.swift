// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What each thing that can be done would cost, in seconds until the first token, with the harm to others.
extension Scheduler {
    /// Constants of the rule. Tuned on simulated fleets (`make fleet-sim` reports on others).
    enum Weights {
        /// Of a load's time, as the load serves those who come later too.
        static let load = 0.5
        /// Of what is left of a load under way.
        static let loading = 0.35
        /// Of the load time of whatever is pushed out, even if nobody has wanted it lately.
        static let eviction = 0.05
        /// Of the expected wait in line, as whoever waits makes the next one wait.
        static let line = 3.0
        /// For how long, seconds, the demand for a model counts that a load pushes out.
        static let harmSeconds = 100.0
        /// Of that harm, where the model is in memory elsewhere too.
        static let harmElsewhere = 0.25
        /// Of the service time of a model that is in the way and busy.
        static let busy = 1.0
        /// Of the service time, where memory is not known and something there is in use: the load may have to wait for it.
        static let risk = 1.0
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
        var isUnderWay = false

        var expected: Double { prefill + load + loadsBefore + busy }
        var weighed: Double { prefill + (isUnderWay ? Weights.loading : Weights.load) * load + loadsBefore + busy + harm }
    }

    /// Where the model is in memory, or on the way there.
    func costOfUse(_ pair: Int, _ ask: Ask, now: NIODeadline) -> Cost {
        let place = pairs[pair].place
        let book = pairs[pair].book
        var cost = Cost()
        let speed = speedForOneMore(place)
        if settings.affinity, pairs[pair].isLoaded, !ask.prefix.isEmpty || ask.session != nil {
            cost.warmTokens = pairs[pair].prefixes.warmTokens(ask)
        }
        cost.prefill = books[book].prefill(tokens: ask.promptTokens, warm: cost.warmTokens) / speed
        if cost.warmTokens > 0 { cost.warmSaving = books[book].prefill(tokens: ask.promptTokens, warm: 0) / speed - cost.prefill }
        if !pairs[pair].isLoaded {
            cost.load = remainingLoad(pair, now: now)
            cost.isUnderWay = true
        }
        return cost
    }

    /// Where the model has to be loaded; nil as soon as it is more than `bound`.
    func costOfLoad(_ wanted: Int, _ ask: Ask, bound: Double = .infinity, now: NIODeadline) -> Cost? {
        let place = pairs[wanted].place
        let speed = speedForOneMore(place)
        var cost = Cost()
        cost.prefill = books[pairs[wanted].book].prefill(tokens: ask.promptTokens, warm: 0) / speed
        cost.load = loadTime(wanted)
        if cost.weighed > bound { return nil }
        let used = used(with: wanted)
        for index in places[place].resident where !pairs[index].isLoaded && isUsable(index) && index != wanted {
            cost.loadsBefore += remainingLoad(index, now: now)
        }
        guard let memory = memory(place) else {
            // Nothing tells whether it fits: what is in use might have to go.
            if places[place].inFlight > 0, used > places[place].largestSeen {
                cost.busy = Weights.risk * books[pairs[wanted].book].service.value / speed
            }
            cost.fits = size(wanted) > 0 && used <= places[place].largestSeen
            return cost
        }
        var left = used - max(memory, places[place].largestSeen)
        var taken: UInt64 = 0
        while left > 0, let victim = nextVictim(place, besides: wanted, taken: &taken) {
            left -= size(victim)
            cost.fits = false
            cost.harm += harm(victim)
            if !isIdle(victim) {
                cost.busy += Weights.busy * books[pairs[victim].book].service.value / speed
                cost.isBlocked = true
            }
            if cost.weighed > bound { return nil }
        }
        return cost
    }

    /// Bytes that would be in use if the model fitted beside everything.
    func used(with wanted: Int) -> Int {
        var used = size(wanted)
        for index in places[pairs[wanted].place].resident where index != wanted { used += size(index) }
        return used
    }

    private func isIdle(_ pair: Int) -> Bool { pairs[pair].inFlight == 0 && pairs[pair].isLoaded }

    /// The next to be pushed out: idle models, least recently used first, then those in use, the least wanted first.
    /// - Parameter taken: a bit for each of the place's residents that came before.
    private func nextVictim(_ place: Int, besides wanted: Int, taken: inout UInt64) -> Int? {
        var best: Int?
        var bit: UInt64 = 0
        for number in 0..<min(64, places[place].resident.count) {
            let index = places[place].resident[number]
            guard taken & (1 << UInt64(number)) == 0, index != wanted, size(index) > 0 else { continue }
            if let known = best {
                let idle = isIdle(index)
                if idle != isIdle(known) {
                    if !idle { continue }
                } else if idle ? pairs[index].lastUsed >= pairs[known].lastUsed : harm(index) >= harm(known) {
                    continue
                }
            }
            best = index
            bit = 1 << UInt64(number)
        }
        taken |= bit
        return best
    }

    /// What a load would push out.
    func makeRoom(for wanted: Int) -> (idle: [Int], busy: [Int]) {
        let place = pairs[wanted].place
        guard let memory = memory(place), pairs[wanted].expectedSize != nil else { return ([], []) }
        var victims: (idle: [Int], busy: [Int]) = ([], [])
        var left = used(with: wanted) - max(memory, places[place].largestSeen)
        var taken: UInt64 = 0
        while left > 0, let victim = nextVictim(place, besides: wanted, taken: &taken) {
            left -= size(victim)
            if isIdle(victim) { victims.idle.append(victim) } else { victims.busy.append(victim) }
        }
        return victims
    }

    /// What those who will want the model pay for its going.
    func harm(_ pair: Int) -> Double {
        let book = pairs[pair].book
        let load = loadTime(pair)
        let whole = books[book].rate * load * Weights.harmSeconds
        let harm = (books[book].holders > 1 ? whole * Weights.harmElsewhere : whole) + Weights.eviction * load
        return pairs[pair].isPinned ? harm + Weights.pinned : harm
    }

    // Field by field, as a method of an array's element would copy the whole of it.

    func takesWork(_ place: Int) -> Bool { !places[place].isRemoved && places[place].phase.takesWork }

    /// How fast it serves one more request: each stream slows the others.
    func speedForOneMore(_ place: Int) -> Double { places[place].speed / (1 + Place.slowing * Double(places[place].inFlight)) }

    /// Bytes for models; nil while nothing tells.
    func memory(_ place: Int) -> Int? {
        if let told = places[place].endpoint.vramBytes { return told }
        guard let overflow = places[place].leastOverflow else { return nil }
        return places[place].largestSeen + max(0, overflow - places[place].largestSeen) / 4
    }

    func isUsable(_ pair: Int) -> Bool { pairs[pair].isLoaded || pairs[pair].loading > 0 || pairs[pair].aheadUntil != nil }

    private func size(_ pair: Int) -> Int { pairs[pair].sizeInMemory ?? pairs[pair].sizeBytes.map { $0 + $0 / 5 } ?? 0 }

    /// How many requests may be there at once. The endpoint's own number counts, unless its entry asks for less.
    func limit(_ pair: Int) -> Int {
        let place = pairs[pair].place
        guard let slots = pairs[pair].slots else { return places[place].endpoint.limit }
        return places[place].endpoint.limitIsOwn ? min(places[place].endpoint.limit, slots) : slots
    }

    func loadTime(_ pair: Int) -> Double {
        if let known = pairs[pair].learned.loadTime { return known }
        let size = size(pair)
        guard size > 0 else { return 10 }
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
        for candidate in usable(target) where pairs[candidate.pair].claim == nil {
            let place = pairs[candidate.pair].place
            guard takesWork(place), excluding.isEmpty || !excluding.contains(places[place].endpoint.id),
                needs.fit(of: places[place].capabilities) != nil
            else { continue }
            slots += limit(candidate.pair)
            speeds += places[place].speed / (1 + Place.slowing * Double(max(0, places[place].inFlight - 1)))
            holders += 1
        }
        guard slots > 0, let first = target.candidates.first else { return nil }
        return books[pairs[first.pair].book].service.value / (speeds / holders) * Double(before + 1) / Double(slots)
    }
}
