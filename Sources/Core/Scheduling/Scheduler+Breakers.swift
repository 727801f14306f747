// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// The breaker of a model on an endpoint for requests of one kind: the model is gone there, or the route is not spoken. Another route
/// may be served all the same.
struct Absence: Sendable {
    var needs: RouteNeeds
    var breaker = Breaker()
}

/// The breakers: what opens and closes them. `Scheduler+Admit` has what follows from that.
extension Scheduler {
    /// Events that nobody has fetched: only the last are kept.
    private static let eventLimit = 256
    /// A busy endpoint that is left alone for less than this is no news: it may be so with every second request.
    private static let briefly = TimeAmount.seconds(5)

    /// A request goes there.
    mutating func letIn(_ pair: PairIndex, _ needs: RouteNeeds, now: NIODeadline) -> LeaseTable.Openings {
        let place = pairs[pair].place
        guard pairs[pair].isSetAside else {
            return LeaseTable.Openings(pair: pairBreakers[pair].openings, place: placeBreakers[place].openings)
        }
        if Self.tellsOfProbe(placeBreakers[place], now: now) { tell(.probing, place, nil, now: now) }
        if Self.tellsOfProbe(pairBreakers[pair], now: now) { tell(.probing, place, pair, now: now) }
        return LeaseTable.Openings(
            pair: pairBreakers[pair].letIn(), place: placeBreakers[place].letIn(),
            absence: absences[pair]?.needs == needs ? absences[pair]?.breaker.letIn() ?? 0 : 0)
    }

    /// What the end of a request says about the endpoint, and about the model there.
    mutating func judge(_ record: LeaseTable.Record, _ end: LeaseEnd, now: NIODeadline) {
        let pair = record.pair
        let place = pairs[pair].place
        let openings = record.openings
        switch end.outcome {
        case .completed where !pairs[pair].isSetAside:
            places[place].failing = .none
            pairBreakers[pair].answeredWhileClosed()
            placeBreakers[place].answeredWhileClosed()
        case .completed:
            places[place].failing = .none
            change(pair, now: now) { $0.answered(openings.pair, now: now) }
            change(ofPlace: place, now: now) { $0.answered(openings.place, now: now) }
            if absences[pair]?.needs == record.needs { setAbsence(pair, nil) }
        case .failed:
            places[place].failing.add(pair)
            let concernsAll = places[place].failing == .several
            change(pair, now: now) { $0.failed(openings.pair, end.reason, now: now) }
            change(ofPlace: place, now: now) { $0.failed(openings.place, end.reason, trips: concernsAll, now: now) }
            endAbsence(of: record)
        case .unreachable:
            pairBreakers[pair].endedWithoutVerdict(openings.pair)
            change(ofPlace: place, now: now) { $0.unreachable(openings.place, end.reason, now: now) }
            endAbsence(of: record)
        case .busy:
            change(pair, now: now) { $0.busy(openings.pair, retryAfter: end.retryAfter, now: now) }
            placeBreakers[place].endedWithoutVerdict(openings.place)
            endAbsence(of: record)
        case .notHere:
            pairBreakers[pair].endedWithoutVerdict(openings.pair)
            placeBreakers[place].endedWithoutVerdict(openings.place)
            // That one unlisted name is none of its own says nothing about the others.
            guard pairs[pair].isListed else { break }
            var absence = absences[pair] ?? Absence(needs: record.needs)
            if absence.needs != record.needs { absence = Absence(needs: record.needs) }
            _ = absence.breaker.absent(openings.absence, end.reason, now: now)
            setAbsence(pair, absence)
        case .refused, .aborted, .lost:
            pairBreakers[pair].endedWithoutVerdict(openings.pair)
            placeBreakers[place].endedWithoutVerdict(openings.place)
            endAbsence(of: record)
        }
    }

    /// An answer has begun well.
    mutating func began(_ record: LeaseTable.Record, now: NIODeadline) {
        guard pairs[record.pair].isSetAside else { return }
        change(record.pair, now: now) { $0.began(record.openings.pair, now: now) }
        change(ofPlace: pairs[record.pair].place, now: now) { $0.began(record.openings.place, now: now) }
        if absences[record.pair]?.needs == record.needs { setAbsence(record.pair, nil) }
    }

    /// An operator says that all is well with the endpoint.
    public mutating func resume(_ id: EndpointID, now: NIODeadline) -> [SchedulerAction] {
        guard let place = indexOf[id] else { return [] }
        closeBreakers(of: place, now: now)
        return line.isEmpty ? [] : dispatchAll(now: now)
    }

    mutating func closeBreakers(of place: PlaceIndex, now: NIODeadline) {
        places[place].failing = .none
        change(ofPlace: place, now: now) { $0.reset() }
        for pair in places[place].pairs {
            change(pair, now: now) { $0.reset() }
            setAbsence(pair, nil)
        }
    }

    /// The endpoint was out of service and is back: the next request may see how it is.
    mutating func retry(_ place: PlaceIndex, now: NIODeadline) {
        change(ofPlace: place, now: now) { $0.reachedAgain(now: now) }
        for pair in places[place].pairs where pairs[pair].isSetAside {
            pairBreakers[pair].retry(now: now)
            absences[pair]?.breaker.retry(now: now)
        }
    }

    /// The endpoint has told which models it has.
    mutating func retryAbsences(_ place: PlaceIndex, now: NIODeadline) {
        guard !absences.isEmpty else { return }
        for pair in places[place].pairs { absences[pair]?.breaker.retry(now: now) }
    }

    /// The model has left the endpoint, and nothing of it is in flight.
    mutating func forgetBreaker(_ pair: PairIndex) {
        pairBreakers[pair] = Breaker()
        absences[pair] = nil
        setAside(pair, false)
    }

    /// Those that have come since this was last asked, oldest first.
    mutating func takeBreakerEvents() -> [BreakerEvent] {
        if breakerEvents.isEmpty { return [] }
        defer { breakerEvents.removeAll(keepingCapacity: true) }
        return breakerEvents
    }

    // MARK: Changes

    private mutating func change(_ pair: PairIndex, now: NIODeadline, _ event: (inout Breaker) -> Breaker.Change?) {
        let before = pairBreakers[pair].backOff
        guard let change = event(&pairBreakers[pair]) else { return }
        note(change, before, pairs[pair].place, pair, now: now)
        mark(pair)
    }

    private mutating func change(ofPlace place: PlaceIndex, now: NIODeadline, _ event: (inout Breaker) -> Breaker.Change?) {
        let before = placeBreakers[place].backOff
        guard let change = event(&placeBreakers[place]) else { return }
        note(change, before, place, nil, now: now)
        for pair in places[place].pairs { mark(pair) }
    }

    private mutating func setAbsence(_ pair: PairIndex, _ absence: Absence?) {
        guard absence != nil || absences[pair] != nil else { return }
        absences[pair] = absence
        mark(pair)
    }

    private mutating func endAbsence(of record: LeaseTable.Record) {
        guard absences[record.pair]?.needs == record.needs else { return }
        absences[record.pair]?.breaker.endedWithoutVerdict(record.openings.absence)
    }

    mutating func mark(_ pair: PairIndex) {
        setAside(pair, !pairBreakers[pair].isClosed || !placeBreakers[pairs[pair].place].isClosed || absences[pair] != nil)
    }

    private mutating func setAside(_ pair: PairIndex, _ isSetAside: Bool) {
        guard pairs[pair].isSetAside != isSetAside else { return }
        pairs[pair].isSetAside = isSetAside
        setAsideCount += isSetAside ? 1 : -1
    }

    // MARK: News

    private mutating func note(_ change: Breaker.Change, _ backOffBefore: TimeAmount, _ place: PlaceIndex, _ pair: PairIndex?, now: NIODeadline) {
        if change == .opened { places[place].counters.breakerOpenings += 1 }
        let breaker = pair.map { pairBreakers[$0] } ?? placeBreakers[place]
        if change == .closed {
            if breaker.isTold { tell(.closed, place, pair, now: now) }
            return setTold(false, place, pair)
        }
        if breaker.cause == .busy, breaker.backOff < Self.briefly { return }
        // Where nobody else is left to be asked, probes fail as fast as requests come.
        if change == .reopened, breaker.backOff == backOffBefore { return }
        tell(breaker.isTold ? .reopened : .opened, place, pair, now: now)
        setTold(true, place, pair)
    }

    private mutating func setTold(_ isTold: Bool, _ place: PlaceIndex, _ pair: PairIndex?) {
        if let pair { pairBreakers[pair].isTold = isTold } else { placeBreakers[place].isTold = isTold }
    }

    private static func tellsOfProbe(_ breaker: Breaker, now: NIODeadline) -> Bool {
        guard case .setAside = breaker.state else { return false }
        return breaker.isTold && breaker.due <= now
    }

    private mutating func tell(_ kind: BreakerEvent.Kind, _ place: PlaceIndex, _ pair: PairIndex?, now: NIODeadline) {
        let breaker = pair.map { pairBreakers[$0] } ?? placeBreakers[place]
        if breakerEvents.count >= Self.eventLimit { breakerEvents.removeFirst() }
        breakerEvents.append(
            BreakerEvent(
                kind: kind, endpoint: places[place].endpoint.name, model: pair.map { pairs[$0].name }, reason: breaker.reason,
                seconds: breaker.isClosed ? 0 : max(0, (breaker.due - now).seconds)))
    }
}
