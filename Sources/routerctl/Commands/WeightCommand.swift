// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Protocol

/// `routerctl weight NAME N`
struct WeightCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weight",
        abstract: "Set an endpoint's weight: how fast it is beside the others.",
        discussion: "It holds until a reload changes the endpoint's weight, or routerd ends.")

    @Argument(help: ArgumentHelp("The endpoint.", valueName: "name"), completion: Completions.endpoints)
    var name: String

    @Argument(help: ArgumentHelp("Above 0, at most 1000; 1 is the usual.", valueName: "weight"))
    var weight: Double

    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard weight > 0, weight <= 1000 else { throw ValidationError("a weight is above 0 and at most 1000") }
    }

    func run() throws {
        let session = try Session(options)
        let list = try session.ask(about: .endpoint(name)) { [name, weight] client throws(ControlError) in try client.setWeight(name, to: weight) }
        try change.show(list, on: session.output) { page in list.endpoints.forEach { Self.print($0, on: page) } }
    }

    static func print(_ endpoint: EndpointInfo, on page: Page) {
        let weight = EndpointsCommand.weight(endpoint.weight)
        guard page.isTerminal else { return page.line([endpoint.name, weight], separator: "\t") }
        page.line("\(endpoint.name) has the weight \(weight)")
    }
}
