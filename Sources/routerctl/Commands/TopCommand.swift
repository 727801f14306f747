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

    func validate() throws {
        if options.json { throw ValidationError("top is for people; for JSON see routerctl status --json") }
    }

    func run() throws {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
            throw Failure(
                status: .usage, code: "usage", message: "top needs a terminal",
                advice: ["For a page of text: routerctl status. For a program: routerctl status --json"])
        }
        let session = try Session(options)
        let environment = ProcessInfo.processInfo.environment
        do {
            try App.run(path: session.path, environment: environment) { Diagnosis.failure($0).message }
        } catch {
            throw Failure(
                status: .failed, code: "terminal", message: "top cannot use this terminal: \(error.message)",
                advice: ["Set TERM to what the terminal is, such as xterm-256color, or use routerctl status."])
        }
    }
}
