// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A mean in which new values count more than old ones; at first it moves quickly from what was assumed.
struct Mean: Sendable, Equatable {
    private(set) var value: Double
    private var count = 0.0
    /// So many values made it what it is; 0 for what was only assumed.
    private(set) var answers = 0

    init(_ prior: Double) { value = prior }

    /// What it was made of was measured wrongly: new values count more than it.
    mutating func distrust() { count = min(count, 3) }

    /// About the last fifty count.
    mutating func add(_ new: Double) {
        answers += 1
        count = min(count + 1, 50)
        value += (new - value) / count
    }
}
