// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import JSON

/// JSON as Go's encoding/json writes it.
enum GoJSON {
    /// A quoted string; `<`, `>` and `&` are escaped as Go does.
    static func quote(_ text: String) -> String {
        JSONText.escaping(JSONText.quoted(text)) { "<>&\u{2028}\u{2029}".unicodeScalars.contains($0) }
    }

    static func array(_ items: [String]) -> String { "[" + items.joined(separator: ",") + "]" }
}

/// Points in time as Go writes them: UTC, with nanoseconds.
enum Timestamp {
    static func now() -> String { text(Date().timeIntervalSince1970) }

    /// - Parameter seconds: since 1970.
    static func text(_ seconds: Double) -> String {
        var whole = time_t(seconds.rounded(.down))
        let nanoseconds = min(999_999_999, Int((seconds - Double(whole)) * 1e9))
        var parts = tm()
        gmtime_r(&whole, &parts)
        return String(
            format: "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday),
            Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec), nanoseconds)
    }
}

extension Duration {
    /// Seconds of a Go duration, for example `1h30m`, `250ms` or `-1s`; nil if it is none.
    static func parseGo(_ text: String) -> Double? {
        var rest = Substring(text)
        var sign = 1.0
        if let first = rest.first, first == "-" || first == "+" {
            if first == "-" { sign = -1 }
            rest = rest.dropFirst()
        }
        if rest == "0" { return 0 }
        guard !rest.isEmpty else { return nil }
        var seconds = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            guard let number = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { !$0.isNumber && $0 != "." }
            guard let factor = ["ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600][String(unit)] else { return nil }
            rest = rest.dropFirst(unit.count)
            seconds += number * factor
        }
        return sign * seconds
    }
}
