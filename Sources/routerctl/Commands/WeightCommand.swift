// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Protocol

/// `routerctl weight NAME N`, `routerctl weight NAME default`
struct WeightCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weight",
        abstract: "Set an endpoint's weight: its share of what could go to several endpoints.",
        discussion: "It holds, reloads or not, until you give it back with \"default\", or routerd ends.")

    @Argument(help: ArgumentHelp("The endpoint.", valueName: "name"), completion: Completions.endpoints)
    var name: String

    @Argument(
        help: ArgumentHelp(
            "From 0 to 1000, 1 is the usual, 0 for what nobody else can serve; or \"default\", for that of the configuration.", valueName: "weight"),
        completion: .list(["default"]), transform: Self.choice)
    var weight: WeightChoice

    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    private static func choice(_ text: String) throws -> WeightChoice {
        guard let choice = WeightChoice(text) else { throw ValidationError("a weight is a number from 0 to 1000, or default") }
        return choice
    }

    func run() throws {
        let session = try Session(options)
        let list = try session.ask(about: .endpoint(name)) { [name, weight] client throws(ControlError) in try client.setWeight(name, to: weight) }
        try change.show(list, on: session.output) { page in list.endpoints.forEach { Self.print($0, on: page) } }
    }

    static func print(_ endpoint: EndpointInfo, on page: Page) {
        guard page.isTerminal else { return page.line([endpoint.name, EndpointsCommand.weight(endpoint.weight)], separator: "\t") }
        page.line("\(endpoint.name) has the weight \(EndpointsCommand.weightInWords(endpoint))")
    }
}
