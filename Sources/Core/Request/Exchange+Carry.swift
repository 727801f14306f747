// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1
import Protocol

/// From the slot to the endpoint: the request is made ready, connected, and sent.
extension Exchange {
    func granted(_ lease: Lease, _ now: NIODeadline) {
        switch life.granted() {
        // The client left between the decision and now.
        case .giveBack: lease.release(LeaseEnd(outcome: .aborted))
        case .carry: place(lease.grant.placement, lease, now)
        }
    }

    /// It is known where the request goes, and it takes no slot there.
    func located(_ placement: Placement, _ now: NIODeadline) {
        life.located()
        place(placement, nil, now)
    }

    private func place(_ placement: Placement, _ lease: Lease?, _ now: NIODeadline) {
        ticket = nil
        if grantedAt == nil { grantedAt = now }
        guard let endpoint = worker.settings.sharedEndpoints[placement.endpoint] else {
            // A reload took the endpoint away at this very moment.
            lease?.release(LeaseEnd(outcome: .unreachable))
            retries.exclude(placement.endpoint)
            _ = life.leaveEndpoint()
            return schedule()
        }
        attempt = Attempt(endpoint: endpoint, placement: placement, lease: lease, tellsTokens: route.action != .forward(.ollamaEmbeddings))
        carry(now)
    }

    /// To the endpoint of the attempt, over a connection that is there or a new one.
    func carry(_ now: NIODeadline) {
        guard let attempt else { return }
        if trimsFirst(attempt) { return }
        if attempt.placement.fit == .translated || existingSideWork?.mixture != nil || mustTranslate(attempt) {
            guard translate(attempt) else { return }
        }
        if let connection = worker.pool.take(attempt.endpoint.id) { send(over: connection, now) } else { connect() }
    }

    func connect() {
        guard let endpoint = attempt?.endpoint else { return }
        enter(.connecting, now: .now())
        let timeout = worker.settings.limits.connectTimeout
        UpstreamConnector.connect(to: endpoint, by: worker.shared.dialer, within: timeout, pool: worker.pool, on: worker.eventLoop).whenComplete {
            result in
            // Meanwhile the client may have left, or the request gone elsewhere: the connection is as good for the next request.
            guard self.life.stage == .connecting, self.attempt?.endpoint.id == endpoint.id else {
                if case .success(let connection) = result { self.worker.pool.give(connection) }
                return
            }
            switch result {
            case .success(let connection): self.send(over: connection, .now())
            case .failure(let error): self.unreachable(error)
            }
        }
    }

    private func send(over connection: UpstreamHandler, _ now: NIODeadline) {
        guard let attempt, life.connected() == .send else { return worker.pool.give(connection) }
        attempt.sentAt = now
        attempt.connection = connection
        lastActivity = worker.coarseNow
        if let lease = attempt.lease, !lease.grant.wasLoaded {
            enter(.loading, now: now)
            // Others may wait for the same load.
            if lease.grant.why != .loading, attempt.load == nil {
                let asker = Asker(peer: clientAddress, userAgent: head.headers.first(name: "user-agent"))
                attempt.load = worker.shared.fleet.loads.begin(
                    lease.grant.listedModel, on: attempt.endpoint, for: .request(name, by: asker), lease.grant.loadCause, loadOptions, now: now)
            }
        } else {
            enter(.processing, now: now)
        }
        let request = OutgoingRequest(self, attempt, dropsAuthorization: worker.settings.keys.isRequired)
        connection.send(method: request.method, head: request.head, body: request.body, tail: request.tail, delegate: self)
        // The client may still be busy with the answer before this one.
        if let client, !client.takesMore { connection.pauseReading() }
    }

    // MARK: In other words

    /// Rewrites the request for an endpoint that speaks another dialect.
    ///
    /// - Returns: false if it has been answered instead: with an error, or with what the router knows itself.
    private func translate(_ attempt: Attempt) -> Bool {
        guard case .forward(let operation) = route.action, let body else { return false }
        let placement = attempt.placement
        let words = words(of: attempt)
        let call: TranslatedCall
        do throws(TranslationError) {
            var translation = RequestTranslation(model: placement.model, words: words, id: worker.name(id), unixSeconds: WallClock.unixSeconds())
            if let mixture = existingSideWork?.mixture {
                translation.spent = mixture.outcome.spent
                call = try mixture.request.final(mixture.outcome.choice, translation)
            } else if operation == .ollamaShow {
                answer(worker.shared.pages.show(placement, on: attempt.endpoint))
                return false
            } else {
                let json: JSONValue
                do throws(JSONError) {
                    json = try body.withUnsafeReadableBytes { bytes throws(JSONError) in try JSONValue(parsing: bytes) }
                } catch {
                    throw .malformed("", "invalid JSON in the request's body: \(error)")
                }
                call = try translation.make(operation, json)
            }
        } catch {
            answer(.untranslatable(TranslationFault(error)))
            return false
        }
        switch call {
        case .immediate(let value):
            answer(.json(ByteBuffer(string: value.text)))
            return false
        case .request(let request):
            attempt.rewritten = (request.path, ByteBuffer(bytes: request.body.bytes))
            (attempt.words, attempt.said, attempt.leftOut) = (words, request.said, request.dropped)
            attempt.path = .translated(
                TranslatedAnswer(request.answer, lineLimit: worker.settings.limits.maxLineBytes, key: attempt.endpoint.key))
            return true
        }
    }
}
