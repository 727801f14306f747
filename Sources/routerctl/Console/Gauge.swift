// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A bar that shows how much of something is taken or done.
enum Gauge {
    /// Of a share, 0 to 1. More than nothing shows at least one cell, and only all of it fills the last one.
    static func bar(_ share: Double?, columns: Int, role: Role = .barUsed, _ theme: Theme) -> StyledLine {
        var line = StyledLine(theme)
        guard columns > 0 else { return line }
        let used = cells(share, columns: columns)
        line.add(String(repeating: theme.slotUsed, count: used), role)
        line.add(String(repeating: theme.slotFree, count: columns - used), .barFree)
        return line
    }

    static func cells(_ share: Double?, columns: Int) -> Int {
        guard let share = Resample.plain(share), share > 0, columns > 0 else { return 0 }
        if share >= 1 { return columns }
        return max(1, min(columns - 1, Int((share * Double(columns)).rounded())))
    }

    /// Requests in flight of the limit: a cell for each slot where there is room, else a share; then the numbers.
    static func slots(inFlight: Int, limit: Int, columns: Int, _ theme: Theme) -> StyledLine {
        let role: Role = inFlight <= 0 ? .dim : inFlight >= limit ? .barFull : .barUsed
        let numbers = "\(inFlight)/\(limit)"
        let room = columns - numbers.count - 1
        guard room >= 2 else { return StyledLine(numbers, role, theme) }
        var line = bar(limit > 0 ? Double(inFlight) / Double(limit) : nil, columns: min(room, max(2, limit)), role: role, theme)
        line.add(" \(numbers)", role)
        return line
    }

    /// How far a download is: the bar, its share and, where there is room, the bytes.
    static func progress(completed: Int?, total: Int?, columns: Int, _ theme: Theme) -> StyledLine {
        guard let completed, let total, total > 0 else { return StyledLine("-", .dim, theme) }
        let share = min(1, max(0, Double(completed) / Double(total)))
        var text = " \(share >= 1 ? 100 : Int(share * 100))%"
        let bytes = "  \(Quantity.bytes(completed)) of \(Quantity.bytes(total))"
        if text.count + bytes.count + 10 <= columns { text += bytes }
        guard columns - text.count >= 3 else { return StyledLine(String(text.dropFirst()), .value, theme) }
        var line = bar(share, columns: min(40, columns - text.count), theme)
        line.add(text, .value)
        return line
    }
}
