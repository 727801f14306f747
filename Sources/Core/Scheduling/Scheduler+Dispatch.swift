// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Gives slots to the line, whenever something has changed and on a timer.
extension Scheduler {
    /// For how long a claim holds without being renewed.
    static let claimTime = TimeAmount.seconds(2)
    /// Of the models whose turn to look at it is not, so many are looked at when an endpoint has come to rest.
    private static let othersAtOnce = 4

    /// The timer: refuses those who have waited for too long, decides anew for the others, looks for what to load ahead of need.
    public mutating func expire(now: NIODeadline) -> [SchedulerAction] {
        var actions: [SchedulerAction] = []
        if !line.isEmpty {
            actions = line.overdue(now: now).map { ticket in
                line.remove(ticket)
                return .refuse(ticket, .waitedTooLong(seconds: settings.queueTimeout.seconds))
            }
        }
        for book in books.indices { books[book].decay(now: now) }
        residentsChanged()
        if hasClaims { dropOldClaims(now: now) }
        if !line.isEmpty { actions += dispatchAll(now: now) }
        actions += refuseInVain(now: now)
        return actions + preloads(now: now)
    }

    /// After a change of the fleet: who waits for what no longer comes is told, who can go goes.
    mutating func redecide(now: NIODeadline) -> [SchedulerAction] {
        guard !line.isEmpty else { return [] }
        var actions: [SchedulerAction] = []
        var found: [GroupIndex: BookIndex] = [:]
        for number in line.waitingGroups {
            switch resolve(line[number]) {
            case .candidates(let target): found[number] = target.book
            case .later: break
            case .refused(let refusal):
                for ticket in line.tickets(in: number) {
                    line.remove(ticket)
                    actions.append(.refuse(ticket, refusal))
                }
            }
        }
        // In the order in which they came, whatever the order of the groups.
        actions.sort { Self.ticket($0) < Self.ticket($1) }
        line.renew { found[$0] }
        return actions + dispatchAll(now: now)
    }

    private static func ticket(_ action: SchedulerAction) -> UInt64 {
        switch action {
        case .grant(let ticket, _), .refuse(let ticket, _): ticket.rawValue
        case .load: 0
        }
    }

    /// A slot of the pair is free, or its model in memory: that concerns those who wait for it; and if the model is idle now, those for
    /// whom it may have to go.
    mutating func dispatch(freed pair: PairIndex, now: NIODeadline) -> [SchedulerAction] {
        // Whether a load is worth it has changed little, unless the model is nowhere any more: that is for the timer.
        var actions = dispatch(pairs[pair].book, loads: isUsable(pair) ? .none : .of(pair), now: now)
        guard pairs[pair].inFlight == 0 else { return actions }
        if let claim = pairs[pair].claim, claim.book != pairs[pair].book, let other = places[pairs[pair].place].pairOfBook[claim.book] {
            actions += dispatch(claim.book, loads: .of(other), now: now)
        }
        guard pairs[pair].inFlight == 0, !line.isEmpty else { return actions }
        let place = pairs[pair].place
        for _ in 0..<min(Self.othersAtOnce, line.waitingBooks.count) {
            guard let book = line.someBook(), book != pairs[pair].book, let other = places[place].pairOfBook[book], !isUsable(other),
                !hasBusyVictim(other)
            else { continue }
            actions += dispatch(book, loads: .of(other), now: now)
        }
        return actions
    }

    mutating func dispatchAll(now: NIODeadline) -> [SchedulerAction] {
        var actions: [SchedulerAction] = []
        let turns = line.waitingBooks.map { book in (book: book, turn: line.groups(of: book).compactMap { line.next(in: $0)?.turn }.min()) }
        for (book, _) in turns.sorted(by: { left, right in
            guard let first = left.turn, let second = right.turn else { return left.turn != nil }
            return first < second
        }) {
            actions += dispatch(book, now: now)
        }
        return actions
    }

    /// Gives every slot that can be given to those who wait for the model, each time to the one whose turn it is among those who can go.
    private mutating func dispatch(_ book: BookIndex, loads: Loads = .all, now: NIODeadline) -> [SchedulerAction] {
        var actions: [SchedulerAction] = []
        while true {
            let before = line.waiting(for: book) - 1
            guard before >= 0 else { break }
            var best: (waiter: WaitingLine.Waiter, turn: WaitingLine.Turn, choice: Choice, target: Target)?
            var wish: (pair: PairIndex, turn: WaitingLine.Turn)?
            for group in line.groups(of: book) {
                guard let next = line.next(in: group), best.map({ next.turn < $0.turn }) ?? true,
                    case .candidates(let target) = resolve(line[group])
                else { continue }
                switch choose(target, next.waiter.ask, before: before, loads: loads, now: now) {
                case .go(let choice): best = (next.waiter, next.turn, choice, target)
                case .claim(let pair): if wish.map({ next.turn < $0.turn }) ?? true { wish = (pair, next.turn) }
                case .wait: break
                }
            }
            guard let best else {
                if let wish { claim(wish.pair, now: now) }
                break
            }
            line.serve(best.waiter.ticket)
            actions.append(.grant(best.waiter.ticket, grant(best.choice, best.waiter.ask, best.target, now: now)))
        }
        return actions
    }

    // MARK: Claims

    /// Models in use are in the way of a load that is worth more: they get nothing new, so that they come to an end.
    mutating func claim(_ pair: PairIndex, now: NIODeadline) {
        let book = pairs[pair].book
        for victim in makeRoom(for: pair).busy where pairs[victim].claim == nil || pairs[victim].claim?.book == book {
            pairs[victim].claim = (book, now + Self.claimTime)
            hasClaims = true
        }
    }

    mutating func release(claimsFor book: BookIndex, on place: PlaceIndex) {
        guard hasClaims else { return }
        for pair in places[place].resident where pairs[pair].claim?.book == book { pairs[pair].claim = nil }
    }

    private mutating func dropOldClaims(now: NIODeadline) {
        hasClaims = false
        for place in places.indices {
            for pair in places[place].pairs {
                guard let claim = pairs[pair].claim else { continue }
                if claim.until <= now || line.waiting(for: claim.book) == 0 { pairs[pair].claim = nil } else { hasClaims = true }
            }
        }
    }
}
