// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Gives slots to the line, whenever something has changed and on a timer.
extension Scheduler {
    /// Of the models whose turn to look at it is not, so many are looked at when an endpoint has come to rest.
    private static let othersAtOnce = 4

    /// A slot of the pair is free, or its model in memory.
    mutating func dispatch(freed pair: PairIndex, now: NIODeadline) -> [SchedulerAction] {
        // Whether a load is worth it has changed little, unless the model is nowhere any more: that is for the timer.
        // Where it is asked for with several options, it may have to be loaded again.
        let isSettled = isUsable(pair) && books[pairs[pair].book].configurations.isEmpty
        var actions = dispatch(pairs[pair].book, loads: isSettled ? .none : .of(pair), now: now)
        // A model that is idle may have to go for others.
        if pairs[pair].inFlight == 0, let claim = pairs[pair].claim, claim.book != pairs[pair].book,
            let claimant = places[pairs[pair].place].pairOfBook[claim.book]
        {
            actions += dispatch(claim.book, loads: .of(claimant), now: now)
        }
        if pairs[pair].inFlight == 0, !line.isEmpty { actions += dispatchOthers(than: pair, now: now) }
        return actions
    }

    /// An endpoint has come to rest: some of those who wait for other models may have theirs loaded there.
    private mutating func dispatchOthers(than idle: PairIndex, now: NIODeadline) -> [SchedulerAction] {
        var actions: [SchedulerAction] = []
        let place = pairs[idle].place
        for _ in 0..<min(Self.othersAtOnce, line.waitingBooks.count) {
            guard let book = line.someBook(), book != pairs[idle].book, let other = places[place].pairOfBook[book], !isUsable(other),
                !hasBusyVictim(other)
            else { continue }
            actions += dispatch(book, loads: .of(other), now: now)
        }
        return actions
    }

    /// Groups of one model that are looked at for a slot. Clients may invent options: with more groups than that, those whose turn is later
    /// may wait beside a slot that would do for them.
    private static let groupsAtOnce = 32

    private func groups(of book: BookIndex) -> [GroupIndex] {
        let groups = line.groups(of: book)
        guard groups.count > Self.groupsAtOnce else { return groups }
        let turns = groups.compactMap { group in line.next(in: group).map { (group: group, turn: $0.turn) } }
        return turns.sorted { $0.turn < $1.turn }.prefix(Self.groupsAtOnce).map(\.group)
    }

    /// Everything anew: the model first whose next request's turn is first.
    mutating func dispatchAll(now: NIODeadline) -> [SchedulerAction] {
        var turns: [(book: BookIndex, turn: WaitingLine.Turn)] = []
        for book in line.waitingBooks {
            if let turn = line.groups(of: book).compactMap({ line.next(in: $0)?.turn }).min() { turns.append((book, turn)) }
        }
        turns.sort { $0.turn < $1.turn }
        return turns.flatMap { dispatch($0.book, now: now) }
    }

    /// Gives every slot that can be given to those who wait for the model.
    private mutating func dispatch(_ book: BookIndex, loads: Loads = .all, now: NIODeadline) -> [SchedulerAction] {
        var actions: [SchedulerAction] = []
        while line.waiting(for: book) > 0, let action = serveNext(of: book, loads: loads, now: now) { actions.append(action) }
        return actions
    }

    /// Of those who wait for the model and can go the one whose turn it is. If nobody can, what the first of them needs is claimed.
    private mutating func serveNext(of book: BookIndex, loads: Loads, now: NIODeadline) -> SchedulerAction? {
        // The turn apart from the rest, which is large: it is compared with each.
        var turn: WaitingLine.Turn?
        var best: (group: GroupIndex, choice: Choice, alternatives: Int)?
        var wish: (turn: WaitingLine.Turn, pair: PairIndex, group: GroupIndex)?
        for group in groups(of: book) {
            guard let next = line.next(in: group) else { continue }
            if let turn, turn < next.turn { continue }
            guard case .candidates(var target) = resolve(line[group]) else { continue }
            if next.waiter.ask.options != nil { dropTooSmall(&target, next.waiter.ask) }
            let before = waiting(for: book, as: next.waiter.ask) - 1
            switch choose(target, next.waiter.ask, before: before, loads: loads, now: now) {
            case .go(let choice):
                turn = next.turn
                best = (group, choice, alternatives(to: choice, target, next.waiter.ask))
            case .claim(let pair): if wish.map({ next.turn < $0.turn }) ?? true { wish = (next.turn, pair, group) }
            case .wait: break
            }
        }
        if let best, let (waiter, _) = line.next(in: best.group) {
            line.serve(waiter.ticket)
            return .grant(waiter.ticket, grant(best.choice, waiter.ask, alternatives: best.alternatives, now: now))
        }
        if let wish, let (waiter, _) = line.next(in: wish.group) { claim(wish.pair, for: waiter.ask, now: now) }
        return nil
    }
}
