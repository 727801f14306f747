// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Estimates as operators read them: with the number of answers behind each, or marked as a guess.
extension EstimatesInfo {
    /// `38.2 tokens/s (40 answers), load 4.1s (3 loads), 3.5 GB, speed 1.8 (40 answers)`.
    public var words: String {
        let parts = [
            tokensPerSecond.map { "\(Quantity.rate($0)) tokens/s (\(Self.counted(tokenAnswers, "answer")))" },
            loadS > 0 ? "load \(load) (\(loads > 0 ? Self.counted(loads, "load") : "a guess"))" : nil,
            sizeBytes.map { Quantity.bytes(max(0, $0)) + (isSizeMeasured ? "" : " (a guess)") },
            "speed \(speedWords) (\(speedAnswers > 0 ? Self.counted(speedAnswers, "answer") : "a guess"))",
        ]
        return parts.compactMap { $0 }.joined(separator: ", ")
    }

    /// For a narrow column: a tilde marks a guess, the number in brackets counts what it was measured by.
    public var shortRate: String { tokensPerSecond.map { "\(Quantity.rate($0)) (\(Quantity.count(tokenAnswers)))" } ?? "" }

    public var shortLoad: String { loadS <= 0 ? "" : loads > 0 ? "\(load) (\(Quantity.count(loads)))" : "~\(load)" }

    public var shortSpeed: String { speedAnswers > 0 ? "\(speedWords) (\(Quantity.count(speedAnswers)))" : "~\(speedWords)" }

    private var load: String { Quantity.latency(ms: min(max(0, loadS), 1e9) * 1000) }

    private var speedWords: String { speed.isFinite ? Quantity.plain((min(max(0, speed), 1e6) * 100).rounded() / 100) : "-" }

    private static func counted(_ count: Int, _ what: String) -> String { "\(Quantity.count(count)) \(what)\(count == 1 ? "" : "s")" }
}
