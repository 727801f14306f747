// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FleetSimulation
import Foundation

/// `make fleet-sim`: rules side by side on fleets that nothing was tuned on, and whether the bars are met.
///
///     fleet-sim                    the table and the bars
///     fleet-sim --configurations   of the table only what requests with other contexts come to
///     fleet-sim --cost             what one decision costs
///     fleet-sim --day              a day of 64 endpoints and 200 models
///     fleet-sim --tuning           the same for the fleets that the constants were tuned on
///
/// Exit status: 0 every bar is met, 1 one is missed.
@main struct FleetSim {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        let areMet = arguments.contains("--cost") ? DecisionCost.report() : arguments.contains("--day") ? day() : table(arguments)
        exit(areMet ? 0 : 1)
    }

    private static func table(_ arguments: ArraySlice<String>) -> Bool {
        let seeds: [UInt64] = arguments.contains("--tuning") ? Array(1...6) : Array(101...148)
        var bars = Bars()
        print("\(seeds.count) fleets of 6 endpoints and 12 models, an hour each; times in seconds")
        configurations(seeds, &bars)
        if arguments.contains("--configurations") { return bars.reportConfigurations() }
        for load in [0.4, 0.7, 0.9, 1.1] {
            Report.heading(load)
            for rule in ComparedRule.allCases where rule != .noAffinity && rule != .share {
                let outcome = rule.run(TrafficShape(load: load, duration: 3600), seeds: seeds)
                Report.row(rule.rawValue, outcome)
                bars.results[Bars.Cell(rule: rule, load: load)] = outcome
            }
        }
        print("\nlong conversations, load 0.7")
        Report.columns()
        for rule in [ComparedRule.expectedTime, .noAffinity] {
            let outcome = rule.run(.conversations(load: 0.7, duration: 3600), seeds: seeds)
            Report.row(rule.rawValue, outcome)
            bars.conversations[rule] = outcome
        }
        for load in [0.7, 0.9] {
            let waits = ComparedRule.waits(TrafficShape(load: load, duration: 3600), seeds: seeds.prefix(8)).filter { $0.actual > 2 }
            let right = waits.count { wait in wait.expected.map { $0 > wait.actual / 2 && $0 < wait.actual * 2 } ?? false }
            bars.foreseen[load] = Double(right) / Double(max(1, waits.count))
        }
        print("\none key's flood: four keys ask for what a load of 0.1 each is, a fifth for 40 times as much")
        Report.columns()
        bars.flood = ComparedRule.expectedTime.run(.flood(duration: 1200), seeds: seeds)
        if let flood = bars.flood { Report.row(ComparedRule.expectedTime.rawValue, flood) }
        return bars.report()
    }

    private static func configurations(_ seeds: [UInt64], _ bars: inout Bars) {
        for load in [0.4, 0.7, 0.9] {
            print("\nthree keys of ten ask for another context, load \(load)")
            Report.columns()
            for rule in [ComparedRule.seed, .strict, .expectedTime, .active, .share] {
                let outcome = rule.run(.configurations(load: load, duration: 3600), seeds: seeds)
                Report.row(rule.rawValue, outcome)
                bars.configurations[Bars.Cell(rule: rule, load: load)] = outcome
            }
            let same = ComparedRule.expectedTime.run(.configurations(load: load, duration: 3600, differ: false), seeds: seeds)
            Report.row("all ask for the same", same)
            bars.sameConfigurations[load] = same
        }
    }

    private static func day() -> Bool {
        let clock = ContinuousClock()
        let time = clock.measure {
            Report.columns()
            Report.row(
                "least expected time", ComparedRule.expectedTime.run(TrafficShape(load: 0.7, duration: 86_400), seeds: [1], machines: 64, models: 200)
            )
        }
        let isMet = time < .seconds(60)
        print("a day of 64 endpoints and 200 models: \(time.components.seconds) s (bar: under 60: \(isMet ? "met" : "MISSED"))")
        return isMet
    }
}
