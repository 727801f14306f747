// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
import Protocol

/// `routerctl endpoints [NAME]`: a row for each, or all of one.
struct EndpointsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoints", abstract: "List the endpoints, or show one in full.", aliases: ["endpoint"])

    @Argument(help: ArgumentHelp("Its name, its URL, or a part of either that fits only one.", valueName: "name"))
    var name: String?

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let session = try Session(options)
        let list = try session.ask { [name] client throws(ControlError) in try client.endpoints(name) }
        try session.output.show(list) { page in
            if name != nil {
                list.endpoints.forEach { Self.print($0, on: page) }
            } else {
                page.table(Self.table(list.endpoints))
            }
        }
    }

    static func table(_ endpoints: [EndpointInfo]) -> TextTable {
        var table = TextTable([
            TableColumn("NAME", minimum: 10, rank: 100),
            TableColumn("STATE", rank: 99),
            TableColumn("IN FLIGHT", right: true, rank: 98),
            TableColumn("LIMIT", right: true, rank: 60),
            TableColumn("WAITING", right: true, rank: 90),
            TableColumn("LOADED", minimum: 20, rank: 70),
            TableColumn("KIND", rank: 10),
            TableColumn("VERSION", minimum: 7, rank: 5, hidesWhenEmpty: true),
            TableColumn("URL", rank: 40),
            TableColumn("REASON", minimum: 18, rank: 75, hidesWhenEmpty: true),
        ])
        table.rows = endpoints.map { endpoint in
            [
                .init(endpoint.name), .init(endpoint.state, Tone.state(endpoint.state)),
                .init("\(endpoint.inFlight)"), .init("\(endpoint.limit)"),
                .init("\(endpoint.waiting)", endpoint.waiting > 0 ? .warning : .plain),
                .init(endpoint.loaded.joined(separator: ", ")), .init(endpoint.kind, .dim), .init(endpoint.version, .dim),
                .init(endpoint.url, .dim), .init(endpoint.reason, endpoint.state == "down" ? .bad : .warning),
            ]
        }
        return table
    }

    static func print(_ endpoint: EndpointInfo, on page: Page) {
        let byModel = endpoint.inFlightByModel.filter { $0.value > 0 }.sorted { $0.key < $1.key }
        page.facts([
            ("Name", endpoint.name, .heading),
            ("URL", endpoint.url, .plain),
            ("Kind", endpoint.version.isEmpty ? endpoint.kind : "\(endpoint.kind) \(endpoint.version)", .plain),
            ("State", endpoint.state, Tone.state(endpoint.state)),
            ("Reason", endpoint.reason.isEmpty ? "-" : endpoint.reason, .plain),
            ("Since", endpoint.since, .plain),
            ("In flight", "\(endpoint.inFlight)", .plain),
            ("By model", byModel.isEmpty ? "-" : byModel.map { "\($0.key): \($0.value)" }.joined(separator: ", "), .plain),
            ("Limit", "\(endpoint.limit) for each model", .plain),
            ("Waiting", "\(endpoint.waiting)", .plain),
            ("Weight", weight(endpoint.weight), .plain),
            ("Requests", "\(endpoint.requestsTotal)", .plain),
            ("Tokens", "\(endpoint.tokensTotal)", .plain),
            ("Failures", "\(endpoint.failuresTotal)", endpoint.failuresTotal > 0 ? .warning : .plain),
            ("Aborts", "\(endpoint.abortsTotal)", .plain),
            ("Loaded", endpoint.loaded.isEmpty ? "-" : endpoint.loaded.joined(separator: ", "), .plain),
            ("Available", endpoint.available.isEmpty ? "-" : endpoint.available.joined(separator: ", "), .plain),
        ])
    }

    private static func weight(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e9 ? "\(Int(value))" : "\(value)"
    }
}
