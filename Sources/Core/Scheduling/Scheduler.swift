// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Decides which endpoint serves which request, and who waits. State and events in, actions out: no I/O, no clock, no
/// randomness of its own, so that a test or a simulation drives the very code that the daemon runs.
///
/// This file has the events. `Scheduler+Resolve` finds which endpoints have a model, `Scheduler+Choose` has the rule that picks
/// one of them or says "wait", `WaitingLine` keeps the order, `Learned` what was measured.
///
/// Invariants, checked by tests after every event:
/// - a pair's `inFlight` is the number of leases out for it, and is above its limit only where a reload has lowered that;
/// - nobody waits while a slot that the rule would give is free.
public struct Scheduler: Sendable {
    var settings: SchedulerSettings
    var random: SplitMix64
    /// Endpoints and pairs are named by their index, which never changes: what is gone is marked so.
    var places: [Place] = []
    var pairs: [Pair] = []
    var indexOf: [EndpointID: Int] = [:]
    var catalog = Catalog()
    var line = WaitingLine()
    var demand: [String: Demand] = [:]
    /// Reports of endpoints that a reload has just added, and that come before `setEndpoints` tells of them.
    private var early: [EndpointID: EndpointReport] = [:]
    private var leases = LeaseTable()
    /// Leases that were given back twice: a fault of the caller, which changes nothing but this.
    public private(set) var doubleReleases = 0

    public init(settings: SchedulerSettings, seed: UInt64) {
        self.settings = settings
        random = SplitMix64(seed: seed)
    }

    // MARK: The fleet

    public mutating func setSettings(_ settings: SchedulerSettings, now: NIODeadline) -> [SchedulerAction] {
        self.settings = settings
        catalog.forget()
        return redecide(now: now)
    }

    /// The configured endpoints: new ones come, old ones keep their books, missing ones get nothing new.
    public mutating func setEndpoints(_ endpoints: [Endpoint], now: NIODeadline) -> [SchedulerAction] {
        let kept = Set(endpoints.map(\.id))
        for index in places.indices where !kept.contains(places[index].endpoint.id) { places[index].isRemoved = true }
        for endpoint in endpoints {
            if let index = indexOf[endpoint.id] {
                places[index].endpoint = endpoint
                if let kind = places[index].foundKind { places[index].endpoint.kind = kind }
                places[index].isRemoved = false
            } else {
                indexOf[endpoint.id] = places.count
                places.append(Place(endpoint: endpoint))
            }
        }
        let early = self.early
        self.early = [:]
        for (id, report) in early { book(report, of: id) }
        catalog.forget()
        return redecide(now: now)
    }

    /// What the polls found. An endpoint that is not up keeps the models it had, so that a request for one of them
    /// is told that the endpoint is down rather than that there is no such model.
    public mutating func report(_ id: EndpointID, _ report: EndpointReport, now: NIODeadline) -> [SchedulerAction] {
        guard indexOf[id] != nil else {
            early[id] = report
            return []
        }
        book(report, of: id)
        catalog.forget()
        return redecide(now: now)
    }

    private mutating func book(_ report: EndpointReport, of id: EndpointID) {
        guard let index = indexOf[id] else { return }
        places[index].phase = report.state.phase
        places[index].reason = report.state.reason
        places[index].foundKind = report.kind
        if let kind = report.kind { places[index].endpoint.kind = kind }
        places[index].capabilities = report.capabilities(of: places[index].endpoint.kind)
        if report.state.phase.takesWork || !report.models.isEmpty { setModels(report, of: index) }
        setLoaded(report, of: index)
    }

    private mutating func setModels(_ report: EndpointReport, of index: Int) {
        for pair in places[index].pairs { pairs[pair].isPresent = false }
        for model in report.models {
            let pair = findPair(model.name, of: index) ?? addPair(model.name, to: index)
            pairs[pair].isPresent = true
            pairs[pair].sizeBytes = model.sizeBytes
        }
        // What is gone and idle is forgotten; its number in the array stays unused.
        let pairs = self.pairs
        places[index].pairs.removeAll { !pairs[$0].isPresent && pairs[$0].inFlight == 0 }
    }

    private mutating func setLoaded(_ report: EndpointReport, of index: Int) {
        let takesWork = report.state.phase != .down
        let loadsModels = places[index].endpoint.kind.loadsModels
        var inMemory = 0
        for pair in places[index].pairs {
            let loaded = takesWork ? report.loaded.first { $0.name == pairs[pair].name } : nil
            pairs[pair].isLoaded = loaded != nil || (takesWork && !loadsModels)
            pairs[pair].slots = loaded?.slots
            if let size = loaded?.sizeVramBytes {
                pairs[pair].sizeInMemory = size
                inMemory += size
            }
        }
        places[index].largestSeen = max(places[index].largestSeen, inMemory)
    }

    private func findPair(_ name: String, of place: Int) -> Int? { places[place].pairs.first { pairs[$0].name == name } }

    private mutating func addPair(_ name: String, to place: Int) -> Int {
        pairs.append(Pair(place: place, name: name))
        places[place].pairs.append(pairs.count - 1)
        return pairs.count - 1
    }

    // MARK: Requests

    public mutating func submit(_ ask: Ask, now: NIODeadline) -> Admission {
        switch resolve(ask.model, needs: ask.needs, excluding: ask.excluding) {
        case .candidates(let target):
            demand[target.key, default: Demand()].record(now: now)
            if let choice = choose(target, needs: ask.needs, excluding: ask.excluding) { return .granted(grant(choice)) }
        case .later:
            break
        case .refused(let refusal):
            return .refused(refusal)
        }
        guard line.count < settings.queueLimit else { return .refused(.lineFull(limit: settings.queueLimit)) }
        let (ticket, position) = line.add(ask, now: now, timeout: settings.queueTimeout)
        return .queued(ticket, position: position)
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
        let index = pairs[record.pair].place
        pairs[record.pair].inFlight -= 1
        places[index].inFlight -= 1
        if record.loads {
            pairs[record.pair].loading -= 1
            // An answer proves that it is in memory; the next report may say otherwise.
            if end.outcome == .completed, places[index].phase.takesWork { pairs[record.pair].isLoaded = true }
        }
        pairs[record.pair].learned.record(end, wasLoaded: !record.loads)
        places[index].counters.count(end)
        return line.isEmpty ? [] : dispatch(now: now)
    }

    mutating func grant(_ choice: Choice) -> Grant {
        let pair = choice.candidate.pair
        let index = pairs[pair].place
        let loads = !pairs[pair].isLoaded && choice.why != .loading
        pairs[pair].inFlight += 1
        places[index].inFlight += 1
        places[index].counters.granted += 1
        if loads { pairs[pair].loading += 1 }
        return Grant(
            lease: leases.add(LeaseTable.Record(pair: pair, loads: loads)), endpoint: places[index].endpoint.id, model: pairs[pair].name,
            understandsAskedName: choice.candidate.understandsAskedName, wasLoaded: pairs[pair].isLoaded, why: choice.why,
            fit: choice.fit, kind: places[index].endpoint.kind, pair: pair)
    }

    /// The first byte of an answer has come: its model is in memory. To be told for grants whose `wasLoaded` is false; for others it
    /// changes nothing.
    public mutating func began(_ lease: LeaseID, now: NIODeadline) -> [SchedulerAction] { [] }

    /// How a load went that `SchedulerAction.load` had asked for.
    public mutating func loadEnded(_ id: EndpointID, model: String, _ end: LoadEnd, now: NIODeadline) -> [SchedulerAction] { [] }

    // MARK: The line

    /// Refuses those who have waited for too long.
    public mutating func expire(now: NIODeadline) -> [SchedulerAction] {
        line.overdue(now: now).map { ticket in
            _ = line.remove(ticket)
            return .refuse(ticket, .waitedTooLong(seconds: settings.queueTimeout.seconds))
        }
    }

    public var nextDeadline: NIODeadline? { line.nextDeadline }

    /// After a change of the fleet: who waits for what no longer comes is told, who can go goes.
    private mutating func redecide(now: NIODeadline) -> [SchedulerAction] {
        guard !line.isEmpty else { return [] }
        var actions: [SchedulerAction] = []
        for group in Array(line.waitingGroups) {
            guard case .refused(let refusal) = resolve(group.model, needs: group.needs, excluding: group.excluding) else { continue }
            for ticket in line.tickets(in: group) {
                _ = line.remove(ticket)
                actions.append(.refuse(ticket, refusal))
            }
        }
        return actions + dispatch(now: now)
    }

    /// Gives every slot that can be given, each time to the one whose turn it is among those who can go.
    private mutating func dispatch(now: NIODeadline) -> [SchedulerAction] {
        var actions: [SchedulerAction] = []
        while true {
            var best: (waiter: WaitingLine.Waiter, turn: WaitingLine.Turn, choice: Choice)?
            for group in line.waitingGroups {
                guard let next = line.next(in: group), best.map({ next.turn < $0.turn }) ?? true,
                    case .candidates(let target) = resolve(group.model, needs: group.needs, excluding: group.excluding),
                    let choice = choose(target, needs: group.needs, excluding: group.excluding)
                else { continue }
                best = (next.waiter, next.turn, choice)
            }
            guard let best else { return actions }
            line.serve(best.waiter.ticket)
            actions.append(.grant(best.waiter.ticket, grant(best.choice)))
        }
    }

    var leasesOut: Int { leases.count }
}

extension EndpointCounters {
    fileprivate mutating func count(_ end: LeaseEnd) {
        tokens += end.tokens
        switch end.outcome {
        case .completed: completed += 1
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
