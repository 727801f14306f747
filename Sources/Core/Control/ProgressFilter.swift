// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers
import NIOCore
import Protocol

/// An endpoint tells of each megabyte; an operator needs ten words a second at most, and of what is new all.
final class ProgressFilter: Sendable {
    static let pause = TimeAmount.milliseconds(100)

    private let last = NIOLockedValueBox<(status: String, at: NIODeadline)?>(nil)

    func passes(_ progress: ModelProgress, now: NIODeadline) -> Bool {
        last.withLockedValue { last in
            let isWhole = progress.completed != nil && progress.completed == progress.total
            if let known = last, known.status == progress.status, !isWhole, now - known.at < Self.pause { return false }
            last = (progress.status, now)
            return true
        }
    }
}
