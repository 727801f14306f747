// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import DequeModule
import NIOCore

/// Requests that wait for a slot: first come first served within a tenant, fair between tenants.
///
/// Fair by start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queueing", SIGCOMM 1996), with every request
/// counted as one unit of work: a tenant's virtual time rises by one for each of its requests that goes, and the tenant whose
/// time is least is next. A tenant that comes (back) starts at the time of the one served last, so that nobody saves up.
///
/// Requests that want the same thing form a group. A group that cannot go does not hold up another.
struct WaitingLine: Sendable {
    /// What decides whether a request can go.
    struct Group: Hashable, Sendable {
        var model: String
        var needs: RouteNeeds
        var excluding: [EndpointID]
    }

    struct Waiter: Sendable {
        var ticket: TicketID
        var tenant: Tenant
        var since: NIODeadline
        var deadline: NIODeadline
    }

    private var groups: [Group: [Tenant: Deque<Waiter>]] = [:]
    private var places: [TicketID: (group: Group, tenant: Tenant)] = [:]
    /// Virtual time and number of waiting requests of each tenant that has any.
    private var tenants: [Tenant: (time: Double, waiting: Int)] = [:]
    private var served = 0.0
    private var nextTicket: UInt64 = 1

    var count: Int { places.count }
    var isEmpty: Bool { places.isEmpty }
    var waitingGroups: Dictionary<Group, [Tenant: Deque<Waiter>]>.Keys { groups.keys }

    /// - Returns: the ticket, and how many of the same group stand before it.
    mutating func add(_ ask: Ask, now: NIODeadline, timeout: TimeAmount) -> (TicketID, Int) {
        let ticket = TicketID(rawValue: nextTicket)
        nextTicket += 1
        let group = Group(model: ask.model, needs: ask.needs, excluding: ask.excluding)
        let position = waiting(in: group)
        groups[group, default: [:]][ask.tenant, default: []].append(
            Waiter(ticket: ticket, tenant: ask.tenant, since: now, deadline: now + timeout))
        places[ticket] = (group, ask.tenant)
        let tenant = tenants[ask.tenant] ?? (time: served, waiting: 0)
        tenants[ask.tenant] = (time: tenant.waiting == 0 ? max(tenant.time, served) : tenant.time, waiting: tenant.waiting + 1)
        return (ticket, position)
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
        tenants[place.tenant]?.time += 1
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
