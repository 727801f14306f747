// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The requests in the router, oldest first.
enum RequestTable {
    /// Without an answer's first byte for so long, something is wrong, milliseconds.
    static let slowMs = 30_000

    static func table(_ rows: [RequestInfo]) -> AnyTable {
        AnyTable(
            rows, columns: columns, id: \.id,
            words: { [$0.id, $0.client, $0.key, $0.route, $0.model, $0.endpoint, $0.phase.words, $0.why, $0.cache] },
            isFault: {
                $0.phase == .waiting || ($0.phase != .streaming && $0.phaseMs >= slowMs) || ($0.phase == .streaming && $0.tokensPerSecond == 0)
            })
    }

    static let columns: [Column<RequestInfo>] = [
        .text("ID", rank: 55, of: \.id) { row, _ in ListCell(row.id, .dim) },
        .number("AGE", width: 6, rank: 95, by: { Double($0.ageMs) }) { row, _ in ListCell(Quantity.duration(ms: row.ageMs)) },
        .text("KEY", minimum: 6, rank: 30, hidesWhenEmpty: true, of: \.key) { row, _ in ListCell(row.key) },
        .text("CLIENT", minimum: 9, rank: 50, of: \.client) { row, context in
            // The port tells little, and where it is narrow the model needs the room.
            ListCell(context.width >= 130 ? row.client : host(row.client))
        },
        .text("MODEL", minimum: 12, rank: 100, of: \.model) { row, _ in
            ListCell(row.model.isEmpty ? "-" : row.model, row.model.isEmpty ? .dim : .value)
        },
        .text("ENDPOINT", minimum: 8, rank: 80, of: \.endpoint) { row, _ in
            ListCell(row.endpoint.isEmpty ? "-" : row.endpoint, row.endpoint.isEmpty ? .dim : .plain)
        },
        Column(
            column: TableColumn("PHASE", rank: 90), width: 11, precedes: { order($0.phase) < order($1.phase) },
            cell: { row, _ in ListCell(row.phase.words, role(row)) }),
        .number("TOKENS", width: 6, rank: 60, by: { Double($0.tokens) }) { row, _ in EndpointTable.counter(row.tokens) },
        .number("TOK/S", width: 5, rank: 70, by: \.tokensPerSecond) { row, _ in
            row.tokensPerSecond.map(EndpointTable.rate) ?? ListCell("-", .dim)
        },
        .text("CACHE", width: 6, rank: 62, by: \.cache) { row, _ in
            ListCell(row.cache, row.cache == "miss" || row.cache == "bypass" ? .dim : .good)
        },
        .text("WHY", width: 8, rank: 68, by: \.placed) { row, _ in ListCell(row.placed, .dim) },
        .text("ROUTE", minimum: 10, rank: 10, by: \.route) { row, _ in ListCell("\(row.method) \(row.route)", .dim) },
    ]

    private static func order(_ phase: RequestInfo.Phase) -> Int { RequestInfo.Phase.allCases.firstIndex(of: phase) ?? 0 }

    private static func role(_ row: RequestInfo) -> Role {
        switch row.phase {
        case .streaming: .good
        case .waiting: .warning
        case .receiving, .connecting, .loading, .processing: row.phaseMs >= slowMs ? .warning : .plain
        }
    }

    /// The client's address without its port.
    static func host(_ client: String) -> String { client.lastIndex(of: ":").map { String(client[..<$0]) } ?? client }
}

/// The line: who waits for what, behind whom, and what is in the way.
enum QueueTable {
    /// Who waits longer has a fault, milliseconds.
    static let longMs = 10_000

    static func table(_ rows: [WaiterInfo]) -> AnyTable {
        AnyTable(
            rows, columns: columns, id: \.id, words: { [$0.id, $0.client, $0.key, $0.model] + $0.blockedBy },
            isFault: { $0.ageMs >= longMs || $0.blockedBy.isEmpty })
    }

    static let columns: [Column<WaiterInfo>] = [
        .text("ID", rank: 50, of: \.id) { row, _ in ListCell(row.id, .dim) },
        .number("WAITED", width: 6, rank: 95, by: { Double($0.ageMs) }) { row, _ in
            ListCell(Quantity.duration(ms: row.ageMs), row.ageMs >= longMs ? .warning : .plain)
        },
        .text("BEGINS IN", minimum: 6, rank: 93, hidesWhenEmpty: true) { row, _ in
            ListCell(row.beginsInMs.map { Quantity.duration(ms: $0) } ?? "")
        },
        .text("KEY", minimum: 6, rank: 40, hidesWhenEmpty: true, of: \.key) { row, _ in ListCell(row.key) },
        .text("CLIENT", minimum: 9, rank: 45, of: \.client) { row, context in
            ListCell(context.width >= 130 ? row.client : RequestTable.host(row.client))
        },
        .text("MODEL", minimum: 12, rank: 100, of: \.model) { row, _ in ListCell(row.model, .value) },
        .number("AHEAD", width: 5, rank: 90, by: { Double($0.position) }) { row, _ in ListCell("\(row.position)", row.position > 0 ? .plain : .dim) },
        .text("BEHIND", minimum: 7, rank: 20, hidesWhenEmpty: true) { row, _ in ListCell(row.behind.joined(separator: ", "), .dim) },
        .text("BLOCKED BY", minimum: 26, rank: 80) { row, _ in
            row.blockedBy.isEmpty ? ListCell("no endpoint could serve it", .bad) : ListCell(row.blockedBy.joined(separator: "; "), .warning)
        },
    ]
}
