// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Counters of one worker, summed over all when somebody asks.
struct WorkerCounters: Sendable {
    /// Not ended yet.
    var open = 0
    private(set) var completed = 0
    private(set) var failed = 0
    private(set) var aborted = 0
    private(set) var rejected = 0

    /// That have come.
    var total: Int { open + completed + failed + aborted + rejected }

    mutating func add(_ outcome: ExchangeLifecycle.Outcome) {
        switch outcome {
        case .completed: completed += 1
        case .failed: failed += 1
        case .aborted: aborted += 1
        case .rejected: rejected += 1
        }
    }

    static func + (left: WorkerCounters, right: WorkerCounters) -> WorkerCounters {
        var sum = left
        sum.open += right.open
        sum.completed += right.completed
        sum.failed += right.failed
        sum.aborted += right.aborted
        sum.rejected += right.rejected
        return sum
    }
}
