// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The documented exit status of `routerctl`, which another `routerctl` reads at the other end of ssh.
public enum ExitStatus: Int32, CaseIterable, Sendable {
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
