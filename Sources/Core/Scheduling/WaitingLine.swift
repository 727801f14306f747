// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import DequeModule
import NIOCore

/// Requests that wait for a slot: first come first served within a tenant, fair between tenants.
///
/// Fair by start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queueing", SIGCOMM 1996), with every request
/// counted as one unit of work: a tenant's virtual time rises by one over its weight for each of its requests that goes, and the tenant
/// whose time is least is next. A tenant that comes (back) starts at the time of the one served last, so that nobody saves up.
///
/// Requests that want the same thing form a group. A group that cannot go does not hold up another.
struct WaitingLine: Sendable {
    /// What decides whether a request can go.
    struct Group: Hashable, Sendable {
        var model: String
        var needs: RouteNeeds
        var excluding: [EndpointID]
        /// The model that this is, where that is known.
        var book: Int?

        /// Nearly all that differ differ in this, and it costs a tenth of hashing everything.
        func hash(into hasher: inout Hasher) {
            if let book { hasher.combine(book) } else { hasher.combine(model) }
        }
    }

    /// Who waits for a model.
    private struct Book: Sendable {
        var waiting = 0
        var groups: [Group] = []
        /// Where it stands in `bookList`.
        var index = 0
    }

    struct Waiter: Sendable {
        var ticket: TicketID
        var ask: Ask
        var since: NIODeadline
        var deadline: NIODeadline
    }

    private var groups: [Group: [Tenant: Deque<Waiter>]] = [:]
    private var places: [TicketID: (group: Group, tenant: Tenant)] = [:]
    /// Virtual time and number of waiting requests of each tenant that has any.
    private var tenants: [Tenant: (time: Double, waiting: Int)] = [:]
    private var served = 0.0
    private var nextTicket: UInt64 = 1
    /// By number of the scheduler's book.
    private var books: [Book] = []
    /// The books that anybody waits for, in no particular order.
    private var bookList: [Int] = []
    private var cursor = 0
    var weights: [Tenant: Double] = [:]

    var count: Int { places.count }
    var isEmpty: Bool { places.isEmpty }
    var waitingGroups: Dictionary<Group, [Tenant: Deque<Waiter>]>.Keys { groups.keys }

    /// - Returns: the ticket, and how many of the same group stand before it.
    mutating func add(_ ask: Ask, book: Int?, now: NIODeadline, timeout: TimeAmount) -> (TicketID, Int) {
        let ticket = TicketID(rawValue: nextTicket)
        nextTicket += 1
        let group = Group(model: ask.model, needs: ask.needs, excluding: ask.excluding, book: book)
        let position = waiting(in: group)
        groups[group, default: [:]][ask.tenant, default: []].append(Waiter(ticket: ticket, ask: ask, since: now, deadline: now + timeout))
        if let book { enter(book, group, isNew: position == 0) }
        places[ticket] = (group, ask.tenant)
        let tenant = tenants[ask.tenant] ?? (time: served, waiting: 0)
        tenants[ask.tenant] = (time: tenant.waiting == 0 ? max(tenant.time, served) : tenant.time, waiting: tenant.waiting + 1)
        return (ticket, position)
    }

    /// Whether a tenant may put one more in a line of `limit`. Whoever has many there may have at most eight times as many as places are
    /// left (dynamic thresholds, Choudhury and Hahne 1998): so one tenant's flood leaves room for others.
    func hasRoom(for tenant: Tenant, limit: Int) -> Bool {
        count < limit && (tenants[tenant]?.waiting ?? 0) < 8 * (limit - count)
    }

    // MARK: By book

    var waitingBooks: [Int] { bookList }
    func waiting(for book: Int) -> Int { book < books.count ? books[book].waiting : 0 }
    func groups(of book: Int) -> [Group] { book < books.count ? books[book].groups : [] }

    /// A few of the books that anybody waits for, others each time.
    mutating func someBooks(_ count: Int) -> [Int] {
        guard !bookList.isEmpty else { return [] }
        return (0..<min(count, bookList.count)).map { _ in
            cursor = (cursor + 1) % bookList.count
            return bookList[cursor]
        }
    }

    private mutating func enter(_ book: Int, _ group: Group, isNew: Bool) {
        while books.count <= book { books.append(Book()) }
        if books[book].waiting == 0 {
            books[book].index = bookList.count
            bookList.append(book)
        }
        books[book].waiting += 1
        if isNew { books[book].groups.append(group) }
    }

    private mutating func leave(_ group: Group) {
        guard let book = group.book, waiting(for: book) > 0 else { return }
        books[book].waiting -= 1
        if groups[group] == nil { books[book].groups.removeAll { $0 == group } }
        guard books[book].waiting == 0, let last = bookList.popLast(), last != book else { return }
        bookList[books[book].index] = last
        books[last].index = books[book].index
    }

    /// Names are looked up anew, as the fleet has changed: each group's book is what `find` says.
    mutating func renew(_ find: (Group) -> Int?) {
        let old = groups
        groups = [:]
        books = []
        bookList = []
        for (group, line) in old {
            var renewed = group
            renewed.book = find(group)
            groups[renewed] = line
            for (tenant, waiters) in line { for waiter in waiters { places[waiter.ticket] = (renewed, tenant) } }
            guard let book = renewed.book else { continue }
            for number in 0..<line.values.reduce(0, { $0 + $1.count }) { enter(book, renewed, isNew: number == 0) }
        }
        // A dictionary's order is chance.
        let order = bookList.sorted()
        bookList = order
        for (index, book) in order.enumerated() {
            books[book].index = index
            books[book].groups.sort { Self.isBefore($0, $1) }
        }
    }

    private static func isBefore(_ left: Group, _ right: Group) -> Bool {
        left.model != right.model
            ? left.model < right.model : left.excluding.map(\.rawValue).lexicographicallyPrecedes(right.excluding.map(\.rawValue))
    }

    func waiting(in group: Group) -> Int { groups[group]?.values.reduce(0) { $0 + $1.count } ?? 0 }

    /// The next in a group, and where its turn stands among all: the least goes first.
    func next(in group: Group) -> (waiter: Waiter, turn: Turn)? {
        var best: (waiter: Waiter, turn: Turn)?
        for (tenant, line) in groups[group] ?? [:] {
            guard let first = line.first, let time = tenants[tenant]?.time else { continue }
            let turn = Turn(time: time, ticket: first.ticket.rawValue)
            if best.map({ turn < $0.turn }) ?? true { best = (first, turn) }
        }
        return best
    }

    struct Turn: Comparable {
        var time: Double
        var ticket: UInt64

        static func < (left: Turn, right: Turn) -> Bool {
            left.time != right.time ? left.time < right.time : left.ticket < right.ticket
        }
    }

    /// The waiter has got its slot: its tenant's turn moves back.
    mutating func serve(_ ticket: TicketID) {
        guard let place = places[ticket], let tenant = tenants[place.tenant] else { return }
        served = max(served, tenant.time)
        tenants[place.tenant]?.time += 1 / max(0.001, weights[place.tenant] ?? 1)
        _ = remove(ticket)
    }

    /// Leaves without having been served. False if it was not in line.
    mutating func remove(_ ticket: TicketID) -> Bool {
        guard let (group, tenant) = places.removeValue(forKey: ticket) else { return false }
        if groups[group]?[tenant]?.first?.ticket == ticket {
            _ = groups[group]?[tenant]?.popFirst()
        } else {
            groups[group]?[tenant]?.removeAll { $0.ticket == ticket }
        }
        if groups[group]?[tenant]?.isEmpty ?? false { groups[group]?[tenant] = nil }
        if groups[group]?.isEmpty ?? false { groups[group] = nil }
        leave(group)
        if let left = tenants[tenant]?.waiting { tenants[tenant]?.waiting = left - 1 }
        // A tenant's time matters only while it is ahead of the others.
        if tenants[tenant]?.waiting == 0, let time = tenants[tenant]?.time, time <= served || places.isEmpty { tenants[tenant] = nil }
        if places.isEmpty { tenants.removeAll() }
        return true
    }

    /// All who wait in these groups, in the order in which they would go if nobody else came.
    func order(of wanted: [Group]) -> [(waiter: Waiter, group: Group)] {
        var lanes: [(group: Group, tenant: Tenant, waiters: Deque<Waiter>)] = []
        var times: [Tenant: Double] = [:]
        for group in wanted {
            for (tenant, waiters) in groups[group] ?? [:] {
                lanes.append((group, tenant, waiters))
                times[tenant] = tenants[tenant]?.time ?? served
            }
        }
        var result: [(waiter: Waiter, group: Group)] = []
        while true {
            var best: (lane: Int, turn: Turn)?
            for (index, lane) in lanes.enumerated() {
                guard let first = lane.waiters.first, let time = times[lane.tenant] else { continue }
                let turn = Turn(time: time, ticket: first.ticket.rawValue)
                if best.map({ turn < $0.turn }) ?? true { best = (index, turn) }
            }
            guard let best, let next = lanes[best.lane].waiters.popFirst() else { return result }
            times[lanes[best.lane].tenant, default: 0] += 1
            result.append((next, lanes[best.lane].group))
        }
    }

    func tickets(in group: Group) -> [TicketID] {
        (groups[group]?.values.flatMap { $0.map(\.ticket) } ?? []).sorted { $0.rawValue < $1.rawValue }
    }

    func overdue(now: NIODeadline) -> [TicketID] {
        places.isEmpty ? [] : all.filter { $0.deadline <= now }.map(\.ticket).sorted { $0.rawValue < $1.rawValue }
    }

    var nextDeadline: NIODeadline? { all.map(\.deadline).min() }
    var oldest: NIODeadline? { all.map(\.since).min() }

    private var all: some Sequence<Waiter> { groups.values.lazy.flatMap { $0.values.lazy.flatMap { $0 } } }
}
