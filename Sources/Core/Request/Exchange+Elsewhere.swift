// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What there is to do when an endpoint fails, is busy, or takes too long: another one, the line, or the most telling answer that came.
extension Exchange {
    // MARK: An endpoint fails

    func unreachable(_ error: any Error) {
        guard let endpoint = attempt?.endpoint else { return }
        switch IOFault(error) {
        case .endpoint(let reason):
            worker.shared.fleet.reportFailure(endpoint.id, reason)
            tryElsewhere(.unreachable, reason, .error(.unreachable(endpoint: endpoint.name, reason: reason)))
        // What this host lacks would meet any other endpoint, too, and is not held against this one.
        case .ours(let reason): answer(.internalFault("no connection to endpoint \(endpoint.name): \(reason)"))
        }
    }

    /// Gives the slot back and asks for another, if that may help; else the client gets the most telling answer so far.
    ///
    /// - Parameters:
    ///   - words: what happened, for people.
    ///   - told: what the client gets if nothing better comes.
    ///   - verdict: on an answer that is still held back.
    /// - Returns: false if the answer that is held back is the one to give.
    @discardableResult
    func tryElsewhere(_ cause: Retries.Cause, _ words: String, _ told: Retries.Told, _ verdict: Verdict? = nil) -> Bool {
        guard let failed = attempt else { return true }
        // Without a model there is no other endpoint that could be meant.
        let mayMove =
            retries.allows(cause, worker.settings.retries, isRepeatable: isRepeatable) && !(facts?.model.isEmpty ?? true)
            && (failed.lease != nil || !takesSlot)
        retries.note(cause, at: failed.endpoint, words, told)
        guard mayMove else {
            // What is held back is the most telling answer, if it is the only one.
            if verdict != nil, retries.count == 1 { return false }
            leaveAttempt(cause, words, verdict)
            answerMostTelling()
            return true
        }
        leaveAttempt(cause, words, verdict)
        worker.metrics.retried(failed.endpoint.id)
        schedule()
        return true
    }

    private func leaveAttempt(_ cause: Retries.Cause, _ words: String, _ verdict: Verdict?) {
        _ = life.leaveEndpoint()
        guard let left = attempt else { return }
        attempt = nil
        left.connection?.cancel()
        var retryAfter: TimeAmount?
        if case .busy(let time)? = verdict { retryAfter = time }
        left.release(cause.leaseOutcome, words, retryAfter: retryAfter, now: .now())
    }

    func answerMostTelling() {
        switch retries.best?.told {
        // After others have failed, nothing at all is no answer to pass on.
        case .answer(let kept)? where retries.count > 1 && kept.held?.body.isEmpty ?? false && kept.held?.head.status ?? 500 < 400:
            answer(.connectionLost(endpoint: kept.endpoint.name, reason: "an empty answer"))
        case .answer(let kept)?: passOnKept(kept)
        case .error(let error)?: answer(error)
        case nil: answer(.internalFault("an endpoint was left without a reason"))
        }
    }

    /// What an answer says of its endpoint is for the fleet, too.
    func noteTrouble(_ verdict: Verdict, _ words: String) {
        guard let attempt else { return }
        switch verdict {
        case .answered, .refused, .routeNotHere: break
        case .modelNotHere: worker.shared.fleet.noteMissing(model: attempt.placement.listedModel, on: attempt.endpoint.id)
        case .busy, .broken: worker.shared.fleet.pollSoon(attempt.endpoint.id)
        }
    }

    private var takesSlot: Bool {
        if case .forward(let operation) = route.action { return operation.takesSlot && facts?.isUnload != true }
        return false
    }

    /// Nothing is done twice if an endpoint had begun with it.
    private var isRepeatable: Bool {
        if case .forward(let operation) = route.action { return operation.isRepeatable }
        return false
    }

    // MARK: An endpoint takes too long

    func sweep(now: NIODeadline) {
        switch ExchangeDeadlines.due(self, worker.settings, now: now) {
        case nil: break
        case .fail(let error): fail(error)
        case .refuse(let error):
            client?.machine.endAfterThis()
            answer(error)
        // It is the client that does not read. Closing cancels everything.
        case .closeClient: client?.context?.close(promise: nil)
        case .letGo:
            letGo()
            client?.output?.flush()
        case .compare: compareOthers(now: now)
        case .leave(let error):
            if let sent = attempt?.sentAt { tryElsewhere(.broken, Self.noToken(since: sent, now), .error(error)) } else { fail(error) }
        }
        if let attempt, life.stage?.isWithoutByte ?? false, attempt.alternatives > 0, let reason = worker.downEndpoints[attempt.endpoint.id] {
            tryElsewhere(.broken, "down: \(reason)", .error(.connectionLost(endpoint: attempt.endpoint.name, reason: reason)))
        }
    }

    /// A first token is overdue: another endpoint may have it, if it can begin at once.
    private func compareOthers(now: NIODeadline) {
        guard case .forward(let operation) = route.action, let slow = attempt, let sent = slow.sentAt, var ask = ask(operation) else { return }
        attempt?.comparedAt = now
        ask.excluding.append(slow.endpoint.id)
        // Whoever waits in line keeps what it has.
        switch worker.shared.scheduler.submit(ask, onDecision: { if case .success(let lease) = $0 { lease.release(LeaseEnd(outcome: .aborted)) } }) {
        case .refused: break
        case .queued(let ticket, position: _): worker.shared.scheduler.withdraw(ticket)
        case .granted(let lease):
            let words = Self.noToken(since: sent, now)
            retries.note(.overdue, at: slow.endpoint, words, .error(.firstByteTimeout(endpoint: slow.endpoint.name, seconds: (now - sent).seconds)))
            leaveAttempt(.overdue, words, nil)
            worker.metrics.retried(slow.endpoint.id)
            granted(lease, now)
        }
    }

    private static func noToken(since sent: NIODeadline, _ now: NIODeadline) -> String { "no first token in \(Int((now - sent).seconds)) s" }

    // MARK: Somebody ends it

    /// An operator ends the request, however far it is: its client is told, its slot is free.
    func cancel() {
        // Neither the endpoint's fault nor the client's.
        attempt?.release(.aborted, now: .now())
        if life.state == .receiving { client?.machine.endAfterThis() }
        fail(.cancelled)
    }

    /// It cannot go on: an error, or the end of what has begun.
    func fail(_ error: RouterError) {
        if life.answerHasBegun { cut(error) } else { answer(error) }
    }
}

extension Retries.Cause {
    var leaseOutcome: LeaseEnd.Outcome {
        switch self {
        case .unreachable: .unreachable
        case .busy: .busy
        case .notHere: .notHere
        case .broken, .overdue: .failed
        }
    }
}

extension ExchangeLifecycle.Stage {
    /// An endpoint has the request, and nothing of an answer's body has come back.
    var isWithoutByte: Bool {
        switch self {
        case .connecting, .sent, .held(.untilFirstByte): true
        case .inLine, .held, .open, .streaming, .settling: false
        }
    }
}

extension Operation {
    /// Asking a second endpoint, after the first may have begun, does nothing twice but work. What is not in the table may do anything.
    var isRepeatable: Bool {
        switch self {
        case .otherOllama, .otherOpenAI, .other, .llamaServer: false
        default: true
        }
    }
}
