// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Synchronization

/// A slot on an endpoint, held by one request. It goes back exactly once: by `release`, or, should every way out have
/// forgotten it, when the last reference goes (which is counted as `lost`, so that the fault is seen).
final class Lease: Sendable {
    let grant: Grant
    private let box: SchedulerBox
    private let isReleased = Atomic<Bool>(false)

    init(_ grant: Grant, box: SchedulerBox) {
        self.grant = grant
        self.box = box
    }

    /// The answer has begun, with the status 200. To be told for each answer: the scheduler is asked only where it
    /// wants to know.
    func began() {
        if !grant.wasLoaded || grant.isProbe { box.began(grant.lease) }
    }

    /// Later calls change nothing.
    func release(_ end: LeaseEnd) {
        guard !isReleased.exchange(true, ordering: .relaxed) else { return }
        box.release(grant.lease, end)
    }

    deinit {
        if !isReleased.load(ordering: .relaxed) { box.release(grant.lease, LeaseEnd(outcome: .lost)) }
    }
}
