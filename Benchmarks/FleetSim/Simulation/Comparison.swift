// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Core

/// The rules side by side.
public enum ComparedRule: String, CaseIterable, Sendable {
    case roundRobin = "round robin"
    case leastConnections = "least connections"
    case seed = "seed system's"
    case strict = "strict order"
    case expectedTime = "least expected time"
    case active = "the same, placement: active"
    case noAffinity = "the same, no affinity"
    case share = "the same, context: share"
    case bound = "bound: all resident"

    func make(_ fleet: FleetShape) -> any RoutingRule {
        switch self {
        case .roundRobin: RoundRobin()
        case .leastConnections: LeastConnections()
        case .seed: SeedRule()
        case .strict: StrictOrder()
        case .expectedTime: SchedulerRule(fleet: fleet)
        case .active: SchedulerRule(fleet: fleet, settings: SchedulerSettings(placement: .active))
        case .noAffinity: SchedulerRule(fleet: fleet, settings: SchedulerSettings(affinity: false))
        case .share: SchedulerRule(fleet: fleet, settings: .sharing)
        case .bound: Bound()
        }
    }

    /// Runs the same traffic on each of the fleets, and adds up what came of it.
    public func run(_ shape: TrafficShape, seeds: some Sequence<UInt64>, machines: Int = 6, models: Int = 12) -> Outcome {
        var total: Outcome?
        for seed in seeds {
            let fleet = FleetShape(seed: seed, machines: machines, models: models)
            let outcome = run(Traffic(shape, fleet: fleet, seed: seed), on: fleet)
            if total == nil { total = outcome } else { total?.add(outcome) }
        }
        return total ?? Outcome(keys: 0)
    }

    /// How long those have waited who waited in line, and how long was expected as they came (nil: longer than anybody waits).
    public static func waits(_ shape: TrafficShape, seeds: some Sequence<UInt64>) -> [(expected: Double?, actual: Double)] {
        seeds.flatMap { seed in
            let fleet = FleetShape(seed: seed)
            let rule = SchedulerRule(fleet: fleet, expectsWaits: true)
            var simulation = Simulation(fleet: fleet, traffic: Traffic(shape, fleet: fleet, seed: seed), rule: rule)
            _ = simulation.run()
            return rule.waits
        }
    }

    /// Runs one trace on one fleet.
    public func run(_ traffic: Traffic, on fleet: FleetShape, polling: Simulation.Polling = Simulation.Polling()) -> Outcome {
        var simulation = Simulation(fleet: fleet, traffic: traffic, rule: make(fleet), polling: polling)
        return simulation.run()
    }
}

extension SchedulerSettings {
    fileprivate static var sharing: SchedulerSettings {
        var settings = SchedulerSettings()
        settings.context = .share
        return settings
    }
}
