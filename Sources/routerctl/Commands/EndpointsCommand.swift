// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
import Protocol

/// `routerctl endpoints [NAME]`: a row for each, or all of one.
struct EndpointsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoints", abstract: "List the endpoints, or show one in full.",
        discussion: ListOptions.describe(table([])), aliases: ["endpoint"])

    @Argument(help: ArgumentHelp("Its name, its URL, or a part of either that fits only one.", valueName: "name"), completion: Completions.endpoints)
    var name: String?

    @OptionGroup var list: ListOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        try list.check(Self.table([]), json: options.json)
        let session = try Session(options)
        let found = try session.ask(about: .endpoint(name ?? "")) { [name] client throws(ControlError) in try client.endpoints(name) }
        let table = Self.table(found.endpoints)
        try list.show(found, table, on: session.output) { page in
            if name != nil {
                found.endpoints.forEach { Self.print($0, on: page) }
            } else {
                page.table(table)
                guard page.isTerminal else { return }
                for endpoint in found.endpoints where endpoint.configuredWeight != nil {
                    page.line("\(endpoint.name) has the weight \(Self.weightInWords(endpoint)).")
                }
            }
        }
    }

    static func table(_ endpoints: [EndpointInfo]) -> TextTable {
        var table = TextTable(
            [
                TableColumn("NAME", minimum: 10, rank: 100),
                TableColumn("STATE", rank: 99),
                TableColumn("IN FLIGHT", right: true, rank: 98),
                TableColumn("SLOTS", right: true, rank: 97),
                TableColumn("WAITING", right: true, rank: 90),
                TableColumn("LOADED", minimum: 12, rank: 70),
                TableColumn("KIND", rank: 10),
                TableColumn("VERSION", minimum: 7, rank: 5, hidesWhenEmpty: true),
                TableColumn("URL", rank: 40),
                TableColumn("REASON", minimum: 18, rank: 75, hidesWhenEmpty: true),
            ],
            more: [
                "LIMIT", "SINCE", "WEIGHT", "AVAILABLE", "REQUESTS", "TOKENS", "FAILURES", "RETRIES", "ABORTS", "REQUESTS PER SECOND",
                "TOKENS PER SECOND",
                "TTFT P50", "TTFT P95", "HEAD P50", "HEAD P95", "ANSWER P50", "ANSWER P95", "EMBEDDINGS P50", "EMBEDDINGS P95", "VRAM",
                "CONFIGURED WEIGHT",
            ])
        table.rows = endpoints.map { endpoint in
            [
                .init(endpoint.name), .init(endpoint.state, Tone.state(endpoint.state)),
                .init("\(endpoint.inFlight)"), .init("\(endpoint.capacity)"),
                .init("\(endpoint.waiting)", endpoint.waiting > 0 ? .warning : .plain),
                .init(endpoint.loaded.joined(separator: ", ")), .init(endpoint.kind, .dim), .init(endpoint.version, .dim),
                .init(endpoint.url, .dim), .init(endpoint.reason, endpoint.state == "down" ? .bad : .warning),
                .init("\(endpoint.limit)"), .init(endpoint.since), .init(weight(endpoint.weight)), .init(endpoint.available.joined(separator: ", ")),
                .init("\(endpoint.requestsTotal)"), .init("\(endpoint.tokensTotal)"), .init("\(endpoint.failuresTotal)"),
                .init("\(endpoint.retriesTotal)"), .init("\(endpoint.abortsTotal)"),
                .init(Quantity.rate(endpoint.requestsPerSecond)), .init(Quantity.rate(endpoint.tokensPerSecond)),
                .init(milliseconds(endpoint.ttftP50Ms)), .init(milliseconds(endpoint.ttftP95Ms)),
                .init(milliseconds(endpoint.headP50Ms)), .init(milliseconds(endpoint.headP95Ms)),
                .init(milliseconds(endpoint.answerP50Ms)), .init(milliseconds(endpoint.answerP95Ms)),
                .init(milliseconds(endpoint.embeddingsP50Ms)), .init(milliseconds(endpoint.embeddingsP95Ms)),
                .init(endpoint.vramBytes.map(Quantity.bytes) ?? "-"), .init(weight(endpoint.configuredWeight ?? endpoint.weight)),
            ]
        }
        return table
    }

    static func print(_ endpoint: EndpointInfo, on page: Page) {
        let byModel = endpoint.use.map { "\($0.model): \($0.inFlight) of \($0.slots)" }
        page.facts([
            ("Name", endpoint.name, .heading),
            ("URL", endpoint.url, .plain),
            ("Kind", endpoint.version.isEmpty ? endpoint.kind : "\(endpoint.kind) \(endpoint.version)", .plain),
            ("State", endpoint.state, Tone.state(endpoint.state)),
            ("Reason", endpoint.reason.isEmpty ? "-" : endpoint.reason, .plain),
            ("Since", endpoint.since, .plain),
            ("Set aside", setAside(endpoint), endpoint.setAside.isEmpty ? .plain : .warning),
            ("In flight", "\(endpoint.inFlight) of \(endpoint.capacity) slots", .plain),
            ("By model", byModel.isEmpty ? "-" : byModel.joined(separator: ", "), .plain),
            ("Limit", "\(endpoint.limit) for each model", .plain),
            ("Waiting", "\(endpoint.waiting)", .plain),
            ("Weight", weightInWords(endpoint), endpoint.configuredWeight == nil ? .plain : .warning),
            ("Requests", "\(endpoint.requestsTotal), \(Quantity.rate(endpoint.requestsPerSecond)) a second", .plain),
            ("Tokens", "\(endpoint.tokensTotal), \(Quantity.rate(endpoint.tokensPerSecond)) a second", .plain),
            ("First token", times(endpoint.ttftP50Ms, endpoint.ttftP95Ms), .plain),
            ("Head", times(endpoint.headP50Ms, endpoint.headP95Ms), .plain),
            ("Whole answer", times(endpoint.answerP50Ms, endpoint.answerP95Ms), .plain),
            ("Embeddings", times(endpoint.embeddingsP50Ms, endpoint.embeddingsP95Ms), .plain),
            ("Failures", "\(endpoint.failuresTotal)", endpoint.failuresTotal > 0 ? .warning : .plain),
            ("Retries", "\(endpoint.retriesTotal)", .plain),
            ("Aborts", "\(endpoint.abortsTotal)", .plain),
            ("Memory", endpoint.vramBytes.map(Quantity.bytes) ?? "unknown", .plain),
            ("Key", endpoint.hasKey ? "has one of its own" : "none of its own", .plain),
            ("Words", endpoint.words ?? "-", .plain),
            ("Loaded", loaded(endpoint), .plain),
            ("Estimates", estimates(endpoint), .plain),
            ("Loads", loads(endpoint), .plain),
            ("Reloads", reloads(endpoint), endpoint.loadedModels.contains { !($0.loads?.asked.isEmpty ?? true) } ? .warning : .plain),
            ("Available", endpoint.available.isEmpty ? "-" : endpoint.available.joined(separator: ", "), .plain),
        ])
    }

    private static func milliseconds(_ value: Double?) -> String { value.map { "\(Int($0.rounded()))ms" } ?? "-" }

    private static func times(_ median: Double?, _ most: Double?) -> String {
        guard let median else { return "-" }
        return "half within \(milliseconds(median)), 95% within \(milliseconds(most))"
    }

    private static func setAside(_ endpoint: EndpointInfo) -> String {
        guard !endpoint.setAside.isEmpty else { return "-" }
        return endpoint.setAside.map { row in
            let next = row.retryAt.map { "probed after \(Timestamp.whole($0))" } ?? "probed now"
            return "\(row.model.isEmpty ? "all" : row.model): \(row.reason), \(next)"
        }.joined(separator: "; ")
    }

    /// What is counted with, by how many answers.
    private static func estimates(_ endpoint: EndpointInfo) -> String {
        let rows = endpoint.loadedModels.compactMap { model in model.estimates.map { "\(model.name): \($0.words)" } }
        return rows.isEmpty ? "-" : rows.joined(separator: "; ")
    }

    /// How often its models were loaded, and why.
    private static func loads(_ endpoint: EndpointInfo) -> String {
        let rows = endpoint.loadedModels.compactMap { model in model.loads.map { "\(model.name): \($0.words)" } }
        return rows.isEmpty ? "-" : rows.joined(separator: "; ")
    }

    /// Who has lately had them loaded with other options than they were there with.
    private static func reloads(_ endpoint: EndpointInfo) -> String {
        let rows = endpoint.loadedModels.flatMap { model in (model.loads?.asked ?? []).map { "\(model.name) with \($0.words)" } }
        return rows.isEmpty ? "-" : rows.joined(separator: "; ")
    }

    /// With configuration, memory and expiry where they are known.
    private static func loaded(_ endpoint: EndpointInfo) -> String {
        guard !endpoint.loaded.isEmpty else { return "-" }
        return endpoint.loaded.map { name in
            let more = endpoint.loadedModels.first { $0.name == name }
            let facts = [
                more?.loadedWith, more?.sizeVramBytes.map(Quantity.bytes), more?.expiresAt.map { "until \(Timestamp.whole($0))" },
            ].compactMap { $0 }.filter { !$0.isEmpty }
            return facts.isEmpty ? name : "\(name) (\(facts.joined(separator: ", ")))"
        }.joined(separator: ", ")
    }

    /// With the configured one where an operator has set another.
    static func weightInWords(_ endpoint: EndpointInfo) -> String {
        guard let configured = endpoint.configuredWeight else { return weight(endpoint.weight) }
        return "\(weight(endpoint.weight)), set by an operator; \(weight(configured)) by the configuration"
    }

    static func weight(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e9 ? "\(Int(value))" : "\(value)"
    }
}
