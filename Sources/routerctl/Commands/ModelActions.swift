// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import ArgumentParser
import Console
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// Which model, and where.
struct ModelAndPlace: ParsableArguments {
    @Argument(help: ArgumentHelp("The model.", valueName: "model"), completion: Completions.models)
    var model: String

    @Option(
        name: .long, help: ArgumentHelp("The endpoint. Without it, routerd chooses as the command's help says.", valueName: "name"),
        completion: Completions.endpoints)
    var endpoint: String?
}

/// `--timeout` of actions that take long.
struct Patience: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Give up after so long without a sign of life; then exit status 4. Without it, 10m for load and pull, else 2m.", valueName: "time"),
        transform: Duration.parse)
    var timeout: Duration?

    /// What was asked for here, or for all commands, or else what suits the action.
    func milliseconds(_ session: Session, else usual: Int) -> Int { timeout?.milliseconds ?? session.chosenTimeoutMs ?? usual }
}

/// `routerctl load MODEL`
struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Have a model loaded, on an endpoint or where a request would go.")

    @OptionGroup var what: ModelAndPlace
    @Option(name: .customLong("keep-alive"), help: ArgumentHelp("How long the endpoint keeps it, such as 30m; -1 for ever.", valueName: "time"))
    var keepAlive: String?
    @OptionGroup var patience: Patience
    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let session = try Session(options)
        var action = ModelAction(verb: "load", done: "loaded", what.model, endpoint: what.endpoint, change)
        action.params.keepAlive = keepAlive
        try action.run(session, patienceMs: patience.milliseconds(session, else: 600_000))
    }
}

/// `routerctl unload MODEL`
struct UnloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unload", abstract: "Take a model out of memory, on an endpoint or on all that have it loaded.",
        discussion: "While it is in use, it asks first.")

    @OptionGroup var what: ModelAndPlace
    @OptionGroup var patience: Patience
    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let session = try Session(options)
        if !change.yes, let models = try? session.client.models(what.model).models {
            let busy = Self.inUse(models, model: what.model, endpoint: what.endpoint)
            if !busy.isEmpty { try Confirmation.require("Unload \(what.model)", warnings: busy, yes: false) }
        }
        try ModelAction(verb: "unload", done: "unloaded", what.model, endpoint: what.endpoint, change)
            .run(session, patienceMs: patience.milliseconds(session, else: 120_000))
    }

    /// Where requests for it are in flight, one sentence each.
    static func inUse(_ models: [ModelInfo], model: String, endpoint: String?) -> [String] {
        models.filter { $0.name == model || $0.aliases.contains(model) || $0.places.contains { $0.name == model } || $0.name == "\(model):latest" }
            .flatMap(\.places)
            .filter { $0.inFlight > 0 && (endpoint == nil || $0.endpoint == endpoint) }
            .map { "\($0.inFlight) in flight for \($0.name) on \($0.endpoint)" }
    }
}

/// `routerctl pull MODEL`
struct PullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Have endpoints fetch a model: one, or those that model_management says.",
        discussion: "Ctrl-C ends the command, and routerd stops the pull; what has been fetched stays for the next.")

    @OptionGroup var what: ModelAndPlace
    @OptionGroup var patience: Patience
    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let session = try Session(options)
        signal(SIGINT) { number in
            let text: StaticString = "\nrouterctl: interrupted: routerd stops the pull\n"
            _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
            // So that the shell sees what ended it.
            signal(number, SIG_DFL)
            raise(number)
        }
        try ModelAction(verb: "pull", done: "pulled", what.model, endpoint: what.endpoint, change)
            .run(session, patienceMs: patience.milliseconds(session, else: 600_000))
    }
}

/// `routerctl delete MODEL`
struct DeleteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete a model from the disk of an endpoint, or of those that model_management says.",
        discussion: "It asks first.")

    @OptionGroup var what: ModelAndPlace
    @OptionGroup var patience: Patience
    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let session = try Session(options)
        try Confirmation.require("Delete \(what.model)\(what.endpoint.map { " from \($0)" } ?? "")", yes: change.yes)
        try ModelAction(verb: "delete", done: "deleted", what.model, endpoint: what.endpoint, change)
            .run(session, patienceMs: patience.milliseconds(session, else: 120_000))
    }
}

/// `routerctl copy MODEL NEW-NAME`
struct CopyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy", abstract: "Give a model a second name, on an endpoint or on those that model_management says.")

    @Argument(help: ArgumentHelp("The model.", valueName: "model"), completion: Completions.models) var model: String
    @Argument(help: ArgumentHelp("Its second name.", valueName: "new-name")) var destination: String
    @Option(name: .long, help: ArgumentHelp("The endpoint.", valueName: "name"), completion: Completions.endpoints) var endpoint: String?
    @OptionGroup var patience: Patience
    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let session = try Session(options)
        var action = ModelAction(verb: "copy", done: "copied", model, endpoint: endpoint, change)
        action.params.destination = destination
        try action.run(session, patienceMs: patience.milliseconds(session, else: 120_000))
    }
}

/// `routerctl show MODEL`
struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print what an endpoint says of a model, as JSON.")

    @OptionGroup var what: ModelAndPlace
    @Flag(name: [.long, .customShort("q")], help: "Print nothing; the exit status tells whether there is such a model.")
    var quiet = false
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let session = try Session(options)
        let params = ModelActionParams(model: what.model, endpoint: what.endpoint)
        let info = try session.ask(about: .both(model: what.model, endpoint: what.endpoint)) { client throws(ControlError) in
            try client.model("show", params)
        }
        if !quiet { try session.output.show(info) { Self.print(info, on: $0) } }
    }

    static func print(_ info: ModelActionInfo, on page: Page) {
        let details = info.details ?? "{}"
        guard page.isTerminal else { return page.line(details) }
        JSONLayout.lines(details).forEach { page.line($0.text) }
    }
}

/// What the actions have in common.
struct ModelAction {
    let verb: String
    /// Of the sentence "... is `done` on ...".
    let done: String
    let change: ChangeOptions
    var params: ModelActionParams

    init(verb: String, done: String, _ model: String, endpoint: String?, _ change: ChangeOptions) {
        self.verb = verb
        self.done = done
        self.change = change
        params = ModelActionParams(model: model, endpoint: endpoint)
    }

    func run(_ session: Session, patienceMs: Int) throws {
        session.client.timeoutMs = patienceMs
        let progress = ProgressLine(title: "\(verb) \(params.model)", output: session.output, isSilent: change.quiet || session.output.json)
        progress.start()
        let info: ModelActionInfo
        do {
            defer { progress.end() }
            info = try session.ask(about: .both(model: params.model, endpoint: params.endpoint)) { client throws(ControlError) in
                try client.model(verb, params) { progress.note($0) }
            }
        }
        try change.show(info, on: session.output) { Self.print(info, done: done, on: $0) }
        let failures = info.outcomes.filter { !$0.failure.isEmpty }
        guard !failures.isEmpty else { return }
        if change.quiet {
            for outcome in failures { Output.warn("\(outcome.endpoint): \(outcome.failure)") }
        }
        throw ExitStatusOnly(status: .failed)
    }

    static func print(_ info: ModelActionInfo, done: String, on page: Page) {
        for outcome in info.outcomes {
            if !page.isTerminal {
                page.line([outcome.endpoint, outcome.failure.isEmpty ? done : "failed", outcome.failure], separator: "\t")
            } else if outcome.failure.isEmpty {
                page.line("\(info.model) is \(done) on \(outcome.endpoint)", .good)
            } else {
                page.line("\(info.model) is not \(done) on \(outcome.endpoint): \(outcome.failure)", .bad)
            }
        }
    }
}
