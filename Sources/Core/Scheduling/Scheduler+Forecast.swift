// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// When those who wait are likely to get their slots.
public struct Forecast: Sendable, Equatable {
    /// Seconds from when it was made, by ticket. Who is missing is likely to have waited for too long before.
    public internal(set) var begins: [TicketID: Double] = [:]
    /// Of one more request that would come now; nil where none was asked about, or where it would wait for too long.
    public internal(set) var newcomer: Double?
}

extension Scheduler {
    /// So many courses of events are played through at most, and fewer where many wait.
    private static let courses = 15
    private static let courseWaiters = 600
    /// Of all courses, those in which a request has begun by the time that is told for it. More than half, as a time that is too short
    /// disappoints more than one that is too long.
    private static let share = 0.65

    /// Plays through what is to come, on copies of everything that is known, with the very rule that decides: answers end as answers of
    /// their models do, loads when they are expected to. Others come as often as lately, and wait beside those who are there.
    /// Of several such courses, in which chance has other answers be long, the time is told by which a request has begun in most.
    ///
    /// It takes as long as some thousand decisions: it is for who asks, and never on the way of a request that can go.
    ///
    /// - Parameter newcomer: a request that is not there, and would come now.
    public func forecast(newcomer: Ask? = nil, now: NIODeadline) -> Forecast {
        let count = max(1, min(Self.courses, Self.courseWaiters / max(1, line.count)))
        var samples: [TicketID: [Double]] = [:]
        var ofNewcomer: [Double] = []
        for number in 0..<count {
            var course = Course(self, number: number, now: now)
            let (begins, own) = course.play(newcomer: newcomer)
            for (ticket, begin) in begins { samples[ticket, default: []].append(begin) }
            if let own { ofNewcomer.append(own) }
        }
        var forecast = Forecast()
        for (ticket, begins) in samples { forecast.begins[ticket] = Self.usual(begins, of: count) }
        forecast.newcomer = Self.usual(ofNewcomer, of: count)
        return forecast
    }

    /// With more in line than that, the line's mean speed tells enough, and to play it through would take a tenth of a second.
    private static let playedLine = 100

    /// How long a request would wait that comes now, seconds; nil where that is not known, or longer than requests wait.
    ///
    /// Refused requests ask for it on their event loop: it takes some milliseconds at most.
    func expectedWait(_ newcomer: Ask, now: NIODeadline) -> Double? {
        guard line.count > Self.playedLine else { return forecast(newcomer: newcomer, now: now).newcomer }
        var copy = self
        let resolution = copy.resolve(newcomer.model, needs: newcomer.needs, excluding: newcomer.excluding, unlisted: newcomer.unlisted)
        guard case .candidates(let target) = resolution else { return nil }
        let before = target.book.map { copy.waiting(for: $0, as: newcomer) } ?? 0
        guard let wait = copy.costOfLine(target, newcomer, before: before, now: now)?.expected else { return nil }
        return wait < settings.queueTimeout.seconds ? wait : nil
    }

    /// Those courses in which it did not begin count as later than all others.
    private static func usual(_ values: [Double], of count: Int) -> Double? {
        let sorted = values.sorted()
        let index = Int(Double(count) * share)
        return index < sorted.count ? sorted[index] : nil
    }
}

/// One way in which it may come.
private struct Course {
    private enum Event {
        case begins(LeaseID)
        case ends(LeaseID)
        case loaded(EndpointID, model: String)
        /// Somebody comes.
        case arrival
        case sweep
    }

    /// Events of one course, so that no fleet makes it endless.
    private static let most = 20_000
    /// Seconds between two sweeps: at first as often as the daemon does it, then less often.
    private static let firstSweep = 0.25
    private static let longestSweep = 5.0

    private var scheduler: Scheduler
    private var random: SplitMix64
    private let start: NIODeadline
    private var events = EventQueue<Event>()
    private var begins: [TicketID: Double] = [:]
    /// Tickets from there on are of those who come in this course.
    private var firstOther = TicketID(rawValue: 0)
    /// Requests a second, up to and with each book.
    private var rates: [Double] = []

    init(_ scheduler: Scheduler, number: Int, now: NIODeadline) {
        self.scheduler = scheduler
        random = SplitMix64(seed: UInt64(number))
        start = now
        var sum = 0.0
        for book in scheduler.books.values {
            sum += book.rate
            rates.append(sum)
        }
    }

    mutating func play(newcomer: Ask?) -> (begins: [TicketID: Double], newcomer: Double?) {
        for (lease, record) in scheduler.leases.out { plan(lease, record) }
        for pair in scheduler.pairs.indices where scheduler.pairs[pair].aheadUntil != nil && !scheduler.pairs[pair].isLoaded {
            let place = scheduler.pairs[pair].place
            events.add(
                .loaded(scheduler.places[place].endpoint.id, model: scheduler.pairs[pair].name),
                at: scheduler.remainingLoad(pair, now: start))
        }
        var own: TicketID?
        if let newcomer {
            // There is a place in line for it.
            let limit = scheduler.settings.queueLimit
            scheduler.settings.queueLimit = max(limit, 2 * scheduler.line.count + 2)
            switch scheduler.submit(newcomer, now: start) {
            case .granted: return ([:], 0)
            case .queued(let ticket, position: _): own = ticket
            case .refused: return ([:], nil)
            }
            scheduler.settings.queueLimit = limit
        }
        firstOther = scheduler.line.nextTicket
        events.add(.sweep, at: Self.firstSweep)
        addArrival(after: 0)
        var left = Self.most
        let waiting = scheduler.line.count
        let end = scheduler.settings.queueTimeout.seconds
        while begins.count < waiting, left > 0, let (at, event) = events.next(), at <= end {
            left -= 1
            handle(event, at)
        }
        let ownBegin = own.flatMap { begins.removeValue(forKey: $0) }
        return (begins, ownBegin)
    }

    private mutating func handle(_ event: Event, _ at: Double) {
        let now = start + .nanoseconds(Int64(at * 1e9))
        switch event {
        case .begins(let lease): carryOut(scheduler.began(lease, now: now), at)
        case .ends(let lease): carryOut(scheduler.release(lease, LeaseEnd(outcome: .completed, teaches: false), now: now), at)
        case .loaded(let id, let model): carryOut(scheduler.loadEnded(id, model: model, .loaded(.zero), now: now), at)
        case .arrival:
            arrive(now, at)
            addArrival(after: at)
        case .sweep:
            carryOut(scheduler.expire(now: now), at)
            events.add(.sweep, at: at + min(Self.longestSweep, max(Self.firstSweep, at / 2)))
        }
    }

    private mutating func addArrival(after at: Double) {
        guard let rate = rates.last, rate > 0 else { return }
        events.add(.arrival, at: at - Arithmetic.binaryLogarithm(Double.random(in: 0x1p-53..<1, using: &random)) * 0.693_147 / rate)
    }

    private mutating func arrive(_ now: NIODeadline, _ at: Double) {
        let mark = Double.random(in: 0..<(rates.last ?? 0).nextUp, using: &random)
        guard let number = rates.firstIndex(where: { mark < $0 }) else { return }
        let book = scheduler.books[BookIndex(number)]
        let ask = Ask(
            model: book.key, needs: RouteNeeds([]), tenant: Tenant(""), promptTokens: 0, options: book.configurations.some(using: &random))
        switch scheduler.submit(ask, now: now) {
        case .granted(let grant): expectEnd(grant, at)
        case .queued, .refused: break
        }
    }

    private mutating func carryOut(_ actions: [SchedulerAction], _ at: Double) {
        for action in actions {
            switch action {
            case .grant(let ticket, let grant):
                if ticket.rawValue < firstOther.rawValue { begins[ticket] = at }
                expectEnd(grant, at)
            case .refuse: break
            case .load(let id, let model, options: _):
                guard let place = scheduler.indexOf[id], let pair = scheduler.places[place].pairs.first(where: { scheduler.pairs[$0].name == model })
                else { break }
                events.add(.loaded(id, model: model), at: max(at, (scheduler.pairs[pair].readyAt - start).seconds))
            }
        }
    }

    private mutating func expectEnd(_ grant: Grant, _ at: Double) {
        let pair = PairIndex(grant.pair)
        var ready = at
        if !scheduler.pairs[pair].isLoaded {
            ready = max(at, (scheduler.pairs[pair].readyAt - start).seconds)
            if grant.loadCause != nil { events.add(.begins(grant.lease), at: ready) }
        }
        events.add(.ends(grant.lease), at: ready + service(pair, after: 0))
    }

    /// When a request will end that is under way.
    private mutating func plan(_ lease: LeaseID, _ record: LeaseTable.Record) {
        let pair = record.pair
        if scheduler.pairs[pair].isLoaded {
            var began = record.since
            if record.load != .none { began = min(max(began, scheduler.pairs[pair].readyAt), start) }
            events.add(.ends(lease), at: service(pair, after: max(0, (start - began).seconds)))
        } else {
            let ready = scheduler.isUsable(pair) ? scheduler.remainingLoad(pair, now: start) : 0
            if record.loads { events.add(.begins(lease), at: ready) }
            events.add(.ends(lease), at: ready + service(pair, after: 0))
        }
    }

    /// Seconds that an answer takes yet, which has taken so long: some answers are long, and one that has taken long is rather one of
    /// those. As they are in practice, lengths are taken to be log-normal.
    private mutating func service(_ pair: PairIndex, after elapsed: Double) -> Double {
        let place = scheduler.pairs[pair].place
        let others = Double(max(0, scheduler.places[place].inFlight - 1))
        let mean = scheduler.books[scheduler.pairs[pair].book].service.value * (1 + Place.slowing * others) / scheduler.places[place].speed
        for _ in 0..<Self.tries {
            let whole = mean * Arithmetic.powerOfTwo(Self.spread * normal() - Self.spread * Self.spread * 0.3466)
            if whole > elapsed { return whole - elapsed }
        }
        return 0.5 * elapsed
    }

    private static let tries = 8
    /// Of the logarithm to the base of 2: two thirds of all answers take from half to twice the middle time, about.
    private static let spread = 1.1

    /// The sum of twelve even numbers is as good as normal.
    private mutating func normal() -> Double {
        (0..<12).reduce(-6) { sum, _ in sum + Double.random(in: 0..<1, using: &random) }
    }
}
