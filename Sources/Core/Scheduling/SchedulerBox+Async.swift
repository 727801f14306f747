// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers

/// A slot for requests of our own, which are made by tasks.
extension SchedulerBox {
    /// Waits for a slot. A task that is cancelled leaves the line, and gives back what it has got meanwhile.
    ///
    /// - Throws: `RefusalError`, `CancellationError`.
    func lease(_ ask: Ask) async throws -> Lease {
        let ticket = NIOLockedValueBox<TicketID?>(nil)
        let waiter = NIOLockedValueBox<CheckedContinuation<Lease, any Error>?>(nil)
        let lease = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Lease, any Error>) in
                waiter.withLockedValue { $0 = continuation }
                // Whoever takes the continuation resumes it: the decision, or the cancellation.
                let answer = submit(ask) { decision in
                    guard let taken = Self.take(waiter) else {
                        if case .success(let lease) = decision { lease.release(LeaseEnd(outcome: .aborted)) }
                        return
                    }
                    taken.resume(with: decision.mapError { $0 as any Error })
                }
                switch answer {
                case .granted(let lease): Self.take(waiter)?.resume(returning: lease)
                case .refused(let refusal): Self.take(waiter)?.resume(throwing: RefusalError(refusal: refusal))
                case .queued(let queued, position: _):
                    ticket.withLockedValue { $0 = queued }
                    if Task.isCancelled, withdraw(queued) { Self.take(waiter)?.resume(throwing: CancellationError()) }
                }
            }
        } onCancel: {
            if let queued = ticket.withLockedValue({ $0 }), withdraw(queued) { Self.take(waiter)?.resume(throwing: CancellationError()) }
        }
        if Task.isCancelled {
            lease.release(LeaseEnd(outcome: .aborted))
            throw CancellationError()
        }
        return lease
    }

    private static func take(_ waiter: NIOLockedValueBox<CheckedContinuation<Lease, any Error>?>) -> CheckedContinuation<Lease, any Error>? {
        waiter.withLockedValue { waiter in
            defer { waiter = nil }
            return waiter
        }
    }
}
