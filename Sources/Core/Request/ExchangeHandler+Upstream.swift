// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import Protocol

/// From the grant to the end of the endpoint's answer.
extension ExchangeHandler: UpstreamDelegate {
    /// Bodies up to this are copied behind their head, so that a request is one write.
    private static let copiedBody = 16 * 1024

    func granted(_ lease: Lease, to exchange: Exchange) {
        exchange.lease = lease
        located(lease.grant.placement, exchange)
    }

    /// It is known where the request goes.
    func located(_ placement: Placement, _ exchange: Exchange) {
        exchange.placement = placement
        exchange.grantedAt = .now()
        guard let endpoint = worker.settings.endpoints[placement.endpoint] else {
            // A reload took the endpoint away at this very moment.
            exchange.release(.unreachable, now: .now())
            exchange.failedEndpoints.append(placement.endpoint)
            return schedule(exchange)
        }
        carry(exchange, to: endpoint)
    }

    func carry(_ exchange: Exchange, to endpoint: Endpoint) {
        exchange.endpoint = endpoint
        if trimsFirst(exchange, endpoint) { return }
        if exchange.placement?.fit == .translated || exchange.mixture != nil {
            guard translate(exchange, for: endpoint) else { return }
        }
        if let connection = worker.pool.take(endpoint.id) {
            send(exchange, to: endpoint, over: connection)
        } else {
            connect(exchange, to: endpoint)
        }
    }

    private func connect(_ exchange: Exchange, to endpoint: Endpoint) {
        exchange.enter(.connecting, now: .now())
        let timeout = worker.settings.limits.connectTimeout
        UpstreamConnector.connect(to: endpoint, by: worker.shared.dialer, within: timeout, pool: worker.pool, on: worker.eventLoop).whenComplete {
            result in
            // The client may have left meanwhile: the connection is as good for the next request.
            guard self.exchange === exchange, exchange.phase == .connecting, !self.machine.isClosed || self.isDetached else {
                if case .success(let connection) = result { self.worker.pool.give(connection) }
                return
            }
            switch result {
            case .success(let connection): self.send(exchange, to: endpoint, over: connection)
            case .failure(let error): self.unreachable(exchange, endpoint, reason: IOErrorText.reason(error))
            }
        }
    }

    private func send(_ exchange: Exchange, to endpoint: Endpoint, over connection: UpstreamHandler) {
        guard let placement = exchange.placement else { return }
        let now = NIODeadline.now()
        exchange.sentAt = now
        exchange.firstByteAt = nil
        exchange.lastActivity = worker.coarseNow
        exchange.upstream = connection
        if let grant = exchange.lease?.grant, !grant.wasLoaded {
            exchange.enter(.loading, now: now)
            // Others may wait for the same load.
            if grant.why != .loading {
                exchange.load = worker.shared.fleet.loads.begin(grant.model, on: endpoint, for: .request(name(of: exchange)), now: now)
            }
        } else {
            exchange.enter(.processing, now: now)
        }

        let request = outgoing(exchange, placement)
        let body = request.body
        let isSmall = body.readableBytes <= Self.copiedBody
        var head = ByteBufferAllocator().buffer(capacity: 512 + (isSmall ? body.readableBytes : 0))
        ForwardedHeaders.writeRequest(
            exchange.head, method: request.method, path: request.path, endpoint: endpoint,
            framing: request.isChunked ? .chunked : .counted(body.readableBytes),
            dropsAuthorization: worker.settings.keys.isRequired, isRewritten: exchange.isTranslated, into: &head)
        if request.isChunked, body.readableBytes > 0 { ResponseSerializer.writeChunkSize(body.readableBytes, into: &head) }
        if isSmall { head.writeImmutableBuffer(body) }
        var tail: ByteBuffer?
        if request.isChunked {
            var end = ByteBuffer()
            if body.readableBytes > 0 { end.writeStaticString("\r\n") }
            ResponseSerializer.writeLastChunk(trailers: exchange.trailers, into: &end)
            tail = end
        }
        connection.send(method: request.method, head: head, body: isSmall ? nil : body, tail: tail, delegate: self)
        // The client may still be busy with the answer before this one.
        if !clientTakesMore { connection.pauseReading() }
    }

    private struct Outgoing {
        var method: HTTPMethod
        var path: Substring
        var body: ByteBuffer
        var isChunked: Bool
    }

    /// The request as the endpoint gets it: as it came, but for the name of the model and the question for token counts.
    private func outgoing(_ exchange: Exchange, _ placement: Placement) -> Outgoing {
        if let translated = exchange.existingDetour?.outgoing {
            return Outgoing(method: .POST, path: Substring(translated.path), body: translated.body, isChunked: false)
        }
        var request = Outgoing(
            method: exchange.head.method, path: exchange.target, body: exchange.body ?? ByteBuffer(), isChunked: exchange.isChunked)
        guard let facts = exchange.facts else { return request }
        var edits: [BodyEdit] = []
        if !placement.understandsAskedName || exchange.substitute != nil, !facts.modelRange.isEmpty {
            edits.append(BodyEdit(range: facts.modelRange, text: facts.isForm ? placement.model : JSONText.quoted(placement.model)))
        }
        exchange.usageFilter = nil
        if let edit = facts.usageEdit, !placement.kind.tellsUsageUnasked, case .forward(let operation) = exchange.route.action,
            operation.tellsUsageWhenAsked
        {
            edits.append(edit)
            exchange.usageFilter = UsageFilter()
        }
        if !edits.isEmpty { request.body = BodyEdit.apply(edits, to: request.body) }
        return request
    }

    // MARK: The answer

    func upstreamSentHead(_ head: ResponseHead) {
        guard let exchange else { return }
        let now = NIODeadline.now()
        exchange.firstByteAt = now
        exchange.lastActivity = worker.coarseNow
        exchange.enter(.streaming, now: now)
        exchange.tap = ResponseTap(response: head, lineLimit: worker.settings.limits.maxLineBytes)
        if let lease = exchange.lease {
            if let sent = exchange.sentAt, exchange.tap?.framing != nil { worker.metrics.firstToken(lease.grant.endpoint, after: now - sent) }
            // The model has just been loaded for us: what is in memory there has changed.
            if !lease.grant.wasLoaded {
                if head.status == 200 {
                    lease.began()
                    exchange.load?.ended(now: now)
                } else {
                    exchange.load?.failed("status \(head.status)")
                }
                exchange.load = nil
                worker.shared.fleet.pollSoon(lease.grant.endpoint)
            }
        }
        if holdsBack(exchange, head) { return }
        beginForwarded(exchange, head)
    }

    /// The answer's head goes to the client.
    func beginForwarded(_ exchange: Exchange, _ head: ResponseHead) {
        exchange.status = head.status
        if exchange.fill != nil, !exchange.isTranslated { beginRecording(exchange, head) }
        if exchange.isTranslated { return beginTranslated(exchange, head) }
        if head.status != 200 { exchange.usageFilter = nil }
        let version = exchange.head.version
        let hasBody = head.mayHaveBody && exchange.head.method != .HEAD
        framing = Self.framing(of: head, hasBody: hasBody, version: version)
        machine.beginAnswer()
        if framing == .none, hasBody { machine.endAfterThis() }
        ForwardedHeaders.writeResponse(
            head, version: version, framing: framing, closes: !machine.keepsAlive, into: &out
        ) { buffer in
            writeAnswerFields(exchange, beside: head, into: &buffer)
        }
        if !hasBody { framing = .none }
    }

    func upstreamSentChunk(_ framed: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        guard let exchange else { return }
        exchange.tap?.watch(payload)
        exchange.lastActivity = worker.coarseNow
        if exchange.isHeld { return hold(payload, exchange) }
        if exchange.isTranslated { return writeTranslated(exchange, payload) }
        exchange.bytesSent += payload.count
        if exchange.usageFilter != nil, case .replace(let bytes)? = exchange.usageFilter?.judge(payload) {
            exchange.fill?.flight.append(bytes)
            return writeBody(ByteBuffer(bytes: bytes))
        }
        exchange.fill?.flight.append(payload)
        writeChunk(framed, payload: payload)
    }

    func upstreamSentBody(_ bytes: ByteBuffer) {
        guard let exchange else { return }
        exchange.tap?.watch(bytes)
        exchange.lastActivity = worker.coarseNow
        if exchange.isHeld { return hold(bytes.readableBytesView, exchange) }
        if exchange.isTranslated { return bytes.withUnsafeReadableBytes { writeTranslated(exchange, $0) } }
        exchange.bytesSent += bytes.readableBytes
        if exchange.usageFilter != nil, framing == .chunked || framing == .none,
            case .replace(let kept)? = bytes.withUnsafeReadableBytes({ exchange.usageFilter?.judge($0) })
        {
            exchange.fill?.flight.append(kept)
            return writeBody(ByteBuffer(bytes: kept))
        }
        exchange.fill?.flight.append(bytes.readableBytesView)
        writeBody(bytes)
    }

    func upstreamReadCompleted() {
        flushOut()
    }

    func upstreamEnded(trailers: HTTPHeaders?) {
        guard let exchange else { return }
        exchange.upstream = nil
        exchange.tap?.finish()
        if exchange.isHeld, repairs(exchange) { return }
        if exchange.isTranslated { return endTranslated(exchange) }
        if let rest = exchange.usageFilter?.finish(), !rest.isEmpty {
            exchange.fill?.flight.append(rest)
            writeBody(ByteBuffer(bytes: rest))
        }
        if framing == .chunked { ResponseSerializer.writeLastChunk(trailers: trailers, into: &out) }
        var isWhole = exchange.tap?.isWhole ?? true
        if case .forward(let operation) = exchange.route.action, !operation.streamsTellTheirEnd { isWhole = true }
        if exchange.fill != nil { finishRecording(exchange, isWhole: isWhole) }
        finishExchange(isWhole && exchange.tap?.isServerError != true ? .completed : .failed)
    }

    func upstreamFailed(_ failure: UpstreamFailure) {
        guard let exchange, let endpoint = exchange.endpoint else { return }
        exchange.upstream = nil
        exchange.existingDetour?.held = nil
        let now = NIODeadline.now()
        if machine.answerHasBegun {
            cutAnswer(.answerCut(endpoint: endpoint.name, reason: failure.reason))
        } else if RetryRule.sendsAgain(failure) {
            // It was closed as idle while our request was on its way; on a new connection nobody will have noticed.
            connect(exchange, to: endpoint)
        } else {
            exchange.lastFailure = .connectionLost(endpoint: endpoint.name, reason: failure.reason)
            exchange.release(.failed, now: now)
            worker.shared.fleet.pollSoon(endpoint.id)
            exchange.failedEndpoints.append(endpoint.id)
            exchange.lostRequests += 1
            tryElsewhere(exchange)
        }
    }

    private func unreachable(_ exchange: Exchange, _ endpoint: Endpoint, reason: String) {
        exchange.lastFailure = .unreachable(endpoint: endpoint.name, reason: reason)
        exchange.release(.unreachable, now: .now())
        worker.shared.fleet.reportFailure(endpoint.id, reason)
        exchange.failedEndpoints.append(endpoint.id)
        tryElsewhere(exchange)
    }

    private func tryElsewhere(_ exchange: Exchange) {
        let lostAt = exchange.endpoint
        exchange.endpoint = nil
        exchange.sentAt = nil
        exchange.existingDetour?.translated = nil
        exchange.existingDetour?.outgoing = nil
        // Without a model there is no other endpoint that could be meant.
        if exchange.facts?.model.isEmpty ?? true, let failure = exchange.lastFailure { return answer(failure) }
        if RetryRule.triesElsewhere(lostRequests: exchange.lostRequests) {
            if let lostAt { worker.metrics.retried(lostAt.id) }
            schedule(exchange)
        } else if let failure = exchange.lastFailure {
            answer(failure)
        }
    }

    /// As the endpoint delimits it; where it does so by closing, or the client knows no chunks, as the client understands it.
    private static func framing(of head: ResponseHead, hasBody: Bool, version: HTTPVersion) -> ForwardedHeaders.Framing {
        if !head.isChunked, let length = head.contentLength { return .counted(length) }
        return hasBody && version.knowsChunks ? .chunked : .none
    }
}
