// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Console
import Protocol

/// How an action on a model goes, on each endpoint: what the daemon tells, put into lines. Pure; time is handed in.
struct ActionProgress {
    /// Milliseconds that have to lie between two lines about one endpoint where there is no terminal.
    static let steadyMs = 3000
    /// Of a percentage, that make a line even before that time is over.
    static let step = 10

    private struct Place {
        var status = ""
        var completed: Int?
        var total: Int?
        /// When the status began and how much was there then: speed is counted from there.
        var beganMs: Int
        var beganWith: Int
        var told: Int?
        var toldMs: Int?
        var toldStatus = ""
    }

    /// Begins each line, such as `pull llama3.2:3b`.
    let title: String
    private let startMs: Int
    private var order: [String] = []
    private var places: [String: Place] = [:]
    private var lastToldMs: Int

    init(title: String, nowMs: Int) {
        self.title = title
        startMs = nowMs
        lastToldMs = nowMs
    }

    mutating func note(_ progress: ModelProgress, nowMs: Int) {
        var place = places[progress.endpoint] ?? Place(beganMs: nowMs, beganWith: progress.completed ?? 0)
        if places[progress.endpoint] == nil { order.append(progress.endpoint) }
        if place.status != progress.status {
            place.beganMs = nowMs
            place.beganWith = progress.completed ?? 0
        }
        place.status = progress.status
        place.completed = progress.completed
        place.total = progress.total
        places[progress.endpoint] = place
    }

    /// The line at a terminal, at most `width` columns.
    func line(nowMs: Int, width: Int, ascii: Bool) -> String {
        let parts = order.compactMap { name in places[name].map { part(name, $0, nowMs: nowMs, bar: order.count == 1 ? 20 : 8, ascii: ascii) } }
        let text = parts.isEmpty ? "\(DisplayText.clean(title)): \((nowMs - startMs) / 1000)s" : parts.joined(separator: " | ")
        return DisplayText.truncate(text, to: max(1, width), ellipsis: "..")
    }

    /// What is worth a line of its own now, where there is no terminal.
    mutating func newLines(nowMs: Int) -> [String] {
        var lines: [String] = []
        for name in order {
            guard var place = places[name] else { continue }
            let percent = Self.percent(place)
            let isNew = place.toldMs == nil || (place.toldStatus != place.status && nowMs - (place.toldMs ?? 0) >= 1000)
            let isStep =
                percent.map { percent in percent != place.told && (percent == 100 || percent / Self.step > (place.told ?? -1) / Self.step) } ?? false
            let isDue = nowMs - (place.toldMs ?? 0) >= Self.steadyMs && (percent != place.told || place.toldStatus != place.status)
            guard isNew || isStep || isDue else { continue }
            place.told = percent
            place.toldMs = nowMs
            place.toldStatus = place.status
            places[name] = place
            lastToldMs = nowMs
            lines.append("\(DisplayText.clean(title)): \(part(name, place, nowMs: nowMs, bar: 0, ascii: true))")
        }
        // A sign of life where nothing is told at all: loading can take minutes.
        if lines.isEmpty, nowMs - lastToldMs >= 2 * Self.steadyMs {
            lastToldMs = nowMs
            lines.append("\(DisplayText.clean(title)): \((nowMs - startMs) / 1000)s")
        }
        return lines
    }

    private static func percent(_ place: Place) -> Int? {
        guard let completed = place.completed, let total = place.total, total > 0 else { return nil }
        return min(100, max(0, Int(Double(completed) / Double(total) * 100)))
    }

    private func part(_ name: String, _ place: Place, nowMs: Int, bar: Int, ascii: Bool) -> String {
        var text = "\(DisplayText.clean(name)): \(DisplayText.clean(place.status))"
        guard let completed = place.completed, let total = place.total, let percent = Self.percent(place) else {
            let seconds = (nowMs - place.beganMs) / 1000
            return seconds > 0 ? "\(text), \(seconds)s" : text
        }
        if bar > 0 {
            let full = percent * bar / 100
            text += " [" + String(repeating: ascii ? "#" : "█", count: full) + String(repeating: ascii ? "-" : "░", count: bar - full) + "]"
        }
        text += " \(percent)% of \(Quantity.bytes(total))"
        let elapsed = Double(nowMs - place.beganMs) / 1000
        let speed = elapsed >= 1 ? Double(completed - place.beganWith) / elapsed : 0
        if speed >= 1, completed < total {
            text += ", \(Quantity.bytes(Int(speed)))/s, \(Quantity.duration(s: Double(total - completed) / speed)) left"
        }
        return text
    }
}
