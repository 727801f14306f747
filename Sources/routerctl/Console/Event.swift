// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// A key as the operator pressed it, whatever bytes the terminal sent for it.
public enum Key: Hashable, Sendable {
    case character(Character)
    case up, down, pageUp, pageDown, home, end
    case tab, backTab, enter, escape
    case function(Int)
}

/// The terminal's size in character cells.
public struct Size: Equatable, Sendable {
    public var columns: Int
    public var rows: Int

    public init(columns: Int, rows: Int) {
        self.columns = columns
        self.rows = rows
    }
}

/// What an operator can do to an endpoint.
public enum Change: String, Sendable, CaseIterable {
    case drain, maintenance, resume
}

/// All that can happen to the console.
public enum Event: Sendable {
    case key(Key)
    case resize(Size)
    /// Time has passed: the monotonic clock in milliseconds. The console has no other clock.
    case tick(nowMs: Int)
    case snapshot(SnapshotInfo)
    /// The connection to the daemon is gone, and why. The next snapshot ends this state.
    case lost(String)
    /// The daemon's answer to a change: the endpoint as it is now, or why not.
    case answered(Change, endpoint: String, answer: Result<EndpointInfo, AnswerFailure>)
}

/// Why the daemon did not do it, in words.
public struct AnswerFailure: Error, Equatable, Sendable {
    public var message: String

    public init(_ message: String) { self.message = message }
}

/// What `update` wants done outside the model.
public enum Effect: Equatable, Sendable {
    case quit
    /// Ask the daemon for the change; the answer comes as an event.
    case ask(Change, endpoint: String)
    /// Draw everything anew: something else has written on the terminal.
    case repaint
}
