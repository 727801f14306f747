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

    // MARK: Held back, or passed on

    /// Why the head of an answer is to be kept from the client for now; nil if it is not.
    private func hold(_ answer: ResponseHead) -> ExchangeLifecycle.Hold? {
        switch route.action {
        case .forward(let operation):
            guard answer.contentLength ?? 0 <= HeldAnswer.limit || answer.status < 400 else { return gathers(answer) ? .gathering : nil }
            if answer.status >= 400 {
                let mayHelp = mayRepair(operation, status: answer.status) || (attempt?.lease != nil && worker.settings.retries.limit > 0)
                return mayHelp ? .untilWhole : gathers(answer) ? .gathering : nil
            }
            // Where nobody else could serve the request, nothing is gained by waiting.
            if gathers(answer) { return .gathering }
            let canMove = attempt?.alternatives ?? 0 > 0 && retries.allows(.broken, worker.settings.retries, isRepeatable: operation.isRepeatable)
            return canMove && expectsBody ? .untilFirstByte : nil
        // The whole of it is one word: done.
        case .manage(let operation): return !operation.tellsProgress && answer.status < 300 ? .untilWhole : nil
        default: return nil
        }
    }

    /// An endpoint that answers such a request with nothing has not answered it.
    private var expectsBody: Bool {
        if case .forward(let operation) = route.action { return operation.isRepeatable && head.method != .HEAD }
        return false
    }

    private func gathers(_ answer: ResponseHead) -> Bool { attempt?.path.gathers(answer) ?? false }

    /// What is not held back until it is whole is judged by its head.
    private func judgeByHead(_ answer: ResponseHead) {
        guard answer.status >= 400, let endpoint = attempt?.endpoint else { return }
        attempt?.verdict = AnswerJudge.judge(
            answer, body: UnsafeRawBufferPointer(start: nil, count: 0), expectsBody: false, usesOwnKey: endpoint.key != nil,
            now: WallClock.unixSeconds())
    }

    /// Bytes of the body have come.
    ///
    /// - Returns: whether they are for the client now.
    @inline(__always)
    private func arrived(_ payload: UnsafeRawBufferPointer) -> Bool {
        guard let attempt else { return false }
        attempt.tap?.watch(payload)
        lastActivity = worker.coarseNow
        switch life.receivedBody(isFault: AnswerJudge.isFault(payload)) {
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
                beginForwarded(held.head)
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
        if let lease = attempt.lease, !lease.grant.wasLoaded {
            // What is in memory there has changed.
            worker.shared.fleet.pollSoon(lease.grant.endpoint)
        }
    }

    private func noteToken(_ time: NIODeadline? = nil) {
        guard let attempt, attempt.tap?.framing != nil, attempt.tap?.sawToken ?? false else { return }
        let now = time ?? .now()
        attempt.firstTokenAt = now
        if let sent = attempt.sentAt, attempt.lease != nil { worker.metrics.firstToken(attempt.endpoint.id, after: now - sent) }
        enter(.streaming, now: now)
    }

    private func keep(_ payload: UnsafeRawBufferPointer) {
        attempt?.held?.body.append(contentsOf: payload)
        if attempt?.held?.body.count ?? 0 > HeldAnswer.limit { letGo() }
    }

    /// What is held back goes to the client after all.
    func letGo() {
        guard let held = attempt?.held, life.letGo(hasBody: !held.body.isEmpty, gathers: gathers(held.head)) else { return }
        attempt?.held = nil
        pass(held)
    }

    private func pass(_ held: HeldAnswer) {
        beginForwarded(held.head)
        guard !held.body.isEmpty else { return }
        held.body.withUnsafeBytes { payload in
            if case .bytes(let other) = take(payload) { write(other) } else { write(ByteBuffer(bytes: held.body)) }
        }
    }

    /// What was held back is whole.
    private func judge(_ trailers: HTTPHeaders?) {
        guard let held = attempt?.held, let endpoint = attempt?.endpoint else { return }
        if repairs(held) { return }
        let verdict = held.body.withUnsafeBytes {
            AnswerJudge.judge(held.head, body: $0, expectsBody: expectsBody, usesOwnKey: endpoint.key != nil, now: WallClock.unixSeconds())
        }
        attempt?.verdict = verdict
        if let cause = verdict.cause, let told = attempt {
            let words = verdict.words(held)
            noteTrouble(verdict, words)
            if tryElsewhere(cause, words, .answer(told), verdict) { return }
        }
        letGo()
        finish(trailers)
    }

    /// What the endpoint answered before is the answer.
    func passOnKept(_ kept: Attempt) {
        guard let held = kept.held, life.answerKept(gathers: kept.path.gathers(held.head)) else { return }
        attempt = kept
        attempt?.held = nil
        pass(held)
        finish(nil)
    }

    private func take(_ payload: UnsafeRawBufferPointer) -> AnswerPath.Passage {
        guard let attempt else { return .asItCame }
        if case .straight = attempt.path { return .asItCame }
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
    private func beginForwarded(_ answer: ResponseHead) {
        status = answer.status
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

    private func write(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        bytesSent += bytes.readableBytes
        recording?.append(bytes.readableBytesView)
        client?.output?.write(bytes)
    }

    /// The endpoint's answer has ended by its framing.
    private func finish(_ trailers: HTTPHeaders?) {
        let first = attempt?.firstItemAt
        switch attempt?.path.finish({ answerTime(.now(), firstItemAt: first) }) {
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
            answer(error)
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

extension Verdict {
    /// Where it means that the request may be tried elsewhere, what that is called.
    var cause: Retries.Cause? {
        switch self {
        case .answered, .refused: nil
        case .modelNotHere, .routeNotHere: .notHere
        case .busy: .busy
        case .broken: .broken
        }
    }

    /// For people: "503 busy".
    func words(_ held: HeldAnswer) -> String {
        let status = held.head.status
        switch self {
        case .answered, .refused: return "\(status)"
        case .modelNotHere: return "\(status) model not found"
        case .routeNotHere: return "\(status) route not spoken"
        case .busy: return "\(status) busy"
        case .broken:
            if status >= 400 { return "\(status)" }
            return held.body.isEmpty ? "an empty answer" : "an error with status \(status)"
        }
    }
}
