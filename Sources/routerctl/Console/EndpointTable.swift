// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The endpoints: state, slots, speed, faults and models of each.
enum EndpointTable {
    static func table(_ rows: [EndpointInfo]) -> AnyTable {
        AnyTable(
            rows, columns: columns, id: \.name,
            words: { [$0.name, $0.state, $0.kind, $0.url, $0.reason, $0.version] + $0.loaded },
            isFault: { $0.state != "up" || !$0.reason.isEmpty })
    }

    static let columns: [Column<EndpointInfo>] = [
        .text("NAME", minimum: 7, rank: 100, of: \.name) { row, _ in ListCell(row.name, .value) },
        .text("STATE", rank: 99, short: (below: 38, title: ""), by: \.state) { row, context in
            let glyph = context.theme.stateGlyph(row.state)
            // Where it is narrow the sign alone tells the state.
            return ListCell(context.width >= 38 ? "\(glyph) \(row.state)" : glyph, context.theme.role(state: row.state))
        },
        Column(
            column: TableColumn("IN FLIGHT", rank: 98), short: (below: 64, title: "BUSY"), width: nil, precedes: { $0.inFlight < $1.inFlight },
            cell: { row, context in
                // Of the slots of all models that are there: those of one model may be taken while others are free.
                let busy = "\(row.inFlight)/\(row.capacity)"
                let role: Role = row.inFlight == 0 ? .dim : row.inFlight >= row.capacity ? .barFull : .barUsed
                return ListCell(context.width >= 64 ? bar(row, context) + " " + DisplayText.pad(busy, to: max(5, busy.count)) : busy, role)
            }),
        .number("WAIT", width: 4, rank: 80, by: { Double($0.waiting) }) { row, _ in ListCell("\(row.waiting)", row.waiting > 0 ? .warning : .dim) },
        .number("REQ/S", width: 5, rank: 60, by: \.requestsPerSecond) { row, _ in rate(row.requestsPerSecond) },
        .number("TOK/S", width: 5, rank: 90, by: \.tokensPerSecond) { row, _ in rate(row.tokensPerSecond) },
        .number("TTFT", width: 6, rank: 70, by: \.ttftP50Ms) { row, _ in latency(row.ttftP50Ms) },
        .number("P95", width: 6, rank: 52, by: \.ttftP95Ms) { row, _ in latency(row.ttftP95Ms) },
        .number("ERR", width: 4, rank: 59, by: { Double($0.failuresTotal) }) { row, _ in counter(row.failuresTotal, .warning) },
        .number("RETRY", width: 5, rank: 35, by: { Double($0.retriesTotal) }) { row, _ in counter(row.retriesTotal) },
        .number("ABORT", width: 5, rank: 34, by: { Double($0.abortsTotal) }) { row, _ in counter(row.abortsTotal) },
        .number("WEIGHT", width: 6, rank: 25, by: \.weight) { row, _ in ListCell(Quantity.plain(row.weight), row.weight == 1 ? .dim : .plain) },
        .number("SINCE", width: 6, rank: 50, by: { Timestamp.seconds($0.since).map { -Double($0) } }) { row, context in
            ListCell(Timestamp.ago(row.since, wallS: context.wallS), .dim)
        },
        .text("VERSION", rank: 20, of: \.version) { row, _ in ListCell(row.version, .dim) },
        .text("LOADED", minimum: 10, rank: 68) { row, context in
            let models = loaded(row, context)
            if row.reason.isEmpty || hasReasons(context) { return ListCell(models) }
            return ListCell(models.isEmpty ? row.reason : "\(row.reason)\(context.theme.separator)\(models)", context.theme.role(state: row.state))
        },
        .text("REASON", minimum: 16, rank: 40, hidesWhenEmpty: true) { row, context in
            ListCell(hasReasons(context) ? row.reason : "", context.theme.role(state: row.state))
        },
    ]

    /// Where it is wide, the reason has a column of its own.
    private static func hasReasons(_ context: CellContext) -> Bool { context.width >= 150 }

    /// Models in memory, with what they take and for how long yet where there is room for that.
    private static func loaded(_ row: EndpointInfo, _ context: CellContext) -> String {
        guard !row.loadedModels.isEmpty else { return row.loaded.joined(separator: ", ") }
        return row.loadedModels.map { model in
            let memory = model.sizeVramBytes.map { " " + Quantity.bytes($0) } ?? ""
            let left = model.expiresAt.map { " " + Timestamp.until($0, wallS: context.wallS) } ?? ""
            return context.width >= 120 ? model.name + memory + left : model.name
        }.joined(separator: ", ")
    }

    /// Slots in use of all: a sign for each as far as there is room, else a share.
    private static func bar(_ row: EndpointInfo, _ context: CellContext) -> String {
        let total = min(context.slots, max(1, row.capacity))
        let share = Double(row.inFlight) / Double(max(1, row.capacity)) * Double(total)
        let used = min(total, row.inFlight > 0 ? max(1, Int(share.rounded(.down))) : 0)
        return String(repeating: context.theme.slotUsed, count: used) + String(repeating: context.theme.slotFree, count: total - used)
            + String(repeating: " ", count: context.slots - total)
    }

    /// A rate; quiet where there is nothing.
    static func rate(_ value: Double) -> ListCell { ListCell(Quantity.rate(value), value > 0 ? .value : .dim) }

    static func counter(_ value: Int, _ role: Role = .plain) -> ListCell { ListCell(Quantity.count(value), value > 0 ? role : .dim) }

    static func latency(_ ms: Double?) -> ListCell {
        guard let ms, ms.isFinite else { return ListCell("-", .dim) }
        return ListCell(Quantity.latency(ms: ms))
    }
}
