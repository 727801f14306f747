// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The documented exit status of `routerctl`.
enum ExitStatus: Int32, CaseIterable {
    case done = 0
    /// The daemon refused, or it did not work.
    case failed = 1
    /// The command line is wrong.
    case usage = 2
    /// Nobody answers at the socket.
    case noDaemon = 3
    case timedOut = 4
    case notAllowed = 5
    /// No endpoint or model of that name.
    case notFound = 6
}

/// Why a command ends without having done its work: a status for the shell, a code for programs, words for people.
struct Failure: Error, Equatable {
    let status: ExitStatus
    /// Stable, for `--json`: `no_daemon`, `refused`, ...
    let code: String
    /// May have several lines.
    let message: String
    /// What to do about it; empty when there is nothing to say.
    var advice: [String] = []
}
