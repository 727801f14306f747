// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import DequeModule
import NIOCore

typealias GroupIndex = RowIndex<WaitingLine.Group>

/// Requests that wait for a slot: first come first served within a tenant, fair between tenants by `TenantTimes`.
///
/// Requests that want the same thing form a group. A group that cannot go does not hold up another.
struct WaitingLine: Sendable {
    /// What decides whether a request can go.
    struct Group: Hashable, Sendable {
        var model: String
        var needs: RouteNeeds
        var excluding: [EndpointID]
        var unlisted: UnlistedName
        var options: RunnerOptions?
        /// The model that this is, where that is known.
        var book: BookIndex?

        init(_ ask: borrowing Ask, book: BookIndex?) {
            model = ask.model
            needs = ask.needs
            excluding = ask.excluding
            unlisted = ask.unlisted
            options = ask.options
            self.book = book
        }

        /// Nearly all that differ differ in this, and it costs a tenth of hashing everything.
        func hash(into hasher: inout Hasher) {
            if let book { hasher.combine(book) } else { hasher.combine(model) }
        }
    }

    struct Waiter: Sendable {
        var ticket: TicketID
        var ask: Ask
        var deadline: NIODeadline
        /// When it came.
        var since: NIODeadline { ask.since ?? deadline }
    }

    /// Those of one tenant who wait in a group.
    private struct Lane: Sendable {
        let tenant: Int
        var waiters: Deque<Waiter>
    }

    /// Who waits in a group. It has its number for as long as anybody does; then the number is used again.
    private struct Entry: Sendable {
        var group: Group
        var lanes: [Lane] = []
        var waiting = 0
    }

    /// Who waits for a model.
    private struct Book: Sendable {
        var waiting = 0
        var groups: [GroupIndex] = []
        /// Where it stands in `bookList`.
        var index = 0
    }

    private var entries = Column<Group, Entry>()
    private var free: [GroupIndex] = []
    private var numberOf: [Group: GroupIndex] = [:]
    private var places: [TicketID: (group: GroupIndex, tenant: Int)] = [:]
    private var tenants = TenantTimes()
    private(set) var nextTicket = TicketID(rawValue: 1)
    /// By number of the scheduler's book.
    private var books = Column<ModelBook, Book>()
    /// The books that anybody waits for, in no particular order.
    private var bookList: [BookIndex] = []
    private var cursor = 0

    /// By tenant; 1 where nothing is said.
    var weights: [Tenant: Double] {
        get { tenants.weights }
        set { tenants.weights = newValue }
    }

    var count: Int { places.count }
    var isEmpty: Bool { places.isEmpty }
    /// The numbers of the groups that anybody waits in.
    var waitingGroups: [GroupIndex] { entries.indices.filter { entries[$0].waiting > 0 } }

    /// What a group wants.
    subscript(group: GroupIndex) -> Group { entries[group].group }

    /// Nil where nobody waits for the same.
    func number(of group: Group) -> GroupIndex? { numberOf[group] }

    func waiting(in group: GroupIndex) -> Int { entries[group].waiting }

    /// - Returns: the ticket, and how many of the same group stand before it.
    mutating func add(_ ask: consuming Ask, book: BookIndex?, now: NIODeadline, timeout: TimeAmount) -> (TicketID, Int) {
        let ticket = nextTicket
        nextTicket = TicketID(rawValue: ticket.rawValue + 1)
        let group = Group(ask, book: book)
        let number = numberOf[group] ?? open(group)
        let tenant = tenants.enter(ask.tenant)
        let since = ask.since ?? now
        ask.since = since
        let deadline = ask.end(timeout: timeout, now: now)
        let waiter = Waiter(ticket: ticket, ask: ask, deadline: deadline)
        if let lane = entries[number].lanes.firstIndex(where: { $0.tenant == tenant }) {
            if let last = entries[number].lanes[lane].waiters.last, last.since > since {
                // Whoever comes back to the line stands where it stood, about.
                let place = entries[number].lanes[lane].waiters.firstIndex { $0.since > since } ?? 0
                entries[number].lanes[lane].waiters.insert(waiter, at: place)
            } else {
                entries[number].lanes[lane].waiters.append(waiter)
            }
        } else {
            entries[number].lanes.append(Lane(tenant: tenant, waiters: [waiter]))
        }
        let position = entries[number].waiting
        entries[number].waiting += 1
        if let book { books[book].waiting += 1 }
        places[ticket] = (number, tenant)
        return (ticket, position)
    }

    /// Whether a tenant may put one more in a line of `limit`. Whoever has many there may have at most eight times as many as places are
    /// left (dynamic thresholds, Choudhury and Hahne 1998): so one tenant's flood leaves room for others.
    func hasRoom(for tenant: Tenant, limit: Int) -> Bool {
        count < limit && (count < 8 * (limit - count) || tenants.waiting(tenant) < 8 * (limit - count))
    }

    // MARK: By book

    var waitingBooks: [BookIndex] { bookList }
    func waiting(for book: BookIndex) -> Int { books.contains(book) ? books[book].waiting : 0 }
    func groups(of book: BookIndex) -> [GroupIndex] { books.contains(book) ? books[book].groups : [] }

    /// One of the books that anybody waits for, another each time; nil if there is none.
    mutating func someBook() -> BookIndex? {
        guard !bookList.isEmpty else { return nil }
        cursor = (cursor + 1) % bookList.count
        return bookList[cursor]
    }

    private mutating func open(_ group: Group) -> GroupIndex {
        let number = free.popLast() ?? entries.nextIndex
        if entries.contains(number) { entries[number] = Entry(group: group) } else { entries.append(Entry(group: group)) }
        enlist(number)
        return number
    }

    /// Makes a group known by what it wants.
    private mutating func enlist(_ number: GroupIndex) {
        let group = entries[number].group
        numberOf[group] = number
        guard let book = group.book else { return }
        while !books.contains(book) { books.append(Book()) }
        if books[book].groups.isEmpty {
            books[book].index = bookList.count
            bookList.append(book)
        }
        books[book].groups.append(number)
        books[book].waiting += entries[number].waiting
    }

    private mutating func close(_ number: GroupIndex) {
        let group = entries[number].group
        numberOf[group] = nil
        free.append(number)
        guard let book = group.book else { return }
        books[book].groups.removeAll { $0 == number }
        guard books[book].groups.isEmpty, let last = bookList.popLast(), last != book else { return }
        bookList[books[book].index] = last
        books[last].index = books[book].index
    }

    /// Names are looked up anew, as the fleet has changed: each group's book is what `find` says.
    mutating func renew(_ find: (GroupIndex) -> BookIndex?) {
        numberOf = [:]
        books = Column()
        bookList = []
        for number in waitingGroups {
            entries[number].group.book = find(number)
            enlist(number)
        }
    }

    // MARK: Turns

    /// The least goes first.
    struct Turn: Comparable {
        var time: Double
        var since: NIODeadline
        var ticket: UInt64

        init(time: Double, _ waiter: Waiter) {
            self.time = time
            since = waiter.since
            ticket = waiter.ticket.rawValue
        }

        static func < (left: Turn, right: Turn) -> Bool {
            if left.time != right.time { return left.time < right.time }
            return left.since != right.since ? left.since < right.since : left.ticket < right.ticket
        }
    }

    /// The next in a group, and where its turn stands among all.
    func next(in group: GroupIndex) -> (waiter: Waiter, turn: Turn)? {
        var best: (lane: Int, turn: Turn)?
        for lane in entries[group].lanes.indices {
            guard let first = entries[group].lanes[lane].waiters.first else { continue }
            let turn = Turn(time: tenants.time(entries[group].lanes[lane].tenant), first)
            if best.map({ turn < $0.turn }) ?? true { best = (lane, turn) }
        }
        guard let best, let waiter = entries[group].lanes[best.lane].waiters.first else { return nil }
        return (waiter, best.turn)
    }

    /// The waiter has got its slot: its tenant's turn moves back.
    mutating func serve(_ ticket: TicketID) {
        guard let place = places[ticket] else { return }
        tenants.serve(place.tenant)
        remove(ticket)
    }

    /// Leaves without having been served. False if it was not in line.
    @discardableResult
    mutating func remove(_ ticket: TicketID) -> Bool {
        guard let (group, tenant) = places.removeValue(forKey: ticket) else { return false }
        if let lane = entries[group].lanes.firstIndex(where: { $0.tenant == tenant }) {
            if entries[group].lanes[lane].waiters.first?.ticket == ticket {
                entries[group].lanes[lane].waiters.removeFirst()
            } else {
                entries[group].lanes[lane].waiters.removeAll { $0.ticket == ticket }
            }
            if entries[group].lanes[lane].waiters.isEmpty { entries[group].lanes.remove(at: lane) }
        }
        entries[group].waiting -= 1
        if let book = entries[group].group.book { books[book].waiting -= 1 }
        if entries[group].waiting == 0 { close(group) }
        tenants.leave(tenant)
        if places.isEmpty { tenants.reset() }
        return true
    }

    // MARK: For operators

    /// All who wait in these groups, in the order in which they would go if nobody else came.
    func order(of wanted: [GroupIndex]) -> [(waiter: Waiter, group: GroupIndex)] {
        var lanes = wanted.flatMap { group in entries[group].lanes.map { (group: group, lane: $0) } }
        var times: [Int: Double] = [:]
        for (_, lane) in lanes { times[lane.tenant] = tenants.time(lane.tenant) }
        var result: [(waiter: Waiter, group: GroupIndex)] = []
        while true {
            var best: (index: Int, turn: Turn)?
            for (index, (_, lane)) in lanes.enumerated() {
                guard let first = lane.waiters.first, let time = times[lane.tenant] else { continue }
                let turn = Turn(time: time, first)
                if best.map({ turn < $0.turn }) ?? true { best = (index, turn) }
            }
            guard let best, let next = lanes[best.index].lane.waiters.popFirst() else { return result }
            let tenant = lanes[best.index].lane.tenant
            times[tenant, default: 0] += tenants.step(tenant)
            result.append((next, lanes[best.index].group))
        }
    }

    func tickets(in group: GroupIndex) -> [TicketID] { waiters(in: group).map(\.ticket).sorted { $0.rawValue < $1.rawValue } }

    func waiters(in group: GroupIndex) -> [Waiter] { entries[group].lanes.flatMap { $0.waiters } }

    func overdue(now: NIODeadline) -> [TicketID] {
        isEmpty ? [] : all.filter { $0.deadline <= now }.map(\.ticket).sorted { $0.rawValue < $1.rawValue }
    }

    var oldest: NIODeadline? { all.map(\.since).min() }

    private var all: some Sequence<Waiter> { entries.values.lazy.flatMap { $0.lanes.lazy.flatMap { $0.waiters } } }
}
