// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import ArgumentParser

/// `--wait`, `--timeout` and `--cancel-after`.
struct WaitOptions: ParsableArguments {
    @Flag(name: .long, help: "Return when nothing is in flight there.")
    var wait = false

    @Option(
        name: .long,
        help: ArgumentHelp("How long to wait, such as 500ms, 30s, 5m, 1h; without a unit, seconds. Then exit status 4.", valueName: "time"),
        transform: Duration.parse)
    var timeout: Duration?

    @Option(
        name: .customLong("cancel-after"),
        help: ArgumentHelp("Cancel what is still in flight there after that time.", valueName: "time"),
        transform: Duration.parse)
    var cancelAfter: Duration?

    func validate() throws {
        if timeout != nil, !wait { throw ValidationError("--timeout has a meaning only with --wait") }
        if cancelAfter != nil, !wait { throw ValidationError("--cancel-after has a meaning only with --wait") }
    }
}
