// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The top: whose picture this is and how fresh, then the totals.
func drawHeader(_ model: Model, _ layout: Layout, _ theme: Theme, on screen: inout Screen) {
    let width = screen.size.columns
    let state = freshness(model, theme)
    let right = max(0, width - DisplayText.width(state.text) - 1)
    screen.put(state.text, row: 0, column: right, role: state.role)
    let status = model.snapshot?.status
    var parts = ["routerd" + (width < 30 ? "" : status.map { " \($0.version)" } ?? "")]
    if let status {
        parts.append("up \(Quantity.duration(s: status.uptimeS))")
        if status.state != "running" { parts.append(status.state) }
        parts += status.listen.isEmpty ? [] : [status.listen.joined(separator: " ")]
    }
    var column = 1
    for (index, part) in parts.enumerated() {
        let text = DisplayText.clean(index == 0 ? part : theme.separator + part, ascii: theme.isASCII)
        guard column + DisplayText.width(text) < right else { break }
        column = screen.put(text, row: 0, column: column, role: index == 0 ? .title : index == 2 && status?.state != "running" ? .warning : .dim)
    }
    if layout.headerRows > 1, let status { drawTotals(model, status, on: &screen) }
}

private func freshness(_ model: Model, _ theme: Theme) -> (text: String, role: Role) {
    if let staleMs = model.staleMs { return ("STALE \(staleMs / 1000)s", .error) }
    if model.snapshot == nil { return ("connecting", .warning) }
    return ("\(theme.stateGlyph("up")) live", .good)
}

/// Totals, of which the less important go where the line is short.
private func drawTotals(_ model: Model, _ status: StatusInfo, on screen: inout Screen) {
    let up = status.endpoints.count { $0.state == "up" || $0.state == "degraded" }
    let all = status.endpoints.count
    let waiting = status.queue.waiting
    let totals: [(label: String, value: String, role: Role, rank: Int)] = [
        ("IN FLIGHT", "\(status.requests.inFlight)", .value, 9),
        ("WAITING", "\(waiting)", waiting > 0 ? .warning : .value, 7),
        ("REQ/S", model.rates.requests.map(Quantity.rate) ?? "-", .value, 5),
        ("TOK/S", model.rates.tokens.map(Quantity.rate) ?? "-", .value, 6),
        ("UP", "\(up)/\(all)", up == all ? .good : up == 0 ? .bad : .warning, 8),
        ("FAILED", Quantity.count(status.requests.failed), status.requests.failed > 0 ? .warning : .value, 3),
        ("CLIENTS", Quantity.count(status.connections), .value, 2),
    ]
    func width(_ shown: [Int]) -> Int { shown.reduce(0) { $0 + totals[$1].label.count + 1 + totals[$1].value.count } + 3 * max(0, shown.count - 1) }
    var shown = Array(totals.indices)
    // On a very narrow screen the gaps go before the second number does.
    while shown.count > 2, width(shown) > screen.size.columns - 2, let least = shown.min(by: { totals[$0].rank < totals[$1].rank }) {
        shown.removeAll { $0 == least }
    }
    let gap = width(shown) > screen.size.columns - 2 ? 1 : 3
    var column = 1
    for index in shown {
        column = screen.put("\(totals[index].label) ", row: 1, column: column, role: .dim)
        column = screen.put(totals[index].value, row: 1, column: column, role: totals[index].role) + gap
    }
}
