// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Decides which endpoint serves which request, and who waits. State and events in, actions out: no I/O, no clock, no
/// randomness of its own, so that a test or a simulation drives the very code that the daemon runs.
///
/// This file has requests and slots, `Scheduler+Ends` how they end, `Scheduler+Fleet` what is told of the endpoints. `Scheduler+Resolve` finds
/// which endpoints have a model, `Scheduler+Choose` has the rule that picks one of them or says "wait", `Scheduler+Cost` what it counts,
/// `Scheduler+Weights` what weights mean, `Scheduler+Breakers` and `Scheduler+Admit` leave out what fails, `Scheduler+Dispatch` gives slots to
/// the line, `Scheduler+Preload` loads ahead of need, `Scheduler+Forecast` plays through what is to come. `WaitingLine` and `TenantTimes` keep
/// the order; `ModelBook`, `Learned` and `Place` what was measured.
///
/// Invariants, checked by tests after every event:
/// - a pair's `inFlight` is the number of leases out for it, and is above its limit only where a reload has lowered that or the
///   configuration over-commits;
/// - nobody waits while a slot is free where its model is in memory, unless that memory is claimed for somebody who waits longer, or a
///   breaker is open there.
public struct Scheduler: Sendable {
    var settings: SchedulerSettings
    var random: SplitMix64
    /// Endpoints and pairs are named by their index, which never changes: what is gone is marked so.
    var places = Column<Place, Place>()
    var pairs = Column<Pair, Pair>()
    var weighting = Weighting.even
    /// By place; and the places whose entry has to be found anew before it is read.
    var residents = Column<Place, Residents>()
    var staleResidents: [PlaceIndex] = []
    var indexOf: [EndpointID: PlaceIndex] = [:]
    var catalog = Catalog()
    var line = WaitingLine()
    /// By model; a pair names its own. As many as models have been seen on endpoints: no client can make more.
    var books = Column<ModelBook, ModelBook>()
    var bookOf: [String: BookIndex] = [:]
    /// Pairs by every text that may mean them.
    var pairsByForm: [String: [PairIndex]] = [:]
    /// When models were last looked at for loading ahead of need.
    var placedAt = NIODeadline.uptimeNanoseconds(0)
    var hasClaims = false
    /// Reports of endpoints that a reload has just added, and that come before `setEndpoints` tells of them.
    var early: [EndpointID: EndpointReport] = [:]
    var leases = LeaseTable()
    /// Leases that were given back twice: a fault of the caller, which changes nothing but this.
    public internal(set) var doubleReleases = 0
    /// By place, and by pair.
    var placeBreakers = Column<Place, Breaker>()
    var pairBreakers = Column<Pair, Breaker>()
    /// By pair.
    var absences: [PairIndex: Absence] = [:]
    /// How many pairs are set aside: while there are none, no decision looks at breakers.
    var setAsideCount = 0
    var breakerEvents: [BreakerEvent] = []

    public init(settings: SchedulerSettings, seed: UInt64) {
        self.settings = settings
        line.weights = settings.keyWeights
        random = SplitMix64(seed: seed)
    }

    // MARK: Requests

    public mutating func submit(_ ask: Ask, now: NIODeadline) -> Admission {
        if let raised = raised(ask) { admit(raised, now: now) } else { admit(ask, now: now) }
    }

    private mutating func admit(_ ask: Ask, now: NIODeadline) -> Admission {
        var book: BookIndex?
        var inVain: Refusal?
        switch resolve(ask.model, needs: ask.needs, excluding: ask.excluding, unlisted: ask.unlisted) {
        case .candidates(var target):
            book = target.book
            if ask.options != nil { dropTooSmall(&target, ask) }
            // Whoever comes back is no further request.
            if let book, ask.since == nil { books[book].count(ask.options, now: now) }
            let before = book.map { waiting(for: $0, as: ask) } ?? 0
            // A load is rather for who has waited longer: the line decides about it.
            switch choose(target, ask, before: before, loads: before == 0 || !isWaiting(ask, book) ? .all : .none, now: now) {
            case .go(let choice): return .granted(grant(choice, ask, alternatives: alternatives(to: choice, target, ask), now: now))
            case .claim(let pair): claim(pair, for: ask, now: now)
            case .wait: inVain = allBusy(target, ask, now: now)
            }
        case .later:
            break
        case .refused(let refusal):
            return .refused(refusal)
        }
        guard line.hasRoom(for: ask.tenant, limit: settings.queueLimit) else { return .refused(.lineFull(limit: settings.queueLimit)) }
        if let inVain { return .refused(inVain) }
        guard ask.end(timeout: settings.queueTimeout, now: now) > now else {
            return .refused(.waitedTooLong(seconds: settings.queueTimeout.seconds))
        }
        let (ticket, position) = line.add(ask, book: book, now: now, timeout: settings.queueTimeout)
        return .queued(ticket, position: position)
    }

    private func isWaiting(_ ask: Ask, _ book: BookIndex?) -> Bool {
        line.number(of: WaitingLine.Group(ask, book: book)) != nil
    }

    /// For requests that cost next to nothing and take no slot (`/api/show`, `/tokenize`, an unload): an endpoint that has the model, rather one
    /// that is in order, speaks the route and has the model in memory.
    public mutating func locate(_ ask: Ask) -> Result<Placement, RefusalError> {
        switch resolve(ask.model, needs: ask.needs, excluding: ask.excluding, unlisted: ask.unlisted) {
        case .refused(let refusal): return .failure(RefusalError(refusal: refusal))
        case .later: return .failure(RefusalError(refusal: .noEndpointUp(places.values.filter { !$0.isRemoved }.map(Self.why))))
        case .candidates(let target):
            var best: (placement: Placement, rank: Int)?
            for candidate in target.candidates {
                let pair = pairs[candidate.pair]
                let place = places[pair.place]
                guard place.takesWork, let fit = ask.needs.fit(of: place.capabilities), !ask.excluding.contains(place.endpoint.id) else { continue }
                // What is to leave memory can leave it only where it is.
                let isAmiss = ask.isUnload && !pair.isUsable
                let rank =
                    (isAmiss ? 16 : 0) + (pair.isSetAside ? 8 : 0) + (place.endpoint.weight == 0 ? 4 : 0) + (fit == .native ? 0 : 2)
                    + (pair.isUsable ? 0 : 1)
                guard best.map({ rank < $0.rank }) ?? true else { continue }
                let placement = Placement(
                    endpoint: place.endpoint.id, model: candidate.otherName ?? pair.name,
                    understandsAskedName: candidate.understandsAskedName, fit: fit, kind: place.endpoint.kind, pair: candidate.pair.rawValue,
                    listedModel: pair.name)
                best = (placement, rank)
            }
            return best.map { .success($0.placement) } ?? .failure(RefusalError(refusal: .allFailed))
        }
    }

    /// The client of a waiting request has gone. False if it was not in line: granted, refused or withdrawn already.
    @discardableResult
    public mutating func withdraw(_ ticket: TicketID) -> Bool { line.remove(ticket) }

    mutating func grant(_ choice: Choice, _ ask: Ask, alternatives: Int, now: NIODeadline) -> Grant {
        let pair = choice.candidate.pair
        let index = pairs[pair].place
        let load: LeaseTable.Load
        var options = ask.options
        var change: ContextChange?
        if ask.isRaised, hasConfigurations(pair), let context = options?.contextLength { change = ContextChange(tokens: context, why: .minimum) }
        if serves(pair, ask) {
            load = pairs[pair].isLoaded ? .none : .joined
            if let context = contextToAskFor(pair, ask) {
                change = ContextChange(tokens: context, why: .loaded)
                options = options ?? .unset
                options?.contextLength = context
            }
        } else {
            let cause: LoadCause = isUsable(pair) ? .configuration : .first
            load = .begun(cause)
            beginLoad(pair, ask.options, cause, after: choice.cost.loadsBefore + choice.cost.busy, now: now)
        }
        countShare(pair)
        pairs[pair].inFlight += 1
        pairs[pair].lastUsed = now
        places[index].inFlight += 1
        places[index].counters.granted += 1
        setUse(pair) { pair in
            guard load.cause != nil else { return }
            pair.loading += 1
            pair.isLoaded = false
        }
        if settings.affinity { pairs[pair].prefixes.keep(ask) }
        let isProbe = pairs[pair].isSetAside
        let openings = letIn(pair, ask.needs, now: now)
        let cold = ask.promptTokens > 0 ? max(1, ask.promptTokens - choice.cost.warmTokens) : 0
        var grant = Grant(
            lease: leases.add(
                LeaseTable.Record(
                    pair: pair, load: load, coldTokens: cold, needs: ask.needs, options: options, since: now,
                    configuration: pairs[pair].configurationNumber, openings: openings),
                kept: settings.affinity && (!ask.prefix.isEmpty || ask.session != nil)
                    ? LeaseTable.Kept(ask, warmTokens: choice.cost.warmTokens) : nil), endpoint: places[index].endpoint.id,
            model: choice.candidate.otherName ?? pairs[pair].name, listedModel: pairs[pair].name,
            understandsAskedName: choice.candidate.understandsAskedName, wasLoaded: load == .none, loadCause: load.cause, why: choice.why,
            fit: choice.fit, kind: places[index].endpoint.kind, pair: pair.rawValue, expected: choice.cost.expected,
            warmTokens: choice.cost.warmTokens,
            alternatives: alternatives, isProbe: isProbe)
        grant.context = change
        return grant
    }

    /// The endpoint will make room by itself; what it will push out is not counted on from here on.
    ///
    /// - Parameter options: with which it is loaded; nil for the server's own.
    mutating func beginLoad(_ pair: PairIndex, _ options: RunnerOptions?, _ cause: LoadCause, after seconds: Double, now: NIODeadline) {
        let room = makeRoom(for: pair)
        pairs[pair].usedAtLoad = used(with: pair)
        for victim in room.idle {
            setUse(victim) { victim in victim.isLoaded = false }
        }
        pairs[pair].displaced += room.idle
        pairs[pair].readyAt = now + .nanoseconds(Int64((seconds + loadTime(pair)) * 1e9))
        pairs[pair].loadCause = cause
        pairs[pair].prefixes.forget()
        setConfiguration(pair, options)
        if cause == .configuration { pairs[pair].configurationNumber &+= 1 }
        release(claimsFor: pairs[pair].book, on: pairs[pair].place)
    }

    /// Changes what is known of a pair's being in memory, and keeps the sums that depend on it.
    mutating func setUse(_ pair: PairIndex, _ change: (inout Pair) -> Void) {
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
            pairs[pair].set(.unknown)
            if pairs[pair].claim?.book == pairs[pair].book { pairs[pair].claim = nil }
        }
        residentsChanged(place)
        let isThere = places[place].resident.contains(pair)
        if pairs[pair].takesMemory, !isThere { places[place].resident.append(pair) }
        if !pairs[pair].takesMemory, isThere { places[place].resident.removeAll { $0 == pair } }
        if !pairs[pair].displaced.isEmpty, pairs[pair].isLoaded || !after { settleDisplaced(by: pair) }
    }

    /// A load has ended. If the model did not come, what was to go for it is still there: polls that find nothing new do not tell.
    private mutating func settleDisplaced(by pair: PairIndex) {
        let displaced = pairs[pair].displaced
        pairs[pair].displaced = []
        guard !pairs[pair].isLoaded, takesWork(pairs[pair].place) else { return }
        for victim in displaced where pairs[victim].isPresent && !pairs[victim].isUsable {
            setUse(victim) { victim in victim.isLoaded = true }
        }
    }

    var leasesOut: Int { leases.count }
}
