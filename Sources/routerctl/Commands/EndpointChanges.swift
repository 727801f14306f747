// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// Endpoints to change, by name.
struct EndpointNames: ParsableArguments {
    @Argument(
        help: ArgumentHelp("Endpoints: the name, the URL, or a part of either that fits only one.", valueName: "name"),
        completion: Completions.endpoints)
    var names: [String]

    func validate() throws {
        if names.isEmpty { throw ValidationError("name an endpoint; routerctl endpoints lists them") }
    }
}

/// `--all-but`
struct AllBut: ParsableArguments {
    @Flag(name: .customLong("all-but"), help: "All endpoints but those that are named.")
    var allBut = false
}

/// `routerctl drain NAME...`
struct DrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Take endpoints out of service: they finish what they have and get nothing new.",
        discussion: """
            Drained endpoints are still polled. routerctl resume ends it; a reload does not. If a model would be served by no endpoint \
            any more, it asks first.
            """)

    @OptionGroup var endpoints: EndpointNames
    @OptionGroup var selection: AllBut
    @OptionGroup var waiting: WaitOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let run = EndpointChange(verb: "Drain", options: options, change: change, wait: waiting, asksForAllBut: false) {
            client, name, dryRun throws(ControlError) in try client.drain(name, dryRun: dryRun)
        }
        try run(endpoints.names, allBut: selection.allBut)
    }
}

/// `routerctl maintenance NAME...`
struct MaintenanceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "maintenance",
        abstract: "As drain, and the endpoints are not polled either.",
        discussion: "If a model would be served by no endpoint any more, and with --all-but, it asks first.")

    @OptionGroup var endpoints: EndpointNames
    @OptionGroup var selection: AllBut
    @OptionGroup var waiting: WaitOptions
    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let run = EndpointChange(verb: "Maintenance for", options: options, change: change, wait: waiting, asksForAllBut: true) {
            client, name, dryRun throws(ControlError) in try client.maintenance(name, dryRun: dryRun)
        }
        try run(endpoints.names, allBut: selection.allBut)
    }
}

/// `routerctl resume NAME...`
struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Put endpoints that get no requests back into service.")

    @OptionGroup var endpoints: EndpointNames
    @OptionGroup var selection: AllBut
    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let run = EndpointChange(verb: nil, options: options, change: change, wait: nil, asksForAllBut: false) {
            client, name, _ throws(ControlError) in try client.resume(name)
        }
        try run(endpoints.names, allBut: selection.allBut)
    }
}

/// What the three commands have in common.
struct EndpointChange {
    typealias Call = (_ client: ControlClient, _ name: String, _ dryRun: Bool?) throws(ControlError) -> EndpointList

    /// Begins the question; nil for what does no harm, and is not asked for.
    let verb: String?
    let options: GlobalOptions
    let change: ChangeOptions
    let wait: WaitOptions?
    let asksForAllBut: Bool
    let call: Call

    /// Changes each endpoint that can be changed; the exit status is that of the first failure.
    func callAsFunction(_ named: [String], allBut: Bool) throws {
        let session = try Session(options)
        let names = allBut ? try Self.others(than: named, session) : named
        let wasAsked = try confirm(names, allBut: allBut, session)
        var changed = EndpointList(endpoints: [])
        var firstFailure: ExitStatus?
        for name in names {
            do {
                let answer = try session.ask(about: .endpoint(name)) { client throws(ControlError) in try call(client, name, nil) }
                for endpoint in answer.endpoints where !changed.endpoints.contains(where: { $0.name == endpoint.name }) {
                    changed.endpoints.append(endpoint)
                }
                changed.warnings += answer.warnings.filter { !changed.warnings.contains($0) }
            } catch {
                session.output.report(error)
                firstFailure = firstFailure ?? error.status
                // Without the daemon the other names would fail alike.
                if error.status == .noDaemon || error.status == .timedOut { break }
            }
        }
        if !wasAsked, !options.json { changed.warnings.forEach { Output.warn("warning: \($0)") } }
        if let wait, wait.wait, !changed.endpoints.isEmpty {
            do {
                let warnings = changed.warnings
                changed = try Drained.wait(for: changed.endpoints.map(\.name), session: session, options: wait, isQuiet: change.quiet)
                changed.warnings = warnings
            } catch {
                session.output.report(error)
                throw ExitStatusOnly(status: firstFailure ?? error.status)
            }
        }
        if !changed.endpoints.isEmpty {
            try change.show(changed, on: session.output) { page in changed.endpoints.forEach { Self.print($0, on: page) } }
        }
        if let firstFailure { throw ExitStatusOnly(status: firstFailure) }
    }

    /// Asks where it would leave a model without an endpoint. True if somebody saw the warnings and said yes.
    private func confirm(_ names: [String], allBut: Bool, _ session: Session) throws(Failure) -> Bool {
        guard let verb, !change.yes else { return false }
        var warnings: [String] = []
        if names.count == 1, let name = names.first {
            // A name that does not exist is reported when its turn comes.
            warnings = (try? call(session.client, name, true))?.warnings ?? []
        } else if let all = try? session.client.endpoints().endpoints {
            warnings = LastServer.warnings(takingOut: names, of: all)
        }
        guard !warnings.isEmpty || (asksForAllBut && allBut) else { return false }
        try Confirmation.require("\(verb) \(names.joined(separator: ", "))", warnings: warnings, yes: false)
        return true
    }

    /// Every endpoint but those. Each of them has to exist: else a slip of the finger would take out the very one that was to stay.
    private static func others(than named: [String], _ session: Session) throws(Failure) -> [String] {
        var spared: Set<String> = []
        for name in named {
            let found = try session.ask(about: .endpoint(name)) { client throws(ControlError) in try client.endpoints(name) }
            spared.formUnion(found.endpoints.map(\.name))
        }
        let all = try session.ask { client throws(ControlError) in try client.endpoints() }
        let others = all.endpoints.map(\.name).filter { !spared.contains($0) }
        if others.isEmpty { throw Failure(status: .failed, code: "refused", message: "there is no other endpoint") }
        return others
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

/// What several endpoints leave behind that go at once: each alone might not be the last that serves a model.
enum LastServer {
    private static let serving: Set<String> = ["up", "degraded", "loading", "starting"]

    static func warnings(takingOut names: [String], of endpoints: [EndpointInfo]) -> [String] {
        // As the daemon finds them: the name, or a part of it or of the URL.
        let going = Set(
            names.flatMap { name in
                endpoints.contains { $0.name == name } ? [name] : endpoints.filter { $0.name.contains(name) || $0.url.contains(name) }.map(\.name)
            })
        let inService = endpoints.filter { serving.contains($0.state) }
        let left = Set(inService.filter { !going.contains($0.name) }.flatMap(\.available))
        let lost = Set(inService.filter { going.contains($0.name) }.flatMap(\.available)).subtracting(left)
        return lost.sorted().map { model in
            let last = inService.filter { going.contains($0.name) && $0.available.contains(model) }.map(\.name)
            return "no other endpoint than \(last.joined(separator: ", ")) serves \(model)"
        }
    }
}
