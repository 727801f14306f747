// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Protocol

/// Answer of `routerctl cancel --json`: of all ids.
struct CancelledList: Encodable {
    var schema = ProductVersion.schema
    var cancelled: [RequestInfo]
}

/// `routerctl cancel ID...`
struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "End requests: their clients get an error, their slots are free.")

    @Argument(help: ArgumentHelp("The request, as routerctl requests tells it.", valueName: "id"), completion: Completions.requests)
    var ids: [String]

    @OptionGroup var change: ChangeOptions
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        if ids.isEmpty { throw ValidationError("name a request; routerctl requests lists them") }
    }

    func run() throws {
        let session = try Session(options)
        try Confirmation.require("Cancel \(ids.joined(separator: ", "))", yes: change.yes)
        var list = CancelledList(cancelled: [])
        var firstFailure: ExitStatus?
        for id in ids {
            do {
                list.cancelled.append(try session.ask { client throws(ControlError) in try client.cancel(id) }.cancelled)
            } catch {
                session.output.report(error)
                firstFailure = firstFailure ?? error.status
                if error.status == .noDaemon || error.status == .timedOut { break }
            }
        }
        if !list.cancelled.isEmpty {
            try change.show(list, on: session.output) { page in list.cancelled.forEach { Self.print($0, on: page) } }
        }
        if let firstFailure { throw ExitStatusOnly(status: firstFailure) }
    }

    static func print(_ request: RequestInfo, on page: Page) {
        guard page.isTerminal else { return page.line([request.id, request.model, request.endpoint], separator: "\t") }
        let place = request.endpoint.isEmpty ? "" : " on \(request.endpoint)"
        page.line("\(request.id) is cancelled: \(request.model)\(place), \(request.phase.rawValue)")
    }
}
