// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What time and the fleet do to those who wait.
extension Scheduler {
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
}
