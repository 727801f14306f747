// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

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
