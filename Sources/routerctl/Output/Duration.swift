// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser

/// A length of time on the command line: `500ms`, `30s`, `5m`, `1h`, `7d`; a bare number is seconds.
struct Duration: Equatable, Sendable {
    let milliseconds: Int

    init(milliseconds: Int) { self.milliseconds = milliseconds }

    /// Nil if the text is no length of time, is negative, or is longer than ten years.
    init?(_ text: String) {
        let units: [(String, Double)] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
        let unit = units.first { text.hasSuffix($0.0) }
        let digits = unit.map { text.dropLast($0.0.count) } ?? Substring(text)
        // Only digits and one point: Double would also take "1e3", "inf" and "0x10".
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let value = Double(digits) else { return nil }
        let milliseconds = value * (unit?.1 ?? 1000)
        guard milliseconds <= 10 * 365 * 86_400_000 else { return nil }
        self.milliseconds = Int(milliseconds.rounded())
    }

    var seconds: Double { Double(milliseconds) / 1000 }

    /// For options: what is no length of time is a usage error that says how one is written.
    @Sendable static func parse(_ text: String) throws -> Duration {
        guard let duration = Duration(text) else { throw ValidationError("\"\(text)\" is no length of time; write 500ms, 30s, 5m, 1h or 7d") }
        return duration
    }
}
