// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Protocol

/// What takes too long. Looked at by the worker's sweeper a few times a second: no request has a timer of its own.
extension ExchangeHandler {
    func sweep(now: NIODeadline) {
        guard context != nil || isDetached else { return }
        let limits = worker.settings.limits
        if let closesBy {
            if now > closesBy { context?.close(promise: nil) }
            return
        }
        guard let exchange else {
            sweepResting(now, limits)
            return
        }
        if limits.requestTimeout > .zero, now - exchange.started > limits.requestTimeout {
            return fail(exchange, .tookTooLong(seconds: limits.requestTimeout.seconds))
        }
        // A task that makes the answer knows itself what it waits for.
        if exchange.upload != nil, now - exchange.lastActivity > limits.bodyTimeout {
            machine.endAfterThis()
            return answer(.bodyTooSlow)
        }
        if exchange.hasJob {
            // A client that takes nothing more is the one thing that it cannot know.
            if !clientTakesMore, now - exchange.lastActivity > limits.idleTimeout { context?.close(promise: nil) }
            return
        }
        if exchange.isPatient {
            let patience = max(limits.idleTimeout, ModelManager.silence)
            if now - exchange.lastActivity > patience { fail(exchange, .silence(endpoint: exchange.endpoint?.name ?? "", seconds: patience.seconds)) }
            return
        }
        switch exchange.phase {
        case .receiving:
            if machine.request == .receiving, now - exchange.started > limits.bodyTimeout {
                machine.endAfterThis()
                answer(.bodyTooSlow)
            }
        case .waiting, .connecting:
            // The scheduler and the connector keep these deadlines.
            break
        case .loading, .processing:
            if let sent = exchange.sentAt, now - sent > limits.firstByteTimeout {
                fail(exchange, .firstByteTimeout(endpoint: exchange.endpoint?.name ?? "", seconds: limits.firstByteTimeout.seconds))
            }
        case .streaming:
            guard now - exchange.lastActivity > limits.idleTimeout else { return }
            if clientTakesMore {
                fail(exchange, .silence(endpoint: exchange.endpoint?.name ?? "", seconds: limits.idleTimeout.seconds))
            } else {
                // It is the client that does not read. Closing cancels everything.
                context?.close(promise: nil)
            }
        }
    }

    private func sweepResting(_ now: NIODeadline, _ limits: Config.Limits) {
        // Reading and forgetting the body of a request that was answered early.
        if machine.request == .receiving {
            if now - restingSince > limits.bodyTimeout { context?.close(promise: nil) }
        } else if !hasCarriedRequest {
            if now - restingSince > limits.headerTimeout { refuseConnection(.headersTooSlow) }
        } else if now - restingSince > limits.keepaliveTimeout {
            context?.close(promise: nil)
        }
    }

    /// An operator ends the request, however far it is: its client is told, its slot is free.
    func cancel() {
        guard let exchange else { return }
        // Neither the endpoint's fault nor the client's.
        exchange.release(.aborted, now: .now())
        if machine.request == .receiving { machine.endAfterThis() }
        fail(exchange, .cancelled)
    }

    private func fail(_ exchange: Exchange, _ error: RouterError) {
        exchange.upstream?.cancel()
        exchange.upstream = nil
        if let ticket = exchange.ticket {
            worker.shared.scheduler.withdraw(ticket)
            exchange.ticket = nil
        }
        if machine.answerHasBegun {
            cutAnswer(error)
        } else {
            exchange.release(.failed, now: .now())
            answer(error)
        }
    }
}
