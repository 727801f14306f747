// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser
import Console
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
        let session = try Session(options)
        _ = session
    }
}
