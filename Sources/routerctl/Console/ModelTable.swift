// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The models: what each is, where it is, and what it is doing there.
enum ModelTable {
    static func table(_ rows: [ModelInfo]) -> AnyTable {
        AnyTable(
            rows, columns: columns, id: \.name,
            words: { [$0.name, $0.quantization ?? "", $0.parameterSize ?? ""] + $0.aliases + $0.places.map(\.endpoint) },
            isFault: { $0.places.isEmpty || ($0.waiting > 0 && $0.loadedPlaces.isEmpty) })
    }

    static let columns: [Column<ModelInfo>] = [
        .text("NAME", minimum: 16, rank: 100, of: \.name) { row, _ in ListCell(row.name, .value) },
        .number("SIZE", width: 7, rank: 60, by: { $0.sizeBytes.map(Double.init) }) { row, _ in bytes(row.sizeBytes) },
        .text("PARAMS", rank: 30, by: { $0.parameterSize ?? "" }) { row, _ in
            ListCell(row.parameterSize ?? "-", row.parameterSize == nil ? .dim : .plain)
        },
        .text("QUANT", rank: 40, by: { $0.quantization ?? "" }) { row, _ in ListCell(row.quantization ?? "-", row.quantization == nil ? .dim : .plain)
        },
        .number("CONTEXT", width: 7, rank: 35, by: { $0.contextLength.map(Double.init) }) { row, _ in
            ListCell(row.contextLength.map(Quantity.count) ?? "-", row.contextLength == nil ? .dim : .plain)
        },
        .number("RELOADS", width: 7, rank: 42, hidesWhenEmpty: true, by: { Double($0.lateReloads) }) { row, _ in
            ListCell(row.lateReloads > 0 ? "\(row.lateReloads)" : "", .warning)
        },
        .number("BUSY", width: 4, rank: 80, by: { Double($0.inFlight) }) { row, _ in ListCell("\(row.inFlight)", row.inFlight > 0 ? .barUsed : .dim)
        },
        .number("WAIT", width: 4, rank: 78, by: { Double($0.waiting) }) { row, _ in ListCell("\(row.waiting)", row.waiting > 0 ? .warning : .dim) },
        .number("REQS", width: 5, rank: 45, by: { Double($0.requestsTotal) }) { row, _ in EndpointTable.counter(row.requestsTotal) },
        .number("TOKENS", width: 6, rank: 20, by: { Double($0.tokensTotal) }) { row, _ in EndpointTable.counter(row.tokensTotal) },
        .number("MEMORY", width: 7, rank: 70, by: { $0.memory.map(Double.init) }) { row, _ in bytes(row.memory) },
        .number("EXPIRES", width: 7, rank: 65, by: { $0.expiry.flatMap(Timestamp.seconds).map(Double.init) }) { row, context in
            ListCell(row.expiry.map { Timestamp.until($0, wallS: context.wallS) } ?? "", .dim)
        },
        .text("LOADED ON", minimum: 12, rank: 90, by: { "\($0.loadedPlaces.count)" }) { row, _ in
            let places = row.loadedPlaces
            let names = places.map { $0.state == "loading" ? "\($0.endpoint) (loading)" : $0.endpoint }
            return ListCell(
                names.isEmpty ? "-" : names.joined(separator: ", "),
                names.isEmpty ? .dim : places.contains { $0.state == "loading" } ? .warning : .good)
        },
        .text("ALSO ON", minimum: 10, rank: 25, hidesWhenEmpty: true) { row, _ in
            ListCell(row.places.filter { $0.state == "available" }.map(\.endpoint).joined(separator: ", "), .dim)
        },
        .text("ALIASES", minimum: 7, rank: 15, hidesWhenEmpty: true) { row, _ in ListCell(row.aliases.joined(separator: ", "), .dim) },
    ]

    static func bytes(_ count: Int?) -> ListCell { ListCell(count.map(Quantity.bytes) ?? "-", count == nil ? .dim : .plain) }
}

extension ModelInfo {
    /// Where it is in memory, or on its way there.
    var loadedPlaces: [Place] { places.filter { $0.state != "available" } }

    var inFlight: Int { places.reduce(0) { $0 + $1.inFlight } }

    /// Memory that it takes in the whole fleet; nil where no endpoint tells.
    var memory: Int? {
        let known = places.compactMap(\.sizeVramBytes)
        return known.isEmpty ? nil : known.reduce(0, +)
    }

    /// Loads for other options than it was there with, over the last ten minutes, wherever that was.
    var lateReloads: Int { places.reduce(0) { $0 + ($1.loads?.asked.reduce(0) { $0 + $1.reloads } ?? 0) } }

    /// The first time that an endpoint unloads it.
    var expiry: String? { places.compactMap(\.expiresAt).min() }
}
