// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The cache's namespaces, the largest first.
enum NamespaceTable {
    static func table(_ rows: [CacheInfo.Namespace]) -> AnyTable {
        AnyTable(rows, columns: columns, id: \.name, words: { [$0.name, $0.model, $0.tenant] }, isFault: { _ in false })
    }

    static let columns: [Column<CacheInfo.Namespace>] = [
        .text("MODEL", minimum: 8, rank: 100, of: \.model) { row, _ in ListCell(row.model, .value) },
        .text("TENANT", minimum: 6, rank: 60, of: \.tenant) { row, _ in
            ListCell(row.tenant.isEmpty ? "-" : row.tenant, row.tenant.isEmpty ? .dim : .plain)
        },
        .number("ENTRIES", width: 7, rank: 90, by: { Double($0.entries) }) { row, _ in EndpointTable.counter(row.entries) },
        .number("BYTES", width: 8, rank: 80, by: { Double($0.bytes) }) { row, _ in ListCell(Quantity.bytes(row.bytes)) },
        .text("NAMESPACE", minimum: 8, rank: 50, of: \.name) { row, _ in ListCell(row.name, .dim) },
    ]
}

/// Tokens used by model and endpoint, the most first.
enum TokenTable {
    static func table(_ rows: [TokensInfo.Row]) -> AnyTable {
        AnyTable(rows, columns: columns, id: { "\($0.model) \($0.endpoint)" }, words: { [$0.model, $0.endpoint] }, isFault: { _ in false })
    }

    static let columns: [Column<TokensInfo.Row>] = [
        .text("MODEL", minimum: 8, rank: 100, of: \.model) { row, _ in ListCell(row.model.isEmpty ? "-" : row.model, .value) },
        .text("ENDPOINT", minimum: 8, rank: 70, of: \.endpoint) { row, _ in ListCell(row.endpoint.isEmpty ? "-" : row.endpoint) },
        .number("PROMPTS", width: 8, rank: 80, by: { Double($0.inputTokens) }) { row, _ in EndpointTable.counter(row.inputTokens) },
        .number("ANSWERS", width: 8, rank: 85, by: { Double($0.outputTokens) }) { row, _ in EndpointTable.counter(row.outputTokens) },
        .number("TOTAL", width: 8, rank: 90, by: { Double($0.inputTokens + $0.outputTokens) }) { row, _ in
            EndpointTable.counter(row.inputTokens + row.outputTokens)
        },
    ]
}

/// The daemon's log, the newest at the top.
enum EventTable {
    static func table(_ rows: [EventInfo], level: String) -> AnyTable {
        let least = EventInfo.levels.firstIndex(of: level) ?? 0
        return AnyTable(
            rows.reversed().filter { $0.severity >= least }, columns: columns, followsTop: true, id: { "\($0.sequence)" },
            words: { [$0.level, $0.message] + $0.facts.map { "\($0.key)=\($0.value)" } }, isFault: { $0.severity >= 3 })
    }

    static let columns: [Column<EventInfo>] = [
        .text("TIME", rank: 90, of: \.at) { row, context in
            // Today's hour is enough; where there is room, the whole time.
            ListCell(context.width >= 120 ? row.at : String(row.at.dropFirst(11).prefix(8)), .dim)
        },
        Column(
            column: TableColumn("LEVEL", rank: 80), width: nil, precedes: { $0.severity < $1.severity },
            cell: { row, _ in ListCell(row.level, row.severity >= 4 ? .bad : row.severity == 3 ? .warning : .dim) }),
        .text("MESSAGE", minimum: 12, rank: 100, of: \.message) { row, _ in ListCell(row.message, row.severity >= 3 ? .value : .plain) },
        .text("FACTS", minimum: 10, rank: 70) { row, context in ListCell(EventLines.summary(row, context.theme), .dim) },
    ]
}
