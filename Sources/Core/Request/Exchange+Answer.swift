// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import Protocol

/// The endpoint's answer, on its way to the client.
extension Exchange: UpstreamDelegate {
    // MARK: What comes

    func upstreamSentHead(_ head: ResponseHead) {
        attempt?.headAt = .now()
        attempt?.tap = ResponseTap(response: head, lineLimit: worker.settings.limits.maxLineBytes)
        lastActivity = worker.coarseNow
        let hold = hold(head)
        switch life.receivedHead(hold) {
        case .begin:
            judgeByHead(head)
            beginForwarded(head)
        case .hold where hold == .gathering:
            judgeByHead(head)
            beginForwarded(head)
        case .hold: attempt?.held = HeldAnswer(head: head)
        case .ignore: break
        }
    }

    func upstreamSentChunk(_ framed: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        guard arrived(payload) else { return }
        switch take(payload) {
        case .asItCame:
            bytesSent += payload.count
            recording?.append(payload)
            client?.output?.write(chunk: framed, payload: payload)
        case .bytes(let bytes): write(bytes)
        }
    }

    func upstreamSentBody(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { payload in
            guard arrived(payload) else { return }
            switch take(payload) {
            case .asItCame: write(bytes)
            case .bytes(let other): write(other)
            }
        }
    }

    func upstreamReadCompleted() { client?.output?.flush() }

    func upstreamEnded(trailers: HTTPHeaders?) {
        attempt?.connection = nil
        attempt?.tap?.finish()
        switch life.answerEnded() {
        case .finish: finish(trailers)
        case .judge: judge(trailers)
        case .ignore: break
        }
    }

    func upstreamFailed(_ failure: UpstreamFailure) {
        attempt?.connection = nil
        guard let endpoint = attempt?.endpoint else { return }
        switch life.lostEndpoint() {
        // It had said that it is complete; what the connection still lacked was no part of it.
        case .cut where attempt?.tap?.saidItsEnd ?? false: finish(nil)
        case .cut: cut(.answerCut(endpoint: endpoint.name, reason: failure.reason))
        case .ignore: break
        case .decide where failure.connectionWasReused && failure.nothingCameBack:
            // The endpoint closed the idle connection while our request was on its way, so that it cannot have begun to work on it (RFC 9112,
            // section 9.3.1); on a new connection nobody will have noticed.
            life.connectAgain()
            connect()
        case .decide:
            worker.shared.fleet.pollSoon(endpoint.id)
            tryElsewhere(.broken, failure.reason, .error(.connectionLost(endpoint: endpoint.name, reason: failure.reason)))
        }
    }

    // MARK: Passed on

    /// Bytes of the body have come.
    ///
    /// - Returns: whether they are for the client now.
    @inline(__always)
    private func arrived(_ payload: UnsafeRawBufferPointer) -> Bool {
        guard let attempt else { return false }
        if attempt.held != nil { lookAtFirstBytes(payload) }
        attempt.tap?.watch(payload)
        lastActivity = worker.coarseNow
        switch life.receivedBody(
            isFault: AnswerJudge.isFault(payload) || attempt.tap?.sawError ?? false, isReady: attempt.tap?.isWorthPassing ?? true)
        {
        case .pass:
            if attempt.bodyAt == nil { bodyBegan() } else if attempt.firstTokenAt == nil { noteToken() }
            return true
        case .passFirst:
            bodyBegan()
            return true
        case .beginAndPass:
            bodyBegan()
            if let held = attempt.held {
                attempt.held = nil
                pass(held)
            }
            return true
        case .keep:
            keep(payload)
            return false
        case .ignore: return false
        }
    }

    private func bodyBegan() {
        guard let attempt else { return }
        let now = NIODeadline.now()
        attempt.bodyBegan(now)
        if attempt.tap?.status ?? 500 < 500 { worker.noteAnswer(attempt.endpoint.id) }
        noteToken(now)
        // A stream that has begun and says nothing yet is still waited for.
        if attempt.tap?.framing == nil { enter(.streaming, now: now) }
        // What is in memory there has changed.
        if attempt.lease.map({ !$0.grant.wasLoaded }) ?? (facts?.isUnload ?? false) { worker.shared.fleet.pollSoon(attempt.endpoint.id) }
    }

    private func noteToken(_ time: NIODeadline? = nil) {
        guard let attempt, attempt.tap?.framing != nil, attempt.tap?.sawToken ?? false else { return }
        let now = time ?? .now()
        attempt.firstTokenAt = now
        if let sent = attempt.sentAt, attempt.lease != nil { worker.metrics.firstToken(attempt.endpoint.id, after: now - sent) }
        enter(.streaming, now: now)
    }

    func take(_ payload: UnsafeRawBufferPointer) -> AnswerPath.Passage {
        guard let attempt, !attempt.path.isStraight else { return .asItCame }
        var first = attempt.firstItemAt
        let passage = attempt.path.take(payload) { isItem in
            let now = NIODeadline.now()
            if isItem, first == nil { first = now }
            return answerTime(now, firstItemAt: first)
        }
        attempt.firstItemAt = first
        return passage
    }

    // MARK: To the client

    /// The answer's head goes to the client, unless the answer is gathered first.
    func beginForwarded(_ answer: ResponseHead) {
        status = answer.status
        if status < 400, existingSideWork?.lesson != nil { keepLesson() }
        if status >= 400 { attempt?.limitFields = answer.limitFields }
        let manner = attempt?.path.begin(answer) ?? .asItCame
        beginRecording(answer, manner)
        switch manner {
        case .asItCame:
            let hasBody = answer.mayHaveBody && head.method != .HEAD
            client?.beginAnswer(.forwarded(answer, hasBody: hasBody, version: head.version), of: self, hasBody: hasBody)
        case .stream(let contentType):
            client?.beginAnswer(.stream(contentType, version: head.version), of: self, hasBody: true)
        case .gathered: status = 0
        }
    }

    func write(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        bytesSent += bytes.readableBytes
        recording?.append(bytes.readableBytesView)
        client?.output?.write(bytes)
    }

    /// The endpoint's answer has ended by its framing.
    func finish(_ trailers: HTTPHeaders?) {
        let first = attempt?.firstItemAt
        let translated = attempt?.path.translated
        let ending = attempt?.path.finish { answerTime(.now(), firstItemAt: first) }
        if let word = translated?.thinkingWord { noteThinking(word) }
        switch ending {
        case .bytes(let rest, let said)?:
            write(rest)
            let isWhole = said ?? (streamsTellTheirEnd ? attempt?.tap?.isWhole ?? true : true)
            if isWhole { finishRecording() } else { stopRecording(.cut) }
            let outcome: ExchangeLifecycle.Outcome = isWhole && attempt?.tap?.isServerError != true ? .completed : .failed
            if existingSideWork?.change != nil, settles(then: { $0.close(trailers, outcome) }) { return }
            close(trailers, outcome)
        case .answer(let local)?:
            recording?.append(local.body.readableBytesView)
            finishRecording()
            answer(local)
        case .error(let error)?:
            // An answer that says something else than its status.
            if attempt?.verdict == nil, tryElsewhere(.broken, error.message, .error(error)) { return }
            answer(error, limitFields: attempt?.limitFields ?? [])
        case nil: end(.failed)
        }
    }

    private func close(_ trailers: HTTPHeaders?, _ outcome: ExchangeLifecycle.Outcome) {
        client?.output?.end(trailers: trailers)
        end(outcome)
    }

    private var streamsTellTheirEnd: Bool {
        if case .forward(let operation) = route.action { return operation.streamsTellTheirEnd }
        return false
    }

    private func answerTime(_ now: NIODeadline, firstItemAt: NIODeadline?) -> AnswerTime {
        AnswerTime(
            total: Int((now - started).nanoseconds), sinceFirstItem: firstItemAt.map { Int((now - $0).nanoseconds) }, now: WallClock.rfc3339())
    }
}
