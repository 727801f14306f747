// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
import Protocol

/// `routerctl models [NAME]`: a row for each model, or with a name a row for each place that has it.
struct ModelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "List the models, or where one is.",
        discussion: ListOptions.describe(table([])) + " With a name: \(places([]).columnNames.joined(separator: ", ")).", aliases: ["model"])

    @Argument(help: ArgumentHelp("A model's name, or a part of it.", valueName: "name"), completion: Completions.models)
    var name: String?

    @OptionGroup var list: ListOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        try list.check(name == nil ? Self.table([]) : Self.places([]), json: options.json)
        let session = try Session(options)
        let found = try session.ask { [name] client throws(ControlError) in try client.models(name) }
        if let name, found.models.isEmpty {
            throw Failure(
                status: .notFound, code: "not_found", message: "no endpoint has a model like \"\(name)\"",
                advice: session.suggestion(for: .model(name)) + ["See routerctl models"])
        }
        try list.show(found, name == nil ? Self.table(found.models) : Self.places(found.models), on: session.output)
    }

    static func table(_ models: [ModelInfo]) -> TextTable {
        var table = TextTable(
            [
                TableColumn("MODEL", minimum: 20, rank: 100),
                TableColumn("SIZE", right: true, rank: 60),
                TableColumn("PARAMS", right: true, rank: 20, hidesWhenEmpty: true),
                TableColumn("QUANT", rank: 10, hidesWhenEmpty: true),
                TableColumn("IN FLIGHT", right: true, rank: 90),
                TableColumn("WAITING", right: true, rank: 80),
                TableColumn("LOADED ON", minimum: 16, rank: 95),
                TableColumn("AVAILABLE ON", minimum: 12, rank: 70),
                TableColumn("LOADED WITH", minimum: 12, rank: 9, hidesWhenEmpty: true),
            ], more: ["ALIASES", "CONTEXT", "REQUESTS", "TOKENS"])
        table.rows = models.map { model in
            func endpoints(_ states: Set<String>) -> String {
                model.places.filter { states.contains($0.state) }.map { $0.state == "loading" ? "\($0.endpoint) (loading)" : $0.endpoint }
                    .joined(separator: ", ")
            }
            return [
                .init(model.name), .init(model.sizeBytes.map(Quantity.bytes) ?? "-"), .init(model.parameterSize ?? ""),
                .init(model.quantization ?? ""), .init("\(model.places.reduce(0) { $0 + $1.inFlight })"),
                .init("\(model.waiting)", model.waiting > 0 ? .warning : .plain),
                .init(endpoints(["loaded", "loading"]), .good), .init(endpoints(["available"])), .init(configurations(model)),
                .init(model.aliases.joined(separator: ", ")), .init(model.contextLength.map { "\($0)" } ?? "-"),
                .init("\(model.requestsTotal)"), .init("\(model.tokensTotal)"),
            ]
        }
        return table
    }

    /// `num_ctx 8192`, or where they differ `gpu-1: num_ctx 8192, gpu-2: num_ctx 32768`.
    private static func configurations(_ model: ModelInfo) -> String {
        let known = model.places.compactMap { place in place.configuration.map { (place.endpoint, $0) } }
        guard let first = known.first else { return "" }
        return known.allSatisfy { $0.1 == first.1 } ? first.1 : known.map { "\($0.0): \($0.1)" }.joined(separator: ", ")
    }

    static func places(_ models: [ModelInfo]) -> TextTable {
        var table = TextTable([
            TableColumn("MODEL", minimum: 20, rank: 100),
            TableColumn("ENDPOINT", minimum: 8, rank: 99),
            TableColumn("STATE", rank: 98),
            TableColumn("IN FLIGHT", right: true, rank: 90),
            TableColumn("LIMIT", right: true, rank: 50),
            TableColumn("VRAM", right: true, rank: 70),
            TableColumn("EXPIRES", rank: 60),
            TableColumn("CALLED", minimum: 20, rank: 20),
            TableColumn("LOADED WITH", minimum: 12, rank: 65, hidesWhenEmpty: true),
            TableColumn("LOADS", minimum: 16, rank: 40, hidesWhenEmpty: true),
            TableColumn("RELOADED", minimum: 20, rank: 45, hidesWhenEmpty: true),
            TableColumn("ESTIMATES", minimum: 30, rank: 35, hidesWhenEmpty: true),
        ])
        table.rows = models.flatMap { model in
            model.places.map { place in
                [
                    .init(model.name), .init(place.endpoint),
                    .init(place.state, place.state == "loaded" ? .good : place.state == "loading" ? .warning : .plain),
                    .init("\(place.inFlight)"), .init("\(place.limit)"), .init(place.sizeVramBytes.map(Quantity.bytes) ?? "-"),
                    .init(place.expiresAt.map(Timestamp.whole) ?? "-"), .init(place.name, .dim), .init(place.configuration ?? ""),
                    .init(place.loads?.words ?? ""), .init(place.loads?.asked.map(\.words).joined(separator: "; ") ?? "", .warning),
                    .init(place.estimates?.words ?? "", .dim),
                ]
            }
        }
        return table
    }
}
