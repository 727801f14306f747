// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FleetSimulation
import Core
import Foundation

@main struct FleetSim {
    static func main() {
        let seeds: [UInt64] = (CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) : nil).map { base in (0..<6).map { UInt64(base + $0) } } ?? Array(100..<110)
        let duration = 3600.0
        for load in CommandLine.arguments.count > 2 ? CommandLine.arguments[2].split(separator: ",").compactMap({ Double($0) }) : [0.4, 0.7, 0.9, 1.1] {
            let slow = CommandLine.arguments.count > 3
            let rules: [(String, (FleetShape) -> any RoutingRule)] = [
                ("round robin", { _ in RoundRobin() }), ("least connections", { _ in LeastConnections() }), ("seed", { _ in SeedRule() }),
                ("strict", { _ in StrictOrder() }), ("ours", { SchedulerRule(fleet: $0) }),
                ("ours active", { SchedulerRule(fleet: $0, settings: SchedulerSettings(placement: .active)) }), ("bound", { _ in Bound() })
            ]
            for (name, make) in rules where !slow || name.hasPrefix("ours") {
                var total: Outcome?
                let began = Date()
                for seed in seeds {
                    let fleet = FleetShape(seed: seed)
                    let traffic = Traffic(TrafficShape(load: load, duration: duration), fleet: fleet, seed: seed)
                    var simulation = Simulation(fleet: fleet, traffic: traffic, rule: make(fleet))
                    let outcome = simulation.run()
                    if total == nil { total = outcome } else { total?.add(outcome) }
                }
                guard let t = total else { continue }
                print(String(format: "%.1f %-18s n=%d mean %.3f p50 %.3f p95 %.2f p99 %.2f whole95 %.1f loads %d early %d left %d ref %d jain %.3f warm %.2f (%.1fs)", load, (name as NSString).utf8String!, t.firstTokens.count, t.meanFirstToken, Outcome.quantile(0.5, of: t.firstTokens), Outcome.quantile(0.95, of: t.firstTokens), Outcome.quantile(0.99, of: t.firstTokens), Outcome.quantile(0.95, of: t.wholes), t.loads, t.early, t.left, t.refused, t.fairness, t.warmShare, -began.timeIntervalSinceNow))
            }
        }
    }
}
