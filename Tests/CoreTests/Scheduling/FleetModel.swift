// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

@testable import Core

/// The books as they must be, kept beside the scheduler in the plainest way. Throws at whatever cannot be.
///
/// It hears what the scheduler answers and knows nothing of how it decides: only that a slot is not given twice, that
/// who waits is told once, and that nobody waits for a slot that is free.
final class FleetModel {
    struct Impossible: Error, CustomStringConvertible {
        var description: String
    }

    struct Server {
        var limit: Int
        var phase: EndpointState.Phase = .up
        var isConfigured = true
        var models: Set<String>
        var loaded: Set<String> = []

        var takesWork: Bool { isConfigured && phase.takesWork }
    }

    var servers: [Int: Server] = [:]
    private struct Wish: Hashable {
        var model: String
        var options: RunnerOptions?
    }

    private(set) var held: [LeaseID: (server: Int, model: String)] = [:]
    private(set) var waiting: [TicketID: (model: String, options: RunnerOptions?, since: NIODeadline)] = [:]
    private var finished: Set<TicketID> = []
    private(set) var granted = 0

    func inFlight(_ server: Int, _ model: String) -> Int {
        held.values.count { $0.server == server && $0.model == model }
    }

    // MARK: What the scheduler said

    func take(_ grant: Grant, model: String) throws {
        guard held[grant.lease] == nil else { throw Impossible(description: "\(grant.lease) is out already") }
        let number = grant.endpoint.rawValue
        guard let server = servers[number] else { throw Impossible(description: "there is no endpoint \(number)") }
        guard server.takesWork else { throw Impossible(description: "endpoint \(number) is \(server.phase), configured: \(server.isConfigured)") }
        guard server.models.contains(model), grant.model == model else { throw Impossible(description: "endpoint \(number) has no \(model)") }
        guard inFlight(number, model) < server.limit else { throw Impossible(description: "no slot is free for \(model) on \(number)") }
        held[grant.lease] = (number, model)
        granted += 1
    }

    func wait(_ ticket: TicketID, model: String, options: RunnerOptions? = nil, since: NIODeadline) throws {
        guard waiting[ticket] == nil, !finished.contains(ticket) else { throw Impossible(description: "\(ticket) was given out before") }
        waiting[ticket] = (model, options, since)
    }

    func apply(_ actions: [SchedulerAction]) throws {
        for action in actions {
            switch action {
            case .grant(let ticket, let grant): try take(grant, model: leave(ticket).model)
            case .refuse(let ticket, _): _ = try leave(ticket)
            case .load: break
            }
        }
    }

    @discardableResult
    func leave(_ ticket: TicketID) throws -> (model: String, options: RunnerOptions?, since: NIODeadline) {
        guard let found = waiting.removeValue(forKey: ticket) else { throw Impossible(description: "\(ticket) is not waiting") }
        finished.insert(ticket)
        return found
    }

    func giveBack(_ lease: LeaseID) throws {
        guard held.removeValue(forKey: lease) != nil else { throw Impossible(description: "\(lease) is not out") }
    }

    // MARK: What must hold after every event

    func check(_ scheduler: inout Scheduler) throws {
        let snapshot = scheduler.snapshot()
        guard snapshot.inFlight == held.count, snapshot.waiting == waiting.count else {
            throw Impossible(
                description: "it counts \(snapshot.inFlight) in flight and \(snapshot.waiting) waiting, not \(held.count) and \(waiting.count)")
        }
        for (id, row) in snapshot.endpoints {
            for (model, count) in row.inFlightByModel where count != inFlight(id.rawValue, model) {
                throw Impossible(description: "it counts \(count) of \(model) on \(id.rawValue)")
            }
            guard row.inFlight == held.values.count(where: { $0.server == id.rawValue }) else {
                throw Impossible(description: "the sum of \(id.rawValue) is \(row.inFlight)")
            }
        }
        // The rule may say "wait" although a slot is free where the model would have to be loaded, or where answers fail; never where it is in
        // memory as it is asked for, and all is well.
        for (model, options) in Set(waiting.values.map { Wish(model: $0.model, options: $0.options) }).map({ ($0.model, $0.options) }) {
            for pair in scheduler.pairs.values where pair.name == model && pair.isLoaded && pair.isPresent && pair.claim == nil && !pair.isSetAside {
                guard pair.configuration.serves(options ?? .unset, pair.contexts) else { continue }
                let number = scheduler.places[pair.place].endpoint.id.rawValue
                guard let server = servers[number], server.takesWork, server.models.contains(model), inFlight(number, model) < server.limit else {
                    continue
                }
                throw Impossible(description: "\(model) is waited for although it is in memory on \(number), with a slot free")
            }
        }
    }

    /// One request at a time goes to what is set aside, unless everybody is.
    func checkProbe(_ grant: Grant, model: String, _ scheduler: Scheduler) throws {
        guard let record = scheduler.leases.record(of: grant.lease) else { throw Impossible(description: "\(grant.lease) is not out") }
        var most = 0
        for breaker in [scheduler.pairBreakers[record.pair], scheduler.placeBreakers[scheduler.pairs[record.pair].place]] {
            guard case .setAside = breaker.state else {
                if case .probing(_, let requests) = breaker.state { most = max(most, requests) }
                continue
            }
            throw Impossible(description: "\(grant.lease) went to \(grant.endpoint), and its breaker does not know")
        }
        guard grant.isProbe || most == 0 else { throw Impossible(description: "\(grant.lease) is a probe and does not know") }
        let others = scheduler.pairs.values.contains { pair in
            pair.name == model && pair.isPresent && scheduler.places[pair.place].takesWork && !pair.isSetAside
        }
        guard most < 2 || !others else { throw Impossible(description: "\(most) probes are at \(grant.endpoint), although others are well") }
    }

    /// A fleet of which everybody is broken is asked all the same.
    func checkSomebodyIsAsked(_ scheduler: Scheduler, now: NIODeadline) throws {
        for model in Set(waiting.values.map(\.model)) {
            let able = scheduler.pairs.indices.filter { pair in
                scheduler.pairs[pair].name == model && scheduler.pairs[pair].isPresent && scheduler.places[scheduler.pairs[pair].place].takesWork
            }
            let areAllBroken = able.allSatisfy { pair in
                let breakers = [scheduler.pairBreakers[pair], scheduler.placeBreakers[scheduler.pairs[pair].place]]
                return breakers.contains { $0.cause == .broken } && !breakers.contains { $0.cause == .busy }
            }
            let isFree = able.contains { scheduler.pairs[$0].inFlight < scheduler.limit($0) && scheduler.pairs[$0].claim == nil }
            if areAllBroken, isFree { throw Impossible(description: "\(model) is waited for, all that have it are broken, and nobody is asked") }
        }
    }

    /// After the timer nobody waits for a model that nobody holds while an endpoint that has it does nothing.
    func checkNobodyIsForgotten(_ scheduler: Scheduler) throws {
        for model in Set(waiting.values.map(\.model)) {
            guard !scheduler.pairs.values.contains(where: { $0.name == model && $0.isUsable && $0.isPresent }) else { continue }
            for (number, server) in servers where server.takesWork && server.models.contains(model) {
                let place = scheduler.indexOf[EndpointID(number)]
                let isSetAside = scheduler.pairs.values.contains { $0.name == model && $0.isPresent && $0.isSetAside && $0.place == place }
                guard !isSetAside else { continue }
                guard held.values.contains(where: { $0.server == number }) else {
                    throw Impossible(description: "\(model) is waited for although \(number) does nothing")
                }
            }
        }
    }
}
