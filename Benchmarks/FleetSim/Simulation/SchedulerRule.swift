// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Core
import NIOCore

/// The daemon's own scheduler, told what the daemon would tell it.
public final class SchedulerRule: RoutingRule {
    private var scheduler: Scheduler
    private let fleet: FleetShape
    private var leases: [Int: Grant] = [:]
    private var tickets: [Int: TicketID] = [:]
    private var requests: [TicketID: Int] = [:]
    private let models: [String: Int]
    private let seed: UInt64
    /// For each request that has waited in line: how long, and how long was expected as it came. Empty unless it is asked for.
    public private(set) var waits: [(expected: Double?, actual: Double)] = []
    private var expected: [Int: Double?] = [:]
    private let expectsWaits: Bool

    public init(fleet: FleetShape, settings: SchedulerSettings = SchedulerSettings(), seed: UInt64 = 1, expectsWaits: Bool = false) {
        self.expectsWaits = expectsWaits
        self.fleet = fleet
        self.seed = seed
        scheduler = Scheduler(settings: settings, seed: seed)
        models = Dictionary(uniqueKeysWithValues: fleet.models.enumerated().map { ($1.name, $0) })
        let endpoints = fleet.machines.enumerated().map { index, machine in
            Endpoint(
                id: EndpointID(index), name: "e\(index)", address: EndpointAddress(host: "h", port: index, url: "http://h:\(index)"), kind: .ollama,
                limit: machine.parallel, weight: machine.weight, vramBytes: machine.tellsMemory ? machine.memory : nil)
        }
        _ = scheduler.setEndpoints(endpoints, now: Self.deadline(0))
    }

    public var wantsReports: Bool { true }

    static func deadline(_ seconds: Double) -> NIODeadline { .uptimeNanoseconds(1_000_000_000 + UInt64(seconds * 1e9)) }

    public func arrived(_ request: Int, _ view: FleetView) -> [RoutingOrder] {
        let asked = view.trace[request]
        switch scheduler.submit(ask(asked), now: Self.deadline(view.now)) {
        case .granted(let grant): return [send(request, grant)]
        case .queued(let ticket, position: _):
            tickets[request] = ticket
            requests[ticket] = request
            if expectsWaits { expected[request] = scheduler.forecast(now: Self.deadline(view.now)).begins[ticket] }
            return []
        case .refused: return [.refuse(request: request)]
        }
    }

    private func ask(_ request: SimulatedRequest) -> Ask {
        var prefix = PrefixChain()
        // The turns before, each as the question and as the answer to it; the sizes of the older ones do not matter.
        for turn in 0...request.turn {
            let isLast = turn == request.turn
            let tokens = isLast ? request.promptTokens : request.sharedTokens * (turn + 1) / max(1, request.turn)
            prefix.append(PrefixChain.Step(hash: Self.hash(request.conversation, turn), tokens: tokens))
        }
        var ask = Ask(
            model: fleet.models[request.model].name, needs: RouteNeeds(.ollamaAPI), tenant: Tenant("key\(request.key)"), prefix: prefix,
            options: request.context.map { RunnerOptions(contextLength: Int32($0)) })
        ask.takesContext = true
        return ask
    }

    private static func hash(_ conversation: Int, _ turn: Int) -> UInt64 {
        var random = SimulationRandom(seed: UInt64(conversation) << 8 | UInt64(turn))
        return random.next()
    }

    private func send(_ request: Int, _ grant: Grant) -> RoutingOrder {
        leases[request] = grant
        return .send(request: request, machine: grant.endpoint.rawValue, context: (grant.context?.tokens).map(Int.init))
    }

    public func firstToken(_ request: Int, _ view: FleetView) -> [RoutingOrder] {
        guard let grant = leases[request], !grant.wasLoaded else { return [] }
        return orders(scheduler.began(grant.lease, now: Self.deadline(view.now)), view)
    }

    public func ended(_ request: Int, _ end: RequestEnd, _ view: FleetView) -> [RoutingOrder] {
        guard let grant = leases.removeValue(forKey: request) else { return [] }
        // A load that the scheduler knows of is told as it is, whatever part of it this request has waited for.
        let load = grant.wasLoaded ? end.load : view.servers[grant.endpoint.rawValue].loadTime(view.trace[request].model)
        let told = LeaseEnd(
            outcome: end.hasLeft ? .aborted : .completed, timeToFirstToken: end.firstToken.map(Self.amount), serviceTime: Self.amount(end.whole),
            tokens: end.hasLeft ? 0 : view.trace[request].outputTokens,
            loadTime: load > 0 ? Self.amount(load) : nil)
        return orders(scheduler.release(grant.lease, told, now: Self.deadline(view.now)), view)
    }

    private static func amount(_ seconds: Double) -> TimeAmount { .nanoseconds(Int64(seconds * 1e9)) }

    public func left(_ request: Int) {
        guard let ticket = tickets.removeValue(forKey: request) else { return }
        requests[ticket] = nil
        scheduler.withdraw(ticket)
    }

    public func reported(_ machine: Int, _ report: EndpointReport, _ view: FleetView) -> [RoutingOrder] {
        orders(scheduler.report(EndpointID(machine), report, now: Self.deadline(view.now)), view)
    }

    public func preloaded(_ model: Int, on machine: Int, seconds: Double, _ view: FleetView) -> [RoutingOrder] {
        let end = LoadEnd.loaded(Self.amount(seconds))
        return orders(scheduler.loadEnded(EndpointID(machine), model: fleet.models[model].name, end, now: Self.deadline(view.now)), view)
    }

    public func swept(_ view: FleetView) -> [RoutingOrder] { orders(scheduler.expire(now: Self.deadline(view.now)), view) }

    private func orders(_ actions: [SchedulerAction], _ view: FleetView) -> [RoutingOrder] {
        actions.compactMap { action in
            switch action {
            case .grant(let ticket, let grant):
                guard let request = requests.removeValue(forKey: ticket) else { return nil }
                tickets[request] = nil
                if let expected = expected.removeValue(forKey: request) {
                    waits.append((expected, view.now - view.trace[request].at))
                }
                return send(request, grant)
            case .refuse(let ticket, _):
                guard let request = requests.removeValue(forKey: ticket) else { return nil }
                tickets[request] = nil
                return .refuse(request: request)
            case .load(let endpoint, let name, let options):
                guard let model = models[name] else { return nil }
                return .load(model: model, machine: endpoint.rawValue, context: options?.contextLength.map(Int.init))
            }
        }
    }
}
