// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// What reaches a poller from any thread, at any rate, and is there when it looks.
final class PollerInbox: Sendable {
    /// Gathered, so that thousands of requests make one.
    private let hints = NIOLockedValueBox<Set<PollHint>>([])
    /// Nanoseconds; zero before the first.
    private let request = Atomic<UInt64>(0)
    private let poll = Atomic<UInt64>(0)

    /// - Returns: whether nobody is on the way yet to take it.
    func add(_ hint: PollHint) -> Bool {
        hints.withLockedValue { hints in
            defer { hints.insert(hint) }
            return hints.isEmpty
        }
    }

    func takeHints() -> Set<PollHint> {
        hints.withLockedValue { hints in
            defer { hints = [] }
            return hints
        }
    }

    /// Times may come in any order: the latest counts.
    func requestWasAnswered(at time: NIODeadline) { request.max(time.uptimeNanoseconds, ordering: .relaxed) }

    var requestAnsweredAt: NIODeadline { .uptimeNanoseconds(request.load(ordering: .relaxed)) }

    func pollWasAnswered(at time: NIODeadline) { poll.store(time.uptimeNanoseconds, ordering: .relaxed) }

    /// Nil before the first.
    var pollAnsweredAt: NIODeadline? {
        let time = poll.load(ordering: .relaxed)
        return time == 0 ? nil : .uptimeNanoseconds(time)
    }
}
