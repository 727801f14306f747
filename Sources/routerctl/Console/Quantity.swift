// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Numbers as people read them.
public enum Quantity {
    /// `840 ms`-like precision is of no use in a table: `0.8s`, `12s`, `3m04s`, `2h10m`, `3d04h`.
    public static func duration(ms: Int) -> String {
        let ms = max(0, ms)
        if ms < 9_950 { return "\(decimal(Double(ms) / 1000, places: 1))s" }
        let seconds = (ms + 500) / 1000
        if seconds < 60 { return "\(seconds)s" }
        if seconds < 3600 { return "\(seconds / 60)m\(two(seconds % 60))s" }
        if seconds < 86_400 { return "\(seconds / 3600)h\(two(seconds / 60 % 60))m" }
        return "\(seconds / 86_400)d\(two(seconds / 3600 % 24))h"
    }

    /// As `duration(ms:)`, in whole seconds.
    public static func duration(s: Double) -> String {
        guard s.isFinite else { return "-" }
        let seconds = max(0, min(s, 1e12))
        return seconds < 9.95 ? "\(Int(seconds))s" : duration(ms: Int(seconds * 1000))
    }

    /// Decimal units, as disks and model pages have them: `4.7 GB`.
    public static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 999.5 { return unit == "B" || value >= 99.5 ? "\(Int(value.rounded())) \(unit)" : "\(decimal(value, places: 1)) \(unit)" }
            value /= 1000
        }
        return "\(decimal(value, places: 1)) TB"
    }

    /// A rate in a few characters: `0`, `0.5`, `12.3`, `456`, `12.3k`.
    public static func rate(_ value: Double) -> String {
        guard value.isFinite, value > 0 else { return "0" }
        if value < 99.95 { return decimal(value, places: 1) }
        if value < 9_999.5 { return "\(Int(value.rounded()))" }
        if value < 999_950 { return "\(decimal(value / 1000, places: 1))k" }
        return "\(decimal(min(value, 1e15) / 1_000_000, places: 1))M"
    }

    /// A latency: `85ms`, `850ms`, `1.2s`.
    public static func latency(ms: Double) -> String {
        ms < 999.5 ? "\(Int(max(0, ms).rounded()))ms" : duration(ms: Int(min(ms, 1e12)))
    }

    /// A length of time as an operator would write it: `500ms`, `2s`, `0.2s` never.
    public static func interval(ms: Int) -> String { ms % 1000 == 0 ? "\(ms / 1000)s" : "\(ms)ms" }

    /// A number as it would be typed: `2`, `0.5`.
    public static func plain(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e9 ? "\(Int(value))" : "\(value)"
    }

    /// A counter in a few characters: `9999`, `12.3k`.
    public static func count(_ value: Int) -> String {
        value < 10_000 ? "\(value)" : rate(Double(value))
    }

    private static func decimal(_ value: Double, places: Int) -> String {
        var scale = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = Int((value * Double(scale)).rounded())
        return "\(scaled / scale).\(scaled % scale)"
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
