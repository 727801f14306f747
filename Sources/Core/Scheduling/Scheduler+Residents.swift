// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What is in an endpoint's memory, and in which order it would go. Found anew after a change there and not for each decision, as a
/// decision looks at every endpoint.
struct Residents: Sendable {
    struct Victim: Sendable {
        var pair: PairIndex
        /// Bytes.
        var size: Int
        /// Seconds, as `Scheduler.harm`.
        var harm: Double
        /// Mean service time, seconds at speed 1.
        var service: Double
        var isIdle: Bool
    }

    var isStale = true
    /// Bytes of all that is there or on the way.
    var used = 0
    /// Pairs on the way there.
    var loading: [PairIndex] = []
    /// Idle models, least recently used first, then those in use, the least wanted first.
    var victims: [Victim] = []
}

extension Scheduler {
    /// Something in the endpoint's memory has changed, or what it is worth.
    mutating func residentsChanged(_ place: PlaceIndex) {
        guard !residents[place].isStale else { return }
        residents[place].isStale = true
        staleResidents.append(place)
    }

    mutating func residentsChanged() {
        for place in residents.indices { residentsChanged(place) }
    }

    /// To be called before anything is read from `residents`.
    mutating func refreshResidents() {
        guard !staleResidents.isEmpty else { return }
        for place in staleResidents { refresh(place) }
        staleResidents.removeAll(keepingCapacity: true)
    }

    private mutating func refresh(_ place: PlaceIndex) {
        residents[place].isStale = false
        residents[place].used = 0
        residents[place].loading.removeAll(keepingCapacity: true)
        residents[place].victims.removeAll(keepingCapacity: true)
        for pair in places[place].resident {
            let size = size(pair)
            residents[place].used += size
            if !pairs[pair].isLoaded, isUsable(pair) { residents[place].loading.append(pair) }
            guard size > 0 else { continue }
            residents[place].victims.append(
                Residents.Victim(
                    pair: pair, size: size, harm: harm(pair), service: books[pairs[pair].book].service.value,
                    isIdle: pairs[pair].inFlight == 0 && pairs[pair].isLoaded))
        }
        guard residents[place].victims.count > 1 else { return }
        residents[place].victims.sort { left, right in
            guard left.isIdle == right.isIdle else { return left.isIdle }
            return left.isIdle ? pairs[left.pair].lastUsed < pairs[right.pair].lastUsed : left.harm < right.harm
        }
    }

    /// Bytes that would be in use if the model fitted beside everything.
    func used(with wanted: PairIndex) -> Int {
        let place = pairs[wanted].place
        let size = size(wanted)
        // Rarely it is there already: in use, and gone from the endpoint's own list.
        return residents[place].used + (pairs[wanted].takesMemory ? 0 : size)
    }

    /// What a load would push out.
    mutating func makeRoom(for wanted: PairIndex) -> (idle: [PairIndex], busy: [PairIndex]) {
        refreshResidents()
        var victims: (idle: [PairIndex], busy: [PairIndex]) = ([], [])
        eachVictim(of: wanted) { victim in
            if victim.isIdle { victims.idle.append(victim.pair) } else { victims.busy.append(victim.pair) }
            return true
        }
        return victims
    }

    /// Whether a load would have to wait for something that is in use.
    mutating func hasBusyVictim(_ wanted: PairIndex) -> Bool {
        refreshResidents()
        var found = false
        eachVictim(of: wanted) { victim in
            found = !victim.isIdle
            return !found
        }
        return found
    }

    private func eachVictim(of wanted: PairIndex, _ take: (Residents.Victim) -> Bool) {
        let place = pairs[wanted].place
        guard let memory = memory(place), pairs[wanted].expectedSize != nil else { return }
        var left = used(with: wanted) - max(memory, places[place].largestSeen)
        guard left > 0 else { return }
        for victim in residents[place].victims where victim.pair != wanted {
            left -= victim.size
            if !take(victim) || left <= 0 { return }
        }
    }

    /// What those who will want the model pay for its going, seconds.
    func harm(_ pair: PairIndex) -> Double {
        let book = pairs[pair].book
        let load = loadTime(pair)
        let whole = presentRate(pair) * load * Weights.harmSeconds
        let isElsewhere = books[book].configurations.isEmpty ? books[book].holders > 1 : isElsewhere(pair)
        let harm = (isElsewhere ? whole * Weights.harmElsewhere : whole) + Weights.eviction * load
        return pairs[pair].isPinned ? harm + Weights.pinned : harm
    }

    /// Bytes for models; nil while nothing tells. Between the most that was seen to fit and the least that did not, it is rather the former:
    /// to find out that more would have fitted costs little, the other a load.
    func memory(_ place: PlaceIndex) -> Int? {
        if let told = places[place].endpoint.vramBytes { return told }
        guard let overflow = places[place].leastOverflow else { return nil }
        return places[place].largestSeen + max(0, overflow - places[place].largestSeen) / 4
    }

    func size(_ pair: PairIndex) -> Int { pairs[pair].sizeInMemory ?? pairs[pair].sizeBytes.map { $0 + $0 / 5 } ?? 0 }
}
