// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The endpoints: state, slots, rates and models of each.
func drawEndpoints(_ model: Model, _ pane: Layout.PaneRows, _ theme: Theme, on screen: inout Screen) {
    let isActive = model.pane == .endpoints
    drawTitle("Endpoints", count: model.endpoints.count, isActive: isActive, row: pane.title, theme, on: &screen)
    guard !model.endpoints.isEmpty else {
        let text = model.snapshot == nil ? "Waiting for routerd" : "No endpoints are configured"
        screen.put(text, row: pane.first, column: 2, role: .dim)
        return
    }
    let width = screen.size.columns
    let hasBars = width >= 64
    let hasReasons = width >= 120
    let slots = min(8, max(2, model.endpoints.map(\.limit).max() ?? 0))
    let columns = [
        TableColumn("NAME", minimum: 7, rank: 100),
        // Where it is narrow the sign alone tells the state.
        TableColumn(width >= 32 ? "STATE" : "", rank: 99),
        TableColumn(hasBars ? "IN FLIGHT" : "BUSY", right: !hasBars, rank: 98),
        TableColumn("WAIT", right: true, rank: 80),
        TableColumn("REQ/S", right: true, rank: 60),
        TableColumn("TOK/S", right: true, rank: 90),
        TableColumn("LOADED", minimum: 10, rank: 50),
        TableColumn("REASON", minimum: 20, rank: 40, hidesWhenEmpty: true),
    ]
    let rows = model.endpoints.map { endpoint -> [ListCell] in
        let state = theme.role(state: endpoint.state)
        let glyph = theme.stateGlyph(endpoint.state)
        let busy = "\(endpoint.inFlight)/\(endpoint.limit)"
        let models = endpoint.loaded.joined(separator: ", ")
        let loaded =
            hasReasons || endpoint.reason.isEmpty ? models : models.isEmpty ? endpoint.reason : "\(endpoint.reason)\(theme.separator)\(models)"
        return [
            ListCell(text: endpoint.name, role: .value),
            ListCell(text: width >= 32 ? "\(glyph) \(endpoint.state)" : glyph, role: state),
            ListCell(
                text: hasBars ? bar(endpoint, slots: slots, theme) + " " + busy : busy,
                role: endpoint.inFlight == 0 ? .dim : endpoint.inFlight >= endpoint.limit ? .barFull : .barUsed),
            ListCell(text: "\(endpoint.waiting)", role: endpoint.waiting > 0 ? .warning : .dim),
            rate(model.rates.requests(endpoint: endpoint.name)),
            rate(model.rates.tokens(endpoint: endpoint.name)),
            ListCell(text: loaded, role: !hasReasons && !endpoint.reason.isEmpty ? state : .plain),
            ListCell(text: hasReasons ? endpoint.reason : "", role: state),
        ]
    }
    drawList(columns: columns, rows: rows, selected: model.endpointIndex, isActive: isActive, pane: pane, theme, on: &screen)
}

/// A rate; quiet where there is nothing.
func rate(_ value: Double?) -> ListCell {
    guard let value else { return ListCell(text: "-", role: .dim) }
    return ListCell(text: Quantity.rate(value), role: value > 0 ? .value : .dim)
}

/// Slots in use of all: a sign for each up to eight, a share of eight above.
private func bar(_ endpoint: EndpointInfo, slots: Int, _ theme: Theme) -> String {
    let total = min(slots, max(1, endpoint.limit))
    let share = Double(endpoint.inFlight) / Double(max(1, endpoint.limit)) * Double(total)
    let used = min(total, endpoint.inFlight > 0 ? max(1, Int(share.rounded(.down))) : 0)
    return String(repeating: theme.slotUsed, count: used) + String(repeating: theme.slotFree, count: total - used)
        + String(repeating: " ", count: slots - total)
}
