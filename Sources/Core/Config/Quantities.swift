// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Durations as people write them: `500ms`, `30s`, `5m`, `1h`, or a plain number of seconds.
enum DurationText {
    static let expectation = "expected a duration such as 500ms, 30s, 5m or 1h"

    private static let units: [(suffix: String, nanoseconds: Double)] = [("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9), ("", 1e9)]

    /// Nil if the text is none, or longer than a century.
    static func parse(_ text: String) -> TimeAmount? {
        guard let (number, unit) = NumberWithUnit.split(text), let factor = units.first(where: { $0.suffix == unit })?.nanoseconds else {
            return nil
        }
        let nanoseconds = (number * factor).rounded()
        return nanoseconds <= 3.2e18 ? .nanoseconds(Int64(nanoseconds)) : nil
    }

    /// In the largest unit that gives a whole number.
    static func format(_ amount: TimeAmount) -> String {
        let milliseconds = amount.nanoseconds / 1_000_000
        switch milliseconds {
        case 0: return "0"
        case let value where value % 3_600_000 == 0: return "\(value / 3_600_000)h"
        case let value where value % 60_000 == 0: return "\(value / 60_000)m"
        case let value where value % 1000 == 0: return "\(value / 1000)s"
        default: return "\(milliseconds)ms"
        }
    }
}

/// Sizes as people write them: `64KiB`, `10MB`, `24GiB`, or a plain number of bytes.
enum SizeText {
    static let expectation = "expected a size such as 64KiB, 10MB or 24GiB"

    private static let units: [(suffix: String, bytes: Double)] = [
        ("b", 1), ("kib", 1024), ("mib", 1_048_576), ("gib", 1_073_741_824), ("tib", 1_099_511_627_776),
        ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("tb", 1e12), ("", 1),
    ]

    /// Bytes; nil if the text is none, or more than a petabyte.
    static func parse(_ text: String) -> Int? {
        guard let (number, unit) = NumberWithUnit.split(text), let factor = units.first(where: { $0.suffix == unit })?.bytes else {
            return nil
        }
        let bytes = (number * factor).rounded()
        return bytes <= 1e15 ? Int(bytes) : nil
    }

    static func format(_ bytes: Int) -> String {
        for (suffix, unit) in [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] where bytes >= unit && bytes % unit == 0 {
            return "\(bytes / unit)\(suffix)"
        }
        return "\(bytes)B"
    }
}

private enum NumberWithUnit {
    /// `1.5 GiB` as 1.5 and `gib`. The number is plain decimal, not negative.
    static func split(_ text: String) -> (Double, String)? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard digits.first?.isNumber == true, digits.last?.isNumber == true, let number = Double(digits), number.isFinite else { return nil }
        return (number, text.dropFirst(digits.count).drop { $0 == " " }.lowercased())
    }
}
