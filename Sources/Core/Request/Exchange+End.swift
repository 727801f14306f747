// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import Protocol

/// Answers of the router's own, and the one way out.
extension Exchange {
    // MARK: Answers of our own

    /// - Parameters:
    ///   - limitFields: what the endpoint said of its limits, where the error is its own.
    ///   - expectedWait: of a request that comes again, seconds; nil where that is not known.
    func answer(_ error: RouterError, limitFields: [(name: String, value: String)] = [], expectedWait: Double? = nil) {
        if case .stopping = error { client?.machine.endAfterThis() }
        var local = LocalAnswer.error(error, route.dialect, expectedWait: expectedWait)
        for field in limitFields { local.extra.append((field.name, field.value)) }
        answer(local, as: error.outcome, error)
    }

    func answer(_ local: LocalAnswer) { answer(local, as: .completed, nil) }

    private func answer(_ local: LocalAnswer, as outcome: ExchangeLifecycle.Outcome, _ error: RouterError?) {
        guard !life.isOver else { return }
        // Whatever went wrong: a client that has part of an answer learns that no more comes.
        guard !life.answerHasBegun else { return cut(error ?? .internalFault("an answer was made twice")) }
        status = Int(local.status.code)
        if let client {
            let isHead = head.method == .HEAD
            client.beginAnswer(local.head, of: self, hasBody: !isHead)
            if !isHead {
                client.output?.write(local.body)
                bytesSent += local.body.readableBytes
            }
        }
        end(outcome, error)
    }

    /// A part of the answer has gone to the client: a stream ends with an error in its dialect, anything else by closing, so that no client
    /// takes half an answer for a whole one.
    func cut(_ error: RouterError) {
        let outcome = error.cutOutcome
        attempt?.tap?.finish()
        guard let output = client?.output, !life.isOver else { return end(outcome, error) }
        let followed = existingSideWork?.followed
        // A body that ends with the connection can have a last item, too; one whose length was told cannot.
        guard output.framing.isOpen(to: head.version), let framing = attempt?.path.ownFraming ?? attempt?.tap?.framing ?? followed?.framing else {
            return end(outcome, error, breaksOff: true)
        }
        if let bytes = attempt?.path.fail(error) {
            client?.output?.write(ByteBuffer(bytes: bytes))
        } else {
            let isMidLine = attempt?.tap?.isMidLine ?? followed?.isMidLine ?? false
            let text = ErrorBody.streamEnd(error, framing: framing, dialect: route.dialect, midLine: isMidLine)
            client?.output?.write(ByteBuffer(string: text))
        }
        client?.output?.end(trailers: nil)
        end(outcome, error)
    }

    // MARK: Streams of our own

    func beginStream(_ contentType: String) {
        guard life.beginOwnAnswer() else { return }
        status = 200
        enter(.streaming, now: .now())
        lastActivity = worker.coarseNow
        client?.beginAnswer(.stream(contentType, version: head.version), of: self, hasBody: true)
        client?.output?.flush()
    }

    /// - Returns: done when the client can take more.
    func writeStream(_ bytes: ByteBuffer) -> EventLoopFuture<Void> {
        guard let client else { return worker.eventLoop.makeFailedFuture(AnswerWriter.ClientLeft()) }
        lastActivity = worker.coarseNow
        bytesSent += bytes.readableBytes
        client.output?.write(bytes)
        client.output?.flush()
        if client.takesMore { return worker.eventLoop.makeSucceededVoidFuture() }
        let promise = sideWork.writable ?? worker.eventLoop.makePromise(of: Void.self)
        sideWork.writable = promise
        return promise.futureResult
    }

    func endStream(failed: Bool) {
        client?.output?.end(trailers: nil)
        end(failed ? .failed : .completed)
    }

    // MARK: The client

    /// A client that has gone takes everything.
    var clientTakesMore: Bool { client?.takesMore ?? true }

    func clientTakes(more: Bool) {
        guard more else { return attempt?.connection?.pauseReading() ?? () }
        if let waiting = existingSideWork?.writable {
            existingSideWork?.writable = nil
            waiting.succeed(())
        }
        // The silence until now was the client's doing.
        lastActivity = worker.coarseNow
        attempt?.connection?.resumeReading()
    }

    func clientLeft() {
        switch life.clientLeft(isFollowed: isFollowed()) {
        case .nothing: break
        case .end: end(.aborted)
        case .detach:
            client = nil
            worker.detached(self)
            attempt?.connection?.resumeReading()
        }
    }

    /// The connection has answered in the exchange's place: what came was no request.
    func refused(status: Int) {
        client = nil
        self.status = status
        end(.rejected)
    }

    // MARK: The end

    /// The only way out: gives back what is held, writes the books, and lets the connection go on.
    ///
    /// The slot goes back before the last bytes leave, so that a client that has seen the end finds it free.
    ///
    /// - Parameters:
    ///   - error: what it ended by, where the router knows.
    ///   - breaksOff: the client is not told by the answer, but by the end of its connection.
    func end(_ outcome: ExchangeLifecycle.Outcome, _ error: RouterError? = nil, breaksOff: Bool = false) {
        let wasDetached = life.isDetached
        let hadBegun = life.answerHasBegun
        guard let leaving = life.end(outcome) else { return }
        switch leaving.work {
        case .nothing: break
        case .ticket: if let ticket { worker.shared.scheduler.withdraw(ticket) }
        case .task: existingSideWork?.end()
        case .connection:
            attempt?.connection?.cancel()
            attempt?.connection = nil
        }
        ticket = nil
        existingSideWork?.end()
        let now = NIODeadline.now()
        releaseSlot(outcome, error, now)
        // However it ended, without being complete: whoever follows shall know.
        stopRecording(hadBegun ? .cut : nil)
        worker.count(wasDetached ? .aborted : outcome)
        ExchangeBooks.close(self, error, now, clientLeft: wasDetached || (outcome == .aborted && error == nil))
        if wasDetached { worker.forget(self) }
        let client = client
        self.client = nil
        if outcome == .aborted, error == nil { return }
        if breaksOff { client?.breakOff() } else { client?.exchangeEnded() }
    }

    private func releaseSlot(_ outcome: ExchangeLifecycle.Outcome, _ error: RouterError?, _ now: NIODeadline) {
        var retryAfter: TimeAmount?
        if case .busy(let time)? = attempt?.verdict { retryAfter = time }
        let leaseOutcome: LeaseEnd.Outcome =
            if let verdict = attempt?.verdict, verdict != .answered, outcome != .aborted {
                verdict.leaseOutcome
            } else {
                switch outcome {
                case .completed: .completed
                // Our own stopping is nobody's fault.
                case .failed: error == .stopping ? .aborted : .failed
                case .aborted, .rejected: .aborted
                }
            }
        attempt?.release(leaseOutcome, error?.reason ?? (leaseOutcome == .failed ? "cut" : ""), retryAfter: retryAfter, now: now)
    }
}

extension ForwardedHeaders.Framing {
    /// Whether anything can follow what has been written of a body.
    fileprivate func isOpen(to version: HTTPVersion) -> Bool {
        switch self {
        case .chunked: true
        case .none: !version.knowsChunks
        case .counted: false
        }
    }
}

extension RouterError {
    /// Whose doing it was, for the counters.
    fileprivate var outcome: ExchangeLifecycle.Outcome {
        switch self {
        case .unreachable, .connectionLost, .firstByteTimeout, .answerCut, .silence, .tookTooLong: .failed
        case .endpointRefused(let status, _): status >= 500 ? .failed : .completed
        case .cancelled: .aborted
        default: .rejected
        }
    }

    fileprivate var cutOutcome: ExchangeLifecycle.Outcome { self == .cancelled ? .aborted : .failed }

    /// In a few words, for the endpoint's books.
    fileprivate var reason: String {
        switch self {
        case .answerCut(_, let reason), .connectionLost(_, let reason), .unreachable(_, let reason): reason
        case .firstByteTimeout(_, let seconds): "no first token in \(Int(seconds)) s"
        case .silence(_, let seconds): "silent for \(Int(seconds)) s"
        default: label
        }
    }
}
