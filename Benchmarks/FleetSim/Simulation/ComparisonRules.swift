// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Core

/// Rules that send every request at once and keep count of what they sent: an endpoint for each, by whatever `pick` says.
public class SendingRule: RoutingRule {
    /// Requests out, by machine and by machine and model.
    private(set) var out: [Int] = []
    private(set) var outOfModel: [[Int]] = []
    private var sentTo: [Int: Int] = [:]
    public var isBoundless: Bool { false }

    public init() {}

    func pick(_ model: Int, among machines: [Int], _ view: FleetView) -> Int { machines[0] }

    public func arrived(_ request: Int, _ view: FleetView) -> [RoutingOrder] {
        if out.isEmpty {
            out = view.servers.map { _ in 0 }
            outOfModel = view.servers.map { _ in view.fleet.models.map { _ in 0 } }
        }
        let model = view.trace[request].model
        let machines = view.servers.indices.filter { isBoundless || view.fleet.models[model].size <= view.fleet.machines[$0].memory }
        let machine = pick(model, among: machines, view)
        sentTo[request] = machine
        out[machine] += 1
        outOfModel[machine][model] += 1
        return [.send(request: request, machine: machine)]
    }

    public func ended(_ request: Int, _ end: RequestEnd, _ view: FleetView) -> [RoutingOrder] {
        guard let machine = sentTo.removeValue(forKey: request) else { return [] }
        out[machine] -= 1
        outOfModel[machine][view.trace[request].model] -= 1
        return []
    }
}

public final class RoundRobin: SendingRule {
    private var turn = 0

    override func pick(_ model: Int, among machines: [Int], _ view: FleetView) -> Int {
        turn += 1
        return machines[turn % machines.count]
    }
}

public final class LeastConnections: SendingRule {
    override func pick(_ model: Int, among machines: [Int], _ view: FleetView) -> Int { machines.min { out[$0] < out[$1] } ?? 0 }
}

/// As the seed system: where the model was loaded up to ten seconds ago and a slot is free, else any free slot, else the least busy of all.
public final class SeedRule: SendingRule {
    private var known: [[Bool]] = []
    private var asked = -Double.infinity

    override func pick(_ model: Int, among machines: [Int], _ view: FleetView) -> Int {
        if view.now >= asked + 10 {
            known = view.servers.map { $0.models.map(\.isResident) }
            asked = view.now
        }
        let free = machines.filter { outOfModel[$0][model] < view.fleet.machines[$0].parallel }
        if let loaded = free.filter({ known[$0][model] }).min(by: { outOfModel[$0][model] < outOfModel[$1][model] }) { return loaded }
        return (free.isEmpty ? machines : free).min { out[$0] < out[$1] } ?? 0
    }
}

/// Everything resident everywhere, and the machine that is fastest now: what no rule can beat by much.
public final class Bound: SendingRule {
    override public var isBoundless: Bool { true }

    override func pick(_ model: Int, among machines: [Int], _ view: FleetView) -> Int {
        func slowness(_ machine: Int) -> Double {
            let shape = view.fleet.machines[machine]
            let queued = Double(max(0, outOfModel[machine][model] + 1 - shape.parallel))
            return (1 + shape.slowing * Double(out[machine])) / shape.speed + queued * 10
        }
        return machines.min { slowness($0) < slowness($1) } ?? 0
    }
}

/// Strict order with fresh state: loaded and a slot free; else a load where it fits, then where it pushes out only what is idle, then
/// anywhere; with every slot taken, a line.
public final class StrictOrder: RoutingRule {
    private var books = SlotBooks()
    private var line: [Int] = []

    public init() {}

    public func arrived(_ request: Int, _ view: FleetView) -> [RoutingOrder] {
        line.append(request)
        return dispatch(view)
    }

    public func ended(_ request: Int, _ end: RequestEnd, _ view: FleetView) -> [RoutingOrder] {
        books.giveBack(request, view)
        return dispatch(view)
    }

    public func left(_ request: Int) { line.removeAll { $0 == request } }

    private func dispatch(_ view: FleetView) -> [RoutingOrder] {
        var full: Set<Int> = []
        var orders: [RoutingOrder] = []
        line.removeAll { request in
            let model = view.trace[request].model
            guard !full.contains(model), let machine = pick(model, view) else {
                full.insert(model)
                return false
            }
            books.take(request, machine, view)
            orders.append(.send(request: request, machine: machine))
            return true
        }
        return orders
    }

    private func pick(_ model: Int, _ view: FleetView) -> Int? {
        let size = view.fleet.models[model].size
        let free = view.servers.indices.filter {
            size <= view.fleet.machines[$0].memory && books.count($0, model) < view.fleet.machines[$0].parallel
        }
        func rank(_ machine: Int) -> [Int] {
            let server = view.servers[machine]
            if server.models[model].isResident || server.models[model].isLoading || books.count(machine, model) > 0 {
                return [0, books.count(machine, model), books.total(machine)]
            }
            let busy = view.fleet.models.indices.filter { books.count(machine, $0) > 0 }.map { view.fleet.models[$0].size }.reduce(0, +)
            let memory = view.fleet.machines[machine].memory
            return [server.used + size <= memory ? 1 : busy + size <= memory ? 2 : 3, 0, books.total(machine)]
        }
        return free.map { ($0, rank($0)) }.min { $0.1.lexicographicallyPrecedes($1.1) }?.0
    }
}

/// Requests out by machine and model.
struct SlotBooks {
    private var counts: [[Int]] = []
    private var totals: [Int] = []
    private var sentTo: [Int: Int] = [:]

    func count(_ machine: Int, _ model: Int) -> Int { counts.isEmpty ? 0 : counts[machine][model] }
    func total(_ machine: Int) -> Int { totals.isEmpty ? 0 : totals[machine] }

    mutating func take(_ request: Int, _ machine: Int, _ view: FleetView) {
        if counts.isEmpty {
            counts = view.servers.map { _ in view.fleet.models.map { _ in 0 } }
            totals = view.servers.map { _ in 0 }
        }
        sentTo[request] = machine
        counts[machine][view.trace[request].model] += 1
        totals[machine] += 1
    }

    mutating func giveBack(_ request: Int, _ view: FleetView) {
        guard let machine = sentTo.removeValue(forKey: request) else { return }
        counts[machine][view.trace[request].model] -= 1
        totals[machine] -= 1
    }
}
