// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// A key as the operator pressed it, whatever bytes the terminal sent for it.
public enum Key: Hashable, Sendable {
    case character(Character)
    case up, down, left, right, pageUp, pageDown, home, end
    case tab, backTab, enter, escape, backspace
    case function(Int)
}

/// What the mouse did, in cells of the screen.
public enum Mouse: Equatable, Sendable {
    case click(column: Int, row: Int)
    /// Rows to go down; negative for up.
    case wheel(Int)
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

/// All that can happen to the console.
public enum Event: Sendable {
    case key(Key)
    case mouse(Mouse)
    case resize(Size)
    /// Time has passed: the monotonic clock in milliseconds and the calendar's in seconds since 1970. The console has no other clocks.
    case tick(nowMs: Int, wallS: Int)
    /// A picture, and which parts of it were asked for. The others are empty and mean nothing.
    case snapshot(SnapshotInfo, topics: Set<SnapshotTopic>)
    case history(HistoryInfo)
    case tokens(TokensInfo)
    /// The connection to the daemon is gone, and why. The next snapshot ends this state.
    case lost(String)
    /// What the daemon says would come of the commands of the question that is open, a line each.
    case prepared([Command], Result<[String], AnswerFailure>)
    /// How far an action on a model is.
    case progress(job: Int, ModelProgress)
    /// All commands of the job are done.
    case answered(job: Int, [CommandAnswer])
}

/// What `update` wants done outside the model.
public enum Effect: Equatable, Sendable {
    case quit
    /// Give the terminal back to the shell, as Ctrl-Z does everywhere.
    case suspend
    /// Draw everything anew: something else has written on the terminal.
    case repaint
    /// Ask the daemon at once, and not with the next interval.
    case refresh
    /// Ask what would come of the commands; the answer comes as `prepared`.
    case prepare([Command])
    /// Have the daemon do the commands, one after the other; the answers come as one event.
    case run(job: Int, [Command])
}
