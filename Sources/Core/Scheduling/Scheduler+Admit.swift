// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What breakers mean for a request: who may be asked, and what happens where nobody may.
///
/// 1. While one of those that could serve it is in order, or its probe is due, the request goes by the ordinary rule among these, or waits
///    in line for their slots.
/// 2. If all are set aside as broken, somebody must be asked all the same, at once: the one whose probe is due first.
/// 3. If one of them is only busy, the request waits in line: what is busy comes back, and a broken one is asked as soon as its probe is
///    due.
/// 4. If none of them is due before the request's wait is over, a broken one is asked at once, as there is nothing to lose; if there is
///    none, the request is refused, and told when the first of the busy ones wants to be asked again.
extension Scheduler {
    /// Whether the pair may be asked now by a request that needs this.
    func admits(_ pair: PairIndex, _ needs: RouteNeeds, now: NIODeadline) -> Bool {
        if !pairs[pair].isSetAside { return true }
        return pairBreakers[pair].admits(now: now) && placeBreakers[pairs[pair].place].admits(now: now)
            && absence(pair, needs)?.admits(now: now) ?? true
    }

    /// Those of whom some are set aside, seen by one request.
    private struct Outlook {
        var admitsSome = false
        /// A probe is out on one of them: it may be back in order any moment.
        var isProbed = false
        var hasBusy = false
        var hasBroken = false
        /// When the first of them may be asked again.
        var earliest: NIODeadline?
    }

    /// Why one pair is not asked.
    private struct Obstacle {
        var isBusy = false
        var isProbed = false
        /// When it may be asked again, if no probe is out.
        var due = NIODeadline.uptimeNanoseconds(0)

        mutating func add(_ breaker: Breaker, now: NIODeadline) {
            if breaker.admits(now: now) { return }
            if breaker.cause == .busy { isBusy = true }
            if case .probing = breaker.state { isProbed = true }
            due = max(due, breaker.due)
        }
    }

    /// Somebody who is asked although everybody is set aside; nil where that is not so.
    mutating func lastResort(_ target: Target, _ ask: Ask, now: NIODeadline) -> Choice? {
        let outlook = outlook(target, ask, now: now)
        guard outlook.hasBroken, !outlook.admitsSome else { return nil }
        if outlook.hasBusy {
            guard !outlook.isProbed, let earliest = outlook.earliest, earliest > deadline(ask, now: now) else { return nil }
        }
        refreshResidents()
        var best: (choice: Choice, due: NIODeadline)?
        for candidate in target.candidates where couldServe(candidate.pair, ask) {
            let obstacle = obstacle(candidate.pair, ask.needs, now: now)
            guard !obstacle.isBusy, best.map({ obstacle.due < $0.due }) ?? true, let (choice, _) = weigh(candidate, ask, now: now),
                // What is only loaded otherwise does not hold it up.
                !choice.cost.isBlocked || isUsable(candidate.pair)
            else { continue }
            best = (choice, obstacle.due)
        }
        return best?.choice
    }

    /// Everybody is busy until after the request's wait.
    func allBusy(_ target: Target, _ ask: Ask, now: NIODeadline) -> Refusal? {
        guard setAsideCount > 0 else { return nil }
        let outlook = outlook(target, ask, now: now)
        guard outlook.hasBusy, !outlook.hasBroken, !outlook.admitsSome, !outlook.isProbed, let earliest = outlook.earliest,
            earliest > deadline(ask, now: now)
        else { return nil }
        return .allBusy(seconds: (earliest - now).seconds)
    }

    /// Those in line for whom nobody will be there in time.
    mutating func refuseInVain(now: NIODeadline) -> [SchedulerAction] {
        guard setAsideCount > 0, !line.isEmpty else { return [] }
        var actions: [SchedulerAction] = []
        for number in line.waitingGroups {
            guard case .candidates(let target) = resolve(line[number]) else { continue }
            for waiter in line.waiters(in: number) {
                guard let refusal = allBusy(target, waiter.ask, now: now) else { continue }
                line.remove(waiter.ticket)
                actions.append(.refuse(waiter.ticket, refusal))
            }
        }
        return actions
    }

    /// Why nobody is sent to a pair that is set aside, for people; nil if it may be asked.
    func whySetAside(_ pair: PairIndex, _ needs: RouteNeeds, now: NIODeadline) -> String? {
        guard pairs[pair].isSetAside else { return nil }
        for breaker in [placeBreakers[pairs[pair].place], pairBreakers[pair], absence(pair, needs) ?? Breaker()] where !breaker.admits(now: now) {
            if case .probing = breaker.state { return "\(breaker.reason); one request is there to see how it is" }
            return "\(breaker.reason); asked again in \(Breaker.text(breaker.due - now))"
        }
        return nil
    }

    private func absence(_ pair: PairIndex, _ needs: RouteNeeds) -> Breaker? {
        guard let absence = absences[pair], absence.needs == needs else { return nil }
        return absence.breaker
    }

    /// In service, speaks the route, and has not failed the request.
    func couldServe(_ pair: PairIndex, _ ask: Ask) -> Bool {
        let place = pairs[pair].place
        return takesWork(place) && ask.needs.fit(of: places[place].capabilities) != nil
            && (ask.excluding.isEmpty || !ask.excluding.contains(places[place].endpoint.id))
    }

    private func deadline(_ ask: Ask, now: NIODeadline) -> NIODeadline { ask.end(timeout: settings.queueTimeout, now: now) }

    /// Nobody asks for more.
    private static let countedAlternatives = 4

    /// Endpoints other than the chosen one that could serve the request.
    func alternatives(to choice: Choice, _ target: Target, _ ask: Ask) -> Int {
        let chosen = pairs[choice.candidate.pair].place
        var count = 0
        // Candidates stand in the order of their places: one that has the model twice counts once.
        var last = chosen
        for candidate in target.candidates {
            let place = pairs[candidate.pair].place
            guard place != chosen, place != last, couldServe(candidate.pair, ask) else { continue }
            last = place
            count += 1
            if count == Self.countedAlternatives { break }
        }
        return count
    }

    private func outlook(_ target: Target, _ ask: Ask, now: NIODeadline) -> Outlook {
        var outlook = Outlook()
        for candidate in target.candidates where couldServe(candidate.pair, ask) {
            if admits(candidate.pair, ask.needs, now: now) {
                outlook.admitsSome = true
                return outlook
            }
            let obstacle = obstacle(candidate.pair, ask.needs, now: now)
            if obstacle.isBusy { outlook.hasBusy = true } else { outlook.hasBroken = true }
            if obstacle.isProbed {
                outlook.isProbed = true
            } else {
                outlook.earliest = outlook.earliest.map { min($0, obstacle.due) } ?? obstacle.due
            }
        }
        return outlook
    }

    private func obstacle(_ pair: PairIndex, _ needs: RouteNeeds, now: NIODeadline) -> Obstacle {
        var obstacle = Obstacle()
        obstacle.add(pairBreakers[pair], now: now)
        obstacle.add(placeBreakers[pairs[pair].place], now: now)
        if let absence = absence(pair, needs) { obstacle.add(absence, now: now) }
        return obstacle
    }
}
