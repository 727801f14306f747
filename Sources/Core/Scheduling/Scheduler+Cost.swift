// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What each thing that can be done would cost, in seconds until the first token, with the harm to others.
extension Scheduler {
    /// Constants of the rule. Tuned on simulated fleets (`make fleet-sim` reports on others).
    enum Weights {
        /// Of a load's time, as the load serves those who come later too.
        static let load = 0.5
        /// Of what is left of a load under way: less, so that nobody begins a second one that would end at the same time.
        static let loading = 0.45
        /// Of the load time of whatever is pushed out, even if nobody has wanted it lately.
        static let eviction = 0.05
        /// Of the load time, for loading a model again with other options: those who use it as it is are likely to come back.
        static let reload = 0.5
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
        /// Times its load time: so long a request waits, at most, before those who use its model with other options have to make way, and so
        /// long do they afterwards. Thus each side is served for a while instead of a load for every request.
        static let patience = 3.0
        /// Requests in the time of a load, from which on an idle model is kept for a moment for those who use it as it is.
        static let soon = 4.0
        /// Of the harm of what would have to go if no more fitted than was seen to fit, where memory is not known.
        static let guess = 0.2
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
        /// For as long those have their turn who use the model with other options.
        var patience = 0.0
        var warmTokens = 0
        var fits = true
        /// Models in the way are in use: the load cannot begin now.
        var isBlocked = false
        var isUnderWay = false

        var expected: Double { prefill + load + loadsBefore + busy + patience }
        var weighed: Double { prefill + (isUnderWay ? Weights.loading : Weights.load) * load + loadsBefore + busy + patience + harm }
    }

    /// To wait in line, by its parts, seconds.
    struct LineCost: Sendable {
        /// Until the first of those who hold the model have loaded it.
        var load = 0.0
        /// Until a slot of theirs is free.
        var wait = 0.0

        var expected: Double { load + wait }
        var weighed: Double { Weights.loading * load + Weights.line * wait }
    }

    /// Where the model is in memory, or on the way there.
    func costOfUse(_ pair: PairIndex, _ ask: Ask, now: NIODeadline) -> Cost {
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
    func costOfLoad(_ wanted: PairIndex, _ ask: Ask, bound: Double = .infinity, now: NIODeadline) -> Cost? {
        let place = pairs[wanted].place
        let speed = speedForOneMore(place)
        var cost = Cost()
        cost.prefill = books[pairs[wanted].book].prefill(tokens: ask.promptTokens, warm: 0) / speed
        cost.load = loadTime(wanted)
        if cost.weighed > bound { return nil }
        if isUsable(wanted) { addReload(wanted, ask, to: &cost, now: now) }
        for index in residents[place].loading where index != wanted { cost.loadsBefore += remainingLoad(index, now: now) }
        let used = used(with: wanted)
        guard let memory = memory(place) else {
            cost.fits = cost.fits && size(wanted) > 0 && used <= places[place].largestSeen
            guard used > places[place].largestSeen else { return cost }
            // Nothing tells whether it fits: something might have to go, and what is in use to be waited for.
            if places[place].inFlight > 0 { cost.busy = Weights.risk * books[pairs[wanted].book].service.value / speed }
            var left = used - places[place].largestSeen
            for victim in residents[place].victims where left > 0 && victim.pair != wanted {
                left -= victim.size
                cost.harm += Weights.guess * victim.harm
            }
            return cost
        }
        var left = used - max(memory, places[place].largestSeen)
        guard left > 0 else { return cost }
        cost.fits = false
        for victim in residents[place].victims where victim.pair != wanted {
            left -= victim.size
            cost.harm += victim.harm
            if !victim.isIdle {
                cost.busy += Weights.busy * victim.service / speed
                cost.isBlocked = true
            }
            if cost.weighed > bound { return nil }
            if left <= 0 { break }
        }
        return cost
    }

    // Field by field, as a method of an array's element would copy the whole of it.

    func takesWork(_ place: PlaceIndex) -> Bool { !places[place].isRemoved && places[place].phase.takesWork }

    /// How fast it serves one more request: each stream slows the others.
    func speedForOneMore(_ place: PlaceIndex) -> Double { places[place].speed / (1 + Place.slowing * Double(places[place].inFlight)) }

    func isUsable(_ pair: PairIndex) -> Bool { pairs[pair].isLoaded || pairs[pair].loading > 0 || pairs[pair].aheadUntil != nil }

    /// How many requests may be there at once. The endpoint's own number counts, unless its entry asks for less.
    func limit(_ pair: PairIndex) -> Int {
        let place = pairs[pair].place
        guard let slots = pairs[pair].slots else { return places[place].endpoint.limit }
        return places[place].endpoint.limitIsOwn ? min(places[place].endpoint.limit, slots) : slots
    }

    func loadTime(_ pair: PairIndex) -> Double {
        if let known = pairs[pair].learned.loadTime { return known }
        let size = size(pair)
        if size > 0, let bandwidth = places[pairs[pair].place].bandwidth { return 1 + Double(size) / bandwidth }
        // Better than a guess is what the model took elsewhere.
        if let measured = books[pairs[pair].book].load { return measured.value }
        return size > 0 ? 1 + Double(size) / 1.5e9 : 10
    }

    /// Never nothing while the load is not known to have ended: it may be late.
    func remainingLoad(_ pair: PairIndex, now: NIODeadline) -> Double {
        max((pairs[pair].readyAt - now).seconds, 0.1 * loadTime(pair))
    }

    /// To wait for the next slot of those who hold the model; nil if nobody does.
    func costOfLine(_ target: Target, _ ask: Ask, before: Int, now: NIODeadline) -> LineCost? {
        let others = others(target, ask, now: now)
        var slots = 0
        var speeds = 0.0
        var holders = 0.0
        var load = Double.infinity
        func count(_ pair: PairIndex) {
            let place = pairs[pair].place
            guard isAsAsked(pair, ask), isUnclaimed(pair, ask), couldServe(pair, ask), admits(pair, ask.needs, now: now),
                !leavesToOthers(place, others)
            else { return }
            slots += limit(pair)
            speeds += places[place].speed / (1 + Place.slowing * Double(max(0, places[place].inFlight - 1)))
            holders += 1
            load = min(load, pairs[pair].isLoaded ? 0 : remainingLoad(pair, now: now))
        }
        if let book = target.book, !target.byPlace.isEmpty {
            for pair in books[book].usable where target.candidate(pair, at: pairs[pair].place) != nil { count(pair) }
        } else {
            for candidate in target.candidates where isUsable(candidate.pair) { count(candidate.pair) }
        }
        guard slots > 0, let first = target.candidates.first else { return nil }
        let wait = books[pairs[first.pair].book].service.value / (speeds / holders) * Double(before + 1) / Double(slots)
        return LineCost(load: load, wait: wait)
    }
}
