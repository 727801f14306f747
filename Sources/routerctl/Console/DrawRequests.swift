// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The requests in the router, oldest first.
func drawRequests(_ model: Model, _ pane: Layout.PaneRows, _ theme: Theme, on screen: inout Screen) {
    let isActive = model.pane == .requests
    drawTitle("Requests", count: model.requests.count, isActive: isActive, row: pane.title, theme, on: &screen)
    guard !model.requests.isEmpty else {
        screen.put("Nothing is in flight", row: pane.first, column: 2, role: .dim)
        return
    }
    let columns = [
        TableColumn("ID", rank: 40),
        TableColumn("CLIENT", minimum: 10, rank: 50),
        TableColumn("MODEL", minimum: 8, rank: 100),
        TableColumn("ENDPOINT", minimum: 8, rank: 80),
        TableColumn("PHASE", rank: 90),
        TableColumn("AGE", right: true, rank: 95),
        TableColumn("TOKENS", right: true, rank: 60),
        TableColumn("TOK/S", right: true, rank: 70),
        TableColumn("ROUTE", minimum: 12, rank: 10),
    ]
    let rows = model.requests.map { request in
        [
            ListCell(text: request.id, role: .dim),
            // The port tells little, and where it is narrow the model needs the room.
            ListCell(text: screen.size.columns >= 100 ? request.client : host(request.client)),
            ListCell(text: request.model.isEmpty ? "-" : request.model, role: .value),
            ListCell(text: request.endpoint.isEmpty ? "-" : request.endpoint, role: request.endpoint.isEmpty ? .dim : .plain),
            ListCell(text: request.phase.rawValue, role: role(request.phase)),
            ListCell(text: Quantity.duration(ms: request.ageMs)),
            ListCell(text: Quantity.count(request.tokens), role: request.tokens > 0 ? .plain : .dim),
            request.phase == .streaming ? rate(model.rates.tokens(request: request)) : ListCell(text: "-", role: .dim),
            ListCell(text: "\(request.method) \(request.route)", role: .dim),
        ]
    }
    drawList(columns: columns, rows: rows, selected: model.requestIndex, isActive: isActive, pane: pane, theme, on: &screen)
}

private func role(_ phase: RequestInfo.Phase) -> Role {
    switch phase {
    case .streaming: .good
    case .waiting: .warning
    case .receiving, .connecting, .loading, .processing: .plain
    }
}

/// The client's address without its port.
private func host(_ client: String) -> String {
    client.lastIndex(of: ":").map { String(client[..<$0]) } ?? client
}
