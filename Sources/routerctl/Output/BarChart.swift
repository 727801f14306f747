// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Values over time as bars of text, the oldest at the left. Pure.
struct BarChart {
    /// Lines that the highest bar takes.
    static let height = 6

    var values: [Int]
    var ascii: Bool

    /// As many columns as there are values, or `width`: then neighbours are added up.
    func lines(width: Int) -> [String] {
        let sums = Self.fitted(values, to: max(1, width))
        guard let highest = sums.max(), highest > 0 else { return [] }
        let eighths = sums.map { Int((Double($0) / Double(highest) * Double(Self.height * 8)).rounded(.up)) }
        return (0..<Self.height).reversed().map { row in
            let line = eighths.map { glyph(max(0, min(8, $0 - row * 8))) }.joined()
            return line.lastIndex { $0 != " " }.map { String(line[...$0]) } ?? ""
        }
    }

    /// Neighbours added up so that at most `width` values are left.
    static func fitted(_ values: [Int], to width: Int) -> [Int] {
        guard values.count > width else { return values }
        let each = (values.count + width - 1) / width
        return stride(from: 0, to: values.count, by: each).map { values[$0..<min(values.count, $0 + each)].reduce(0, +) }
    }

    private func glyph(_ eighths: Int) -> String {
        ascii ? (eighths >= 4 ? "#" : eighths > 0 ? "." : " ") : [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"][eighths]
    }
}
