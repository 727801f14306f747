// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
import Protocol

/// Endpoints to change, by name.
struct EndpointNames: ParsableArguments {
    @Argument(help: ArgumentHelp("Endpoints: the name, the URL, or a part of either that fits only one.", valueName: "name"))
    var names: [String]

    func validate() throws {
        if names.isEmpty { throw ValidationError("name an endpoint; routerctl endpoints lists them") }
    }
}

/// `routerctl drain NAME...`
struct DrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Take endpoints out of service: they finish what they have and get nothing new.",
        discussion: "Drained endpoints are still polled. routerctl resume ends it; a reload does not.")

    @OptionGroup var endpoints: EndpointNames
    @OptionGroup var waiting: WaitOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        try EndpointChange.run(endpoints.names, options, wait: waiting) { client, name throws(ControlError) in try client.drain(name) }
    }
}

/// `routerctl maintenance NAME...`
struct MaintenanceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "maintenance",
        abstract: "As drain, and the endpoints are not polled either.")

    @OptionGroup var endpoints: EndpointNames
    @OptionGroup var waiting: WaitOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        try EndpointChange.run(endpoints.names, options, wait: waiting) { client, name throws(ControlError) in try client.maintenance(name) }
    }
}

/// `routerctl resume NAME...`
struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Put drained endpoints, and those in maintenance, back into service.")

    @OptionGroup var endpoints: EndpointNames
    @OptionGroup var options: GlobalOptions

    func run() throws {
        try EndpointChange.run(endpoints.names, options, wait: nil) { client, name throws(ControlError) in try client.resume(name) }
    }
}

/// What the three commands have in common.
enum EndpointChange {
    typealias Call = (ControlClient, String) throws(ControlError) -> EndpointList

    /// Changes each endpoint that can be changed; the exit status is that of the first failure.
    static func run(_ names: [String], _ options: GlobalOptions, wait: WaitOptions?, _ call: Call) throws {
        let session = try Session(options)
        var changed = EndpointList(endpoints: [])
        var firstFailure: ExitStatus?
        for name in names {
            do {
                let answer = try session.ask { client throws(ControlError) in try call(client, name) }
                for endpoint in answer.endpoints where !changed.endpoints.contains(where: { $0.name == endpoint.name }) {
                    changed.endpoints.append(endpoint)
                }
            } catch {
                session.output.report(error)
                firstFailure = firstFailure ?? error.status
                // Without the daemon the other names would fail alike.
                if error.status == .noDaemon || error.status == .timedOut { break }
            }
        }
        if let wait, wait.wait, !changed.endpoints.isEmpty {
            do {
                changed = try Drained.wait(for: changed.endpoints.map(\.name), session: session, timeout: wait.timeout)
            } catch {
                session.output.report(error)
                throw ExitStatusOnly(status: firstFailure ?? error.status)
            }
        }
        if !changed.endpoints.isEmpty {
            try session.output.show(changed) { page in changed.endpoints.forEach { print($0, on: page) } }
        }
        if let firstFailure { throw ExitStatusOnly(status: firstFailure) }
    }

    static func print(_ endpoint: EndpointInfo, on page: Page) {
        guard page.isTerminal else {
            page.line([endpoint.name, endpoint.state, "\(endpoint.inFlight)"], separator: "\t")
            return
        }
        let rest = endpoint.inFlight == 0 ? "nothing in flight" : "\(endpoint.inFlight) in flight"
        page.line("\(endpoint.name) is \(endpoint.state), \(rest)", Tone.state(endpoint.state))
    }
}
