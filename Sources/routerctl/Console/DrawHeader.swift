// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The top: whose picture this is and how fresh.
func drawHeader(_ model: Model, in area: Area, _ theme: Theme, on screen: inout Screen) {
    guard !area.isEmpty else { return }
    let state = freshness(model, theme)
    let right = max(0, area.columns - DisplayText.width(state.text) - 1)
    screen.put(state.text, in: area, column: right, role: state.role)
    let status = model.snapshot?.status
    var parts: [(text: String, role: Role)] = [("routerd" + (area.columns < 30 ? "" : status.map { " \($0.version)" } ?? ""), .title)]
    if let status {
        parts.append(("up \(Quantity.duration(s: status.uptimeS))", .dim))
        if status.state != "running" { parts.append((status.state, .warning)) }
        if model.isReadOnly { parts.append(("read-only", .warning)) }
        if !status.listen.isEmpty { parts.append((status.listen.joined(separator: " "), .dim)) }
        if model.intervalMs != 500 { parts.append(("every \(Quantity.interval(ms: model.intervalMs))", .dim)) }
    }
    var column = 1
    for (index, part) in parts.enumerated() {
        let text = DisplayText.clean(index == 0 ? part.text : theme.separator + part.text, ascii: theme.isASCII)
        guard column + DisplayText.width(text) < right else { break }
        column = screen.put(text, in: area, column: column, role: part.role)
    }
}

private func freshness(_ model: Model, _ theme: Theme) -> (text: String, role: Role) {
    if let staleMs = model.staleMs { return ("STALE \(Quantity.duration(s: Double(staleMs / 1000)))", .error) }
    if model.snapshot == nil { return ("connecting", .warning) }
    if model.isPaused { return ("PAUSED", .question) }
    return ("\(theme.stateGlyph("up")) live", .good)
}
