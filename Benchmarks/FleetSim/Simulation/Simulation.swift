// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Core
import NIOCore

/// Runs one trace on one fleet under one rule. Deterministic: nothing depends on the clock or on the order of a dictionary.
public struct Simulation {
    private enum Event {
        case arrival(Int)
        /// Something may be due on the machine; the number says whether the plan still holds.
        case machine(Int, plan: Int)
        case patience(Int)
        case poll(Int)
        /// The oldest of the machine's reports on the way arrives.
        case report(Int)
        case sweep
    }

    private enum State {
        case waiting
        case sent(machine: Int, at: Double, firstToken: Double?)
        case done
    }

    /// How the router asks the machines.
    public struct Polling: Sendable {
        /// Seconds between polls of a machine.
        public var every = 5.0
        /// Seconds from a poll to the router's knowing.
        public var delay = 0.3

        public init(every: Double = 5, delay: Double = 0.3) {
            self.every = every
            self.delay = delay
        }
    }

    private let rule: any RoutingRule
    private let polling: Polling
    private var view: FleetView
    private var events = EventQueue<Event>()
    private var plans: [Int]
    private var states: [State]
    private var outcome: Outcome
    private let listing: [[ModelListing]]
    private var lastEviction: [[Double]]
    private var left: Int
    /// By machine, on the way to the router. Not in the events, which are moved about a lot.
    private var reports: [[EndpointReport]]

    public init(fleet: FleetShape, traffic: Traffic, rule: any RoutingRule, polling: Polling = Polling()) {
        self.rule = rule
        self.polling = polling
        let trace = traffic.requests
        let servers = fleet.machines.map { SimulatedServer($0, fleet: fleet.models, isBoundless: rule.isBoundless) }
        view = FleetView(now: 0, trace: trace, fleet: fleet, servers: servers)
        plans = fleet.machines.map { _ in 0 }
        states = trace.map { _ in .waiting }
        outcome = Outcome(keys: (trace.map(\.key).max() ?? 0) + 1)
        outcome.sent = fleet.machines.map { _ in 0 }
        lastEviction = fleet.models.map { _ in [] }
        listing = fleet.machines.map { machine in
            fleet.models.filter { $0.size <= machine.memory }.map { ModelListing(name: $0.name, sizeBytes: $0.size * 5 / 6) }
        }
        left = trace.count
        reports = fleet.machines.map { _ in [] }
    }

    public mutating func run() -> Outcome {
        if rule.wantsReports {
            for machine in view.servers.indices {
                deliver(machine, report(machine))
                events.add(.poll(machine), at: polling.every * Double(machine + 1) / Double(view.servers.count))
            }
        }
        if !view.trace.isEmpty { events.add(.arrival(0), at: view.trace[0].at) }
        events.add(.sweep, at: 0.25)
        while left > 0, let next = events.next() {
            view.now = next.at
            handle(next.event)
        }
        outcome.loads = view.servers.map(\.loads).reduce(0, +)
        outcome.reloads = view.servers.map(\.reloads).reduce(0, +)
        return outcome
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .arrival(let request):
            if request + 1 < view.trace.count { events.add(.arrival(request + 1), at: view.trace[request + 1].at) }
            let asked = view.trace[request]
            outcome.early += lastEviction[asked.model].count { $0 > view.now - 60 }
            lastEviction[asked.model] = []
            events.add(.patience(request), at: asked.at + asked.patience)
            carryOut(rule.arrived(request, view))
        case .machine(let machine, let plan):
            guard plans[machine] == plan else { return }
            view.servers[machine].advance(to: view.now)
            hear(machine)
        case .patience(let request): leave(request)
        case .poll(let machine):
            view.servers[machine].advance(to: view.now)
            view.servers[machine].expireIdle(now: view.now)
            hear(machine)
            reports[machine].append(report(machine))
            events.add(.report(machine), at: view.now + polling.delay)
            events.add(.poll(machine), at: view.now + polling.every)
        case .report(let machine): deliver(machine, reports[machine].removeFirst())
        case .sweep:
            carryOut(rule.swept(view))
            events.add(.sweep, at: view.now + 0.25)
        }
    }

    private mutating func deliver(_ machine: Int, _ report: EndpointReport) { carryOut(rule.reported(machine, report, view)) }

    private func report(_ machine: Int) -> EndpointReport {
        let server = view.servers[machine]
        let loaded = view.fleet.models.indices.filter { server.models[$0].isResident }.map { model in
            var loaded = LoadedModel(name: view.fleet.models[model].name, sizeVramBytes: view.fleet.models[model].size)
            loaded.contextLength = server.models[model].context
            return loaded
        }
        return EndpointReport(
            state: EndpointState(phase: .up, since: NIODeadline.uptimeNanoseconds(0)), models: listing[machine], loaded: loaded)
    }

    private mutating func carryOut(_ orders: [RoutingOrder]) {
        for order in orders {
            switch order {
            case .send(let request, let machine, let context):
                states[request] = .sent(machine: machine, at: view.now, firstToken: nil)
                outcome.sent[machine] += 1
                view.servers[machine].advance(to: view.now)
                view.servers[machine].expireIdle(now: view.now)
                view.servers[machine].arrive(ServerWork(view.trace[request], request: request, context: context), now: view.now)
                hear(machine)
            case .refuse(let request): finish(request, firstToken: nil, hasLeft: false)
            case .load(let model, let machine, let context):
                view.servers[machine].advance(to: view.now)
                view.servers[machine].preload(model, context: context, now: view.now)
                hear(machine)
            }
        }
    }

    /// Takes what the machine has to tell, and plans its next event.
    private mutating func hear(_ machine: Int) {
        let notices = view.servers[machine].takeNotices()
        plans[machine] += 1
        if let next = view.servers[machine].nextEvent { events.add(.machine(machine, plan: plans[machine]), at: max(next, view.now)) }
        for notice in notices {
            switch notice {
            case .firstToken(let request):
                guard case .sent(_, let at, _) = states[request] else { continue }
                states[request] = .sent(machine: machine, at: at, firstToken: view.now)
                carryOut(rule.firstToken(request, view))
            case .finished(let request, let figures):
                guard case .sent(_, let at, let first) = states[request] else { continue }
                outcome.count(view.trace[request], warm: figures.warmTokens)
                finish(request, firstToken: first, hasLeft: false)
                let end = RequestEnd(hasLeft: false, firstToken: first.map { $0 - at }, whole: view.now - at, load: figures.load)
                carryOut(rule.ended(request, end, view))
            case .loaded(let model, let seconds): carryOut(rule.preloaded(model, on: machine, seconds: seconds, view))
            case .evicted(let model): lastEviction[model].append(view.now)
            }
        }
    }

    private mutating func leave(_ request: Int) {
        switch states[request] {
        case .waiting:
            rule.left(request)
            finish(request, firstToken: nil, hasLeft: true)
        case .sent(let machine, let at, nil):
            view.servers[machine].advance(to: view.now)
            guard case .sent(_, _, nil) = states[request] else { return hear(machine) }
            view.servers[machine].cancel(request, model: view.trace[request].model, now: view.now)
            finish(request, firstToken: nil, hasLeft: true)
            hear(machine)
            carryOut(rule.ended(request, RequestEnd(hasLeft: true, firstToken: nil, whole: view.now - at), view))
        default: break
        }
    }

    private mutating func finish(_ request: Int, firstToken: Double?, hasLeft: Bool) {
        if case .done = states[request] { return }
        states[request] = .done
        left -= 1
        // Who left or was refused had waited for so long at least.
        let asked = view.trace[request]
        outcome.add(
            key: asked.key, firstToken: (firstToken ?? view.now) - asked.at, whole: view.now - asked.at, isServed: firstToken != nil,
            isRefused: firstToken == nil && !hasLeft)
    }
}
