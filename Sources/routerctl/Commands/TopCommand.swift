// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif
import Protocol

/// `routerctl top`: the full-screen console.
struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Watch and steer the fleet on a full screen.")

    @OptionGroup var options: GlobalOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The view to begin with: endpoints, models, requests, queue, cache, tokens or events.", valueName: "name"))
    var view = "endpoints"

    @Option(name: .long, help: ArgumentHelp("Between two pictures, such as 2s or 500ms: 100 milliseconds to a minute.", valueName: "time"))
    var interval = "500ms"

    @Flag(name: .long, help: "Nothing can be changed.")
    var readonly = false

    @Flag(name: .long, help: "Print one picture as text, with every row, and end; works on a pipe.")
    var once = false

    func validate() throws {
        if options.json { throw ValidationError("top is for people; for JSON see routerctl status --json") }
        if Self.view(named: view) == nil {
            throw ValidationError("there is no view '\(view)'; there are \(View.allCases.map { $0.title.lowercased() }.joined(separator: ", "))")
        }
        if Self.milliseconds(interval) == nil {
            throw ValidationError("'\(interval)' is no interval between 100ms and 60s")
        }
    }

    func run() throws {
        guard once || (isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1) else {
            throw Failure(
                status: .usage, code: "usage", message: "top needs a terminal",
                advice: ["For one picture as text: routerctl top --once. For a program: routerctl status --json"])
        }
        let session = try Session(options)
        let environment = ProcessInfo.processInfo.environment
        var app = App.Options(path: session.path, environment: environment)
        app.view = Self.view(named: view) ?? .endpoints
        app.intervalMs = Self.milliseconds(interval) ?? 500
        app.isReadOnly = readonly
        if once { return try printOnce(app, session) }
        do {
            try App.run(app) { Diagnosis.failure($0).message }
        } catch {
            throw Failure(
                status: .failed, code: "terminal", message: "top cannot use this terminal: \(error.message)",
                advice: ["Set TERM to what the terminal is, such as xterm-256color, or use routerctl top --once."])
        }
    }

    private func printOnce(_ app: App.Options, _ session: Session) throws {
        // A pipe has no width; COLUMNS asks for one.
        let columns = session.output.width ?? app.environment["COLUMNS"].flatMap(Int.init).map { max(20, $0) } ?? 120
        let lines: [String]
        do {
            lines = try App.once(app, columns: columns, isASCII: session.output.style.ascii)
        } catch {
            throw Diagnosis.failure(error, option: options.socket)
        }
        try StandardOutput.write(lines: lines)
    }

    static func view(named name: String) -> View? {
        View.allCases.first { $0.title.lowercased() == name.lowercased() || "\($0.rawValue)" == name }
    }

    /// `2s`, `500ms` or `2`, within what the daemon takes.
    static func milliseconds(_ text: String) -> Int? {
        let (number, factor) = text.hasSuffix("ms") ? (text.dropLast(2), 1.0) : text.hasSuffix("s") ? (text.dropLast(), 1000.0) : (text[...], 1000.0)
        guard let value = Double(number), value.isFinite else { return nil }
        let milliseconds = value * factor
        return milliseconds >= 100 && milliseconds <= 60_000 ? Int(milliseconds) : nil
    }
}
