// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// A line with all about the selected row that the table has no room for.
func drawDetail(_ model: Model, in area: Area, _ theme: Theme, on screen: inout Screen) {
    guard !area.isEmpty, let (parts, role) = about(model, theme) else { return }
    screen.put(parts.filter { !$0.isEmpty }.joined(separator: theme.separator), in: area, column: 2, width: area.columns - 3, role: role)
}

private func about(_ model: Model, _ theme: Theme) -> (parts: [String], role: Role)? {
    guard let selected = model.table.selected else { return nil }
    switch model.view {
    case .endpoints:
        guard let endpoint = model.endpoints.first(where: { $0.name == selected }) else { return nil }
        return (
            [
                endpoint.name, endpoint.reason.isEmpty ? endpoint.state : "\(endpoint.state): \(endpoint.reason)", endpoint.url,
                endpoint.version.isEmpty ? endpoint.kind : "\(endpoint.kind) \(endpoint.version)", "since \(endpoint.since)",
                endpoint.failuresTotal > 0 ? "\(endpoint.failuresTotal) failed" : "",
            ], endpoint.reason.isEmpty ? .dim : theme.role(state: endpoint.state)
        )
    case .models:
        guard let info = model.models.first(where: { $0.name == selected }) else { return nil }
        return ([info.name] + info.places.map { "\($0.endpoint) \($0.state) \($0.inFlight)/\($0.limit)" }, .dim)
    case .requests:
        guard let request = model.requests.first(where: { $0.id == selected }) else { return nil }
        return (
            [
                request.id, "\(request.method) \(request.route)", "from \(request.client)",
                "\(request.phase.words) for \(Quantity.duration(ms: request.phaseMs))", "\(Quantity.bytes(request.bytesSent)) sent",
                request.placed,
            ], .dim
        )
    case .queue:
        guard let waiter = model.queue.first(where: { $0.id == selected }) else { return nil }
        let ahead = waiter.behind.isEmpty ? "next to go" : "behind \(waiter.behind.joined(separator: ", "))"
        return ([waiter.id, "from \(waiter.client)", ahead] + waiter.blockedBy, .dim)
    case .events:
        guard let event = model.events.first(where: { "\($0.sequence)" == selected }) else { return nil }
        return ([event.at, event.level, event.message, EventLines.summary(event, theme)], event.severity >= 3 ? .warning : .dim)
    case .cache, .tokens: return nil
    }
}

/// The bottom row: a message, or how far an action is, or what the keys do.
func drawBar(_ model: Model, in area: Area, _ theme: Theme, on screen: inout Screen) {
    guard !area.isEmpty else { return }
    let width = area.columns - 2
    if let message = model.message {
        let role: Role = message.isError ? .error : .message
        if message.isError { screen.fill(area, role: role) }
        screen.put(message.text, in: area, column: 1, width: width, role: role)
    } else if let job = model.jobs.first {
        drawJob(job, others: model.jobs.count - 1, nowMs: model.nowMs, in: area, theme, on: &screen)
    } else if case .lost(let reason) = model.connection, model.page == nil {
        screen.put("\(reason); trying again (q leaves)", in: area, column: 1, width: width, role: .warning)
    } else {
        drawKeys(model, in: area, theme, on: &screen)
    }
}

/// What the daemon is busy with: in its words, with a bar where it tells how much there is.
private func drawJob(_ job: Model.Job, others: Int, nowMs: Int, in area: Area, _ theme: Theme, on screen: inout Screen) {
    var text = job.commands.count == 1 ? job.commands[0].summary : "\(job.commands[0].summary) and \(job.commands.count - 1) more"
    if others > 0 { text = "(\(others + 1)) " + text }
    // Where nothing tells how far it is, the time shows that it goes on.
    let lasted = nowMs - job.sinceMs >= 2000 ? ", \(Quantity.duration(s: Double((nowMs - job.sinceMs) / 1000)))" : ""
    guard let progress = job.progress else {
        screen.put("Asking routerd: \(text)\(lasted)", in: area, column: 1, width: area.columns - 2, role: .message)
        return
    }
    let words = "\(text): \(progress.status)"
    guard let completed = progress.completed, let total = progress.total, total > 0 else {
        screen.put(words + lasted, in: area, column: 1, width: area.columns - 2, role: .message)
        return
    }
    let share = max(0, min(1, Double(completed) / Double(total)))
    let figures = " \(Int(share * 100))%" + (area.columns >= 60 ? " \(Quantity.bytes(completed)) of \(Quantity.bytes(total))" : "")
    let cells = max(5, min(30, area.columns / 4))
    let right = figures.count + 1
    screen.put(words, in: area, column: 1, width: max(0, area.columns - cells - right - 3), role: .message)
    let used = Int(share * Double(cells))
    let start = area.columns - cells - right
    screen.put(String(repeating: theme.slotUsed, count: used), in: area, column: start, role: .barUsed)
    screen.put(String(repeating: theme.slotFree, count: cells - used), in: area, column: start + used, role: .barFree)
    screen.put(figures, in: area, column: start + cells, role: .value)
}

private func drawKeys(_ model: Model, in area: Area, _ theme: Theme, on screen: inout Screen) {
    func name(_ key: Key?) -> String { key.map { KeyTable.name($0, ascii: theme.isASCII) } ?? "" }
    var shown: [(name: String, text: String, rank: Int)]
    let reading = [
        ("\(name(.up)) \(name(.down))", "Scroll", 80), ("PgUp PgDn", "Page", 10), ("q", "Close", 90),
    ]
    if model.page != nil {
        shown = reading
    } else {
        shown = KeyTable.bindings(in: model).filter { $0.bar != nil && !(model.isReadOnly && $0.changes) }.map {
            (name($0.keys.first), $0.action == .leave && model.opened != nil ? "Back" : $0.bar ?? "", $0.rank)
        }
        if model.opened != nil { shown.append(reading[0]) }
    }
    func width() -> Int { shown.reduce(0) { $0 + DisplayText.width($1.name) + 1 + $1.text.count } + 2 * max(0, shown.count - 1) }
    while shown.count > 1, width() > area.columns - 2, let least = shown.indices.min(by: { shown[$0].rank < shown[$1].rank }) {
        shown.remove(at: least)
    }
    var column = 1
    for binding in shown {
        column = screen.put(binding.name, in: area, column: column, role: .keyName)
        column = screen.put(" \(binding.text)", in: area, column: column, role: .keyText) + 2
    }
}
