// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A series of values brought to a number of columns.
enum Resample {
    /// What stands for several values: their mean for rates, the largest where a short peak must not vanish.
    enum Take: Sendable { case mean, peak }

    /// What can be drawn: nil for what is no number, and nothing below zero.
    static func plain(_ value: Double?) -> Double? {
        guard let value, !value.isNaN else { return nil }
        return min(max(0, value), 1e15)
    }

    /// `count` values, of which each stands for the same share of `values`; nil where none of those is known.
    static func columns(_ values: [Double?], count: Int, take: Take = .mean) -> [Double?] {
        guard count > 0, !values.isEmpty else { return Array(repeating: nil, count: max(0, count)) }
        return (0..<count).map { column in
            let first = column * values.count / count
            let end = max(first + 1, (column + 1) * values.count / count)
            var sum = 0.0
            var peak = 0.0
            var known = 0
            for index in first..<end {
                guard let value = plain(values[index]) else { continue }
                sum += value
                peak = max(peak, value)
                known += 1
            }
            guard known > 0 else { return nil }
            return take == .mean ? sum / Double(known) : peak
        }
    }

    /// The newest `count` values, after gaps where there are not so many yet.
    static func newest(_ values: [Double?], count: Int) -> [Double?] {
        let count = max(0, min(count, 100_000))
        return Array(repeating: nil, count: max(0, count - values.count)) + values.suffix(count)
    }

    /// The largest of the values; 0 if there is none.
    static func peak(_ values: [Double?]) -> Double {
        values.reduce(0) { max($0, plain($1) ?? 0) }
    }

    /// The newest value that is known.
    static func last(_ values: [Double?]) -> Double? {
        values.last.flatMap(plain)
    }

    /// A round number that is not below `value`, so that an axis has labels to read: 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten.
    static func roundCeiling(_ value: Double) -> Double {
        guard let value = plain(value), value > 0 else { return 1 }
        var power = 1.0
        while power * 10 <= value { power *= 10 }
        while power > value, power > 1e-9 { power /= 10 }
        for step in [1, 1.5, 2, 3, 4, 5, 6, 8] where step * power >= value * (1 - 1e-9) { return step * power }
        return 10 * power
    }
}

/// A line as high as one row of text that shows how a value went.
enum Sparkline {
    static let blocks = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    static let signs = ["_", ".", "-", "=", "#"]

    static func glyphs(_ theme: Theme) -> [String] { theme.isASCII ? signs : blocks }

    /// The newest values at the right, a column each or, where there are more values than columns, a column for several.
    ///
    /// Nothing at all is a blank, zero the lowest sign, and more than zero never the lowest: a little load differs from none.
    /// - Parameter ceiling: the value of a full sign; nil for the largest value.
    static func text(_ values: [Double?], columns: Int, ceiling: Double? = nil, take: Resample.Take = .mean, _ theme: Theme) -> String {
        guard columns > 0 else { return "" }
        let shown = values.count > columns ? Resample.columns(values, count: columns, take: take) : Resample.newest(values, count: columns)
        let top = Resample.plain(ceiling) ?? Resample.peak(shown)
        let glyphs = glyphs(theme)
        var text = ""
        for value in shown {
            guard let value = Resample.plain(value) else {
                text += " "
                continue
            }
            text += glyphs[level(value, of: top, levels: glyphs.count)]
        }
        return text
    }

    /// Place of a value among `levels` signs: 0 for zero only.
    static func level(_ value: Double, of top: Double, levels: Int) -> Int {
        guard value > 0, top > 0, levels > 1 else { return 0 }
        return 1 + min(levels - 2, Int(min(1, value / top) * Double(levels - 1) - 1e-9))
    }
}
