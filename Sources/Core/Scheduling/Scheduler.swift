// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Decides which endpoint serves which request, and who waits. State and events in, actions out: no I/O, no clock, no
/// randomness of its own, so that a test or a simulation drives the very code that the daemon runs.
///
/// This file has requests and slots, `Scheduler+Fleet` what is told of the endpoints. `Scheduler+Resolve` finds which endpoints have a model,
/// `Scheduler+Choose` has the rule that picks one of them or says "wait", `Scheduler+Cost` what it counts, `Scheduler+Dispatch` gives slots to the
/// line, `Scheduler+Preload` loads ahead of need. `WaitingLine` and `TenantTimes` keep the order; `ModelBook`, `Learned` and `Place` what was measured.
///
/// Invariants, checked by tests after every event:
/// - a pair's `inFlight` is the number of leases out for it, and is above its limit only where a reload has lowered that or the
///   configuration over-commits;
/// - nobody waits while a slot is free where its model is in memory, unless that memory is claimed for somebody who waits longer.
public struct Scheduler: Sendable {
    var settings: SchedulerSettings
    var random: SplitMix64
    /// Endpoints and pairs are named by their index, which never changes: what is gone is marked so.
    var places: [Place] = []
    var pairs: [Pair] = []
    /// By place; and the places whose entry has to be found anew before it is read.
    var residents: [Residents] = []
    var staleResidents: [Int] = []
    var indexOf: [EndpointID: Int] = [:]
    var catalog = Catalog()
    var line = WaitingLine()
    /// By model; a pair names its own. As many as models have been seen on endpoints: no client can make more.
    var books: [ModelBook] = []
    var bookOf: [String: Int] = [:]
    /// Pairs by every text that may mean them.
    var pairsByForm: [String: [Int]] = [:]
    /// When models were last looked at for loading ahead of need.
    var placedAt = NIODeadline.uptimeNanoseconds(0)
    var hasClaims = false
    /// Reports of endpoints that a reload has just added, and that come before `setEndpoints` tells of them.
    var early: [EndpointID: EndpointReport] = [:]
    var leases = LeaseTable()
    /// Leases that were given back twice: a fault of the caller, which changes nothing but this.
    public private(set) var doubleReleases = 0

    public init(settings: SchedulerSettings, seed: UInt64) {
        self.settings = settings
        line.weights = settings.keyWeights
        random = SplitMix64(seed: seed)
    }

    // MARK: Requests

    public mutating func submit(_ ask: Ask, now: NIODeadline) -> Admission {
        var book: Int?
        switch resolve(ask.model, needs: ask.needs, excluding: ask.excluding) {
        case .candidates(let target):
            book = target.book
            if let book { books[book].count(now: now) }
            let before = book.map { line.waiting(for: $0) } ?? 0
            // A load is rather for who has waited longer: the line decides about it.
            switch choose(target, ask, before: before, loads: before == 0 || !isWaiting(ask, book) ? .all : .none, now: now) {
            case .go(let choice): return .granted(grant(choice, ask, target, now: now))
            case .claim(let pair): claim(pair, now: now)
            case .wait: break
            }
        case .later:
            break
        case .refused(let refusal):
            return .refused(refusal)
        }
        guard line.hasRoom(for: ask.tenant, limit: settings.queueLimit) else { return .refused(.lineFull(limit: settings.queueLimit)) }
        if let since = ask.since, since + settings.queueTimeout <= now { return .refused(.waitedTooLong(seconds: settings.queueTimeout.seconds)) }
        let (ticket, position) = line.add(ask, book: book, now: now, timeout: settings.queueTimeout)
        return .queued(ticket, position: position)
    }

    private func isWaiting(_ ask: Ask, _ book: Int?) -> Bool {
        line.number(of: WaitingLine.Group(model: ask.model, needs: ask.needs, excluding: ask.excluding, book: book)) != nil
    }

    /// For requests that cost next to nothing and take no slot (`/api/show`, `/tokenize`): an endpoint that has the model, rather one
    /// that speaks the route and has the model in memory.
    public mutating func locate(_ ask: Ask) -> Result<Placement, RefusalError> {
        switch resolve(ask.model, needs: ask.needs, excluding: ask.excluding) {
        case .refused(let refusal): return .failure(RefusalError(refusal: refusal))
        case .later: return .failure(RefusalError(refusal: .noEndpointUp(places.filter { !$0.isRemoved }.map(Self.why))))
        case .candidates(let target):
            var best: (placement: Placement, rank: Int)?
            for candidate in target.candidates {
                let pair = pairs[candidate.pair]
                let place = places[pair.place]
                guard place.takesWork, let fit = ask.needs.fit(of: place.capabilities), !ask.excluding.contains(place.endpoint.id) else { continue }
                let rank = (fit == .native ? 0 : 2) + (pair.isUsable ? 0 : 1)
                guard best.map({ rank < $0.rank }) ?? true else { continue }
                let placement = Placement(
                    endpoint: place.endpoint.id, model: pair.name, understandsAskedName: candidate.understandsAskedName, fit: fit,
                    kind: place.endpoint.kind, pair: candidate.pair)
                best = (placement, rank)
            }
            return best.map { .success($0.placement) } ?? .failure(RefusalError(refusal: .allFailed))
        }
    }

    /// The client of a waiting request has gone. False if it was not in line: granted, refused or withdrawn already.
    @discardableResult
    public mutating func withdraw(_ ticket: TicketID) -> Bool { line.remove(ticket) }

    /// A slot comes back: exactly once, or nothing changes.
    public mutating func release(_ lease: LeaseID, _ end: LeaseEnd, now: NIODeadline) -> [SchedulerAction] {
        guard let record = leases.remove(lease) else {
            doubleReleases += 1
            return []
        }
        let pair = record.pair
        let index = pairs[pair].place
        learn(record, end)
        pairs[pair].inFlight -= 1
        places[index].inFlight -= 1
        pairs[pair].lastUsed = now
        if record.loads {
            let isUp = places[index].phase.takesWork
            // An answer proves that it is in memory; the next report may say otherwise.
            setUse(pair) { pair in
                pair.loading -= 1
                if end.teaches, isUp { pair.isLoaded = true }
            }
        }
        setUse(pair) { _ in }
        places[index].counters.count(end)
        return line.isEmpty ? [] : dispatch(freed: pair, now: now)
    }

    private mutating func learn(_ record: LeaseTable.Record, _ end: LeaseEnd) {
        let pair = record.pair
        let place = pairs[pair].place
        pairs[pair].learned.record(end, wasLoaded: !record.loads)
        guard end.teaches else { return }
        // The others that ran there slowed it down by as much, about.
        let shared = 1 + Place.slowing * Double(max(0, places[place].inFlight - 1))
        books[pairs[pair].book].record(
            end, speed: places[place].speed / shared, wasLoaded: !record.loads, coldTokens: record.coldTokens)
        if end.tokens > 10, let first = end.timeToFirstToken, end.serviceTime > first {
            let rate = Double(end.tokens) / (end.serviceTime - first).seconds * shared
            let ratio = books[pairs[pair].book].recordRate(rate, speed: places[place].speed)
            places[place].speed = min(20, max(0.05, places[place].speed * (1 + 0.05 * (min(2, max(0.5, ratio)) - 1))))
        }
        if record.loads, let seconds = end.loadTime?.seconds { learnLoad(pair, seconds) }
    }

    mutating func learnLoad(_ pair: Int, _ seconds: Double) {
        guard let size = pairs[pair].expectedSize, seconds > 0.1 else { return }
        let rate = Double(size) / seconds
        let place = pairs[pair].place
        places[place].bandwidth = places[place].bandwidth.map { $0 + 0.2 * (rate - $0) } ?? rate
    }

    mutating func grant(_ choice: Choice, _ ask: Ask, _ target: Target, now: NIODeadline) -> Grant {
        let pair = choice.candidate.pair
        let index = pairs[pair].place
        let loads = !pairs[pair].isUsable
        let wasLoaded = pairs[pair].isLoaded
        if loads { beginLoad(pair, after: choice.cost.loadsBefore + choice.cost.busy, now: now) }
        pairs[pair].inFlight += 1
        pairs[pair].lastUsed = now
        places[index].inFlight += 1
        places[index].counters.granted += 1
        setUse(pair) { pair in pair.loading += loads ? 1 : 0 }
        if settings.affinity { pairs[pair].prefixes.keep(ask) }
        let cold = ask.promptTokens > 0 ? max(1, ask.promptTokens - choice.cost.warmTokens) : 0
        return Grant(
            lease: leases.add(LeaseTable.Record(pair: pair, loads: loads, coldTokens: cold)), endpoint: places[index].endpoint.id,
            model: pairs[pair].name, understandsAskedName: choice.candidate.understandsAskedName, wasLoaded: wasLoaded, why: choice.why,
            fit: choice.fit, kind: places[index].endpoint.kind, pair: pair, expected: choice.cost.expected, warmTokens: choice.cost.warmTokens,
            alternatives: alternatives(to: index, target, ask))
    }

    /// Endpoints other than the chosen one that could serve the request.
    private func alternatives(to chosen: Int, _ target: Target, _ ask: Ask) -> Int {
        var count = 0
        // Candidates stand in the order of their places: one that has the model twice counts once.
        var last = chosen
        for candidate in target.candidates {
            let place = pairs[candidate.pair].place
            guard place != chosen, place != last, takesWork(place), ask.needs.fit(of: places[place].capabilities) != nil,
                ask.excluding.isEmpty || !ask.excluding.contains(places[place].endpoint.id)
            else { continue }
            last = place
            count += 1
        }
        return count
    }

    /// The endpoint will make room by itself; what it will push out is not counted on from here on.
    mutating func beginLoad(_ pair: Int, after seconds: Double, now: NIODeadline) {
        let room = makeRoom(for: pair)
        pairs[pair].usedAtLoad = used(with: pair)
        for victim in room.idle {
            setUse(victim) { victim in victim.isLoaded = false }
        }
        pairs[pair].readyAt = now + .nanoseconds(Int64((seconds + loadTime(pair)) * 1e9))
        release(claimsFor: pairs[pair].book, on: pairs[pair].place)
    }

    /// Changes what is known of a pair's being in memory, and keeps the sums that depend on it.
    mutating func setUse(_ pair: Int, _ change: (inout Pair) -> Void) {
        let place = pairs[pair].place
        let before = pairs[pair].isUsable
        change(&pairs[pair])
        let after = pairs[pair].isUsable
        if before != after {
            let book = pairs[pair].book
            if after { books[book].usable.append(pair) } else { books[book].usable.removeAll { $0 == pair } }
            // The model is worth less where it is in memory if it is elsewhere too.
            for other in books[book].usable { residentsChanged(pairs[other].place) }
        }
        if !after, before {
            pairs[pair].prefixes.forget()
            pairs[pair].isReported = false
        }
        residentsChanged(place)
        let isThere = places[place].resident.contains(pair)
        if pairs[pair].takesMemory, !isThere { places[place].resident.append(pair) }
        if !pairs[pair].takesMemory, isThere { places[place].resident.removeAll { $0 == pair } }
    }

    /// An answer has begun, with the status 200: its model is in memory. To be told for grants whose `wasLoaded` is false; for others it
    /// changes nothing.
    public mutating func began(_ lease: LeaseID, now: NIODeadline) -> [SchedulerAction] {
        guard let record = leases.record(of: lease), record.loads || !pairs[record.pair].isLoaded, places[pairs[record.pair].place].phase.takesWork
        else {
            return []
        }
        let place = pairs[record.pair].place
        // So late that it must have waited for something to go: all of it does not fit.
        if !pairs[record.pair].isLoaded, pairs[record.pair].usedAtLoad > places[place].largestSeen,
            (now - pairs[record.pair].readyAt).seconds > max(5, loadTime(record.pair))
        {
            places[place].leastOverflow = min(places[place].leastOverflow ?? .max, pairs[record.pair].usedAtLoad)
        }
        setUse(record.pair) { pair in pair.isLoaded = true }
        return line.isEmpty ? [] : dispatch(freed: record.pair, now: now)
    }

    var leasesOut: Int { leases.count }
}

extension EndpointCounters {
    fileprivate mutating func count(_ end: LeaseEnd) {
        tokens += end.tokens
        switch end.outcome {
        case .completed: completed += 1
        case .refused: refused += 1
        case .notHere: notHere += 1
        case .busy: busy += 1
        case .failed: failed += 1
        case .unreachable: unreachable += 1
        case .aborted: aborted += 1
        case .lost: lost += 1
        }
    }
}

/// A small, fast, seedable generator (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
