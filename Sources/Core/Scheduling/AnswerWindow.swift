// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Which of the last answers failed: one bit each, the newest lowest.
struct AnswerWindow: Sendable, Equatable {
    /// So many are remembered.
    static let length = 16

    private var failed: UInt16 = 0
    private(set) var count = 0

    var failures: Int { failed.nonzeroBitCount }
    var failuresInARow: Int { (~failed).trailingZeroBitCount }

    mutating func record(failed isFailure: Bool) {
        failed = failed << 1 | (isFailure ? 1 : 0)
        count = min(count + 1, Self.length)
    }
}
