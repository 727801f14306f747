// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import FleetSimulation

/// Rows of the table.
enum Report {
    private static let names = ["mean", "p50", "p95", "p99", "whole p95", "loads", "reloads", "early", "left", "refused", "jain", "warm"]

    static func heading(_ load: Double) {
        print("\nload \(load)")
        columns()
    }

    static func columns() { print(pad("", 28, right: false) + names.map { pad($0, 10) }.joined()) }

    static func row(_ name: String, _ outcome: Outcome) {
        let times = [outcome.meanFirstToken] + [0.5, 0.95, 0.99].map { Outcome.quantile($0, of: outcome.firstTokens) }
        let cells =
            times.map { number($0) } + [number(Outcome.quantile(0.95, of: outcome.wholes))]
            + [outcome.loads, outcome.reloads, outcome.early, outcome.left, outcome.refused].map { "\($0)" }
            + [number(outcome.fairness), number(outcome.warmShare)]
        print(pad(name, 28, right: false) + cells.map { pad($0, 10) }.joined())
    }

    /// Three significant digits or so.
    static func number(_ value: Double) -> String {
        let digits = value < 10 ? 2 : value < 100 ? 1 : 0
        let scale = [1.0, 10, 100][digits]
        let rounded = Int((value * scale).rounded())
        guard digits > 0 else { return "\(rounded)" }
        let fraction = String(rounded % Int(scale))
        return "\(rounded / Int(scale)).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }

    static func pad(_ text: String, _ width: Int, right: Bool = true) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return right ? space + text : text + space
    }
}
