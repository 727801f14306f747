// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// Answers that are kept from the client until it is clear whether it gets them: why, for how long, and what they mean.
extension Exchange {
    /// Why the head of an answer is to be kept from the client for now; nil if it is not.
    func hold(_ answer: ResponseHead) -> ExchangeLifecycle.Hold? {
        switch route.action {
        case .forward(let operation):
            guard answer.contentLength ?? 0 <= HeldAnswer.limit || answer.status < 400 else { return gathers(answer) ? .gathering : nil }
            if answer.status >= 400 {
                let mayHelp = mayRepair(operation, status: answer.status) || (attempt?.lease != nil && worker.settings.retries.limit > 0)
                return mayHelp ? .untilWhole : gathers(answer) ? .gathering : nil
            }
            if gathers(answer) { return .gathering }
            // Where nobody else could serve the request, and nobody has said more, nothing is gained by waiting.
            let canMove =
                attempt?.alternatives ?? 0 > 0 && retries.allows(.broken, worker.settings.retries, isRepeatable: operation.isRepeatable)
            return (canMove || retries.best != nil) && expectsBody ? .untilFirstByte : nil
        // The whole of it is one word: done.
        case .manage(let operation): return !operation.tellsProgress && answer.status < 300 ? .untilWhole : nil
        default: return nil
        }
    }

    /// An endpoint that answers such a request with nothing has not answered it.
    var expectsBody: Bool {
        if case .forward(let operation) = route.action { return operation.isRepeatable && head.method != .HEAD }
        return false
    }

    func gathers(_ answer: ResponseHead) -> Bool { attempt?.path.gathers(answer) ?? false }

    /// What is not held back until it is whole is judged by its head.
    func judgeByHead(_ answer: ResponseHead) {
        guard answer.status >= 400, let endpoint = attempt?.endpoint else { return }
        attempt?.verdict = AnswerJudge.judge(
            answer, body: UnsafeRawBufferPointer(start: nil, count: 0), expectsBody: false, usesOwnKey: endpoint.key != nil,
            now: WallClock.unixSeconds())
    }

    func keep(_ payload: UnsafeRawBufferPointer) {
        attempt?.held?.body.append(contentsOf: payload)
        if attempt?.held?.body.count ?? 0 > HeldAnswer.limit { letGo() }
    }

    /// What is held back goes to the client after all.
    func letGo() {
        guard let held = attempt?.held, life.letGo(hasBody: !held.body.isEmpty, gathers: gathers(held.head)) else { return }
        attempt?.held = nil
        pass(held)
    }

    func pass(_ held: HeldAnswer) {
        beginForwarded(held.head)
        guard !held.body.isEmpty else { return }
        held.body.withUnsafeBytes { payload in
            if case .bytes(let other) = take(payload) { write(other) } else { write(ByteBuffer(bytes: held.body)) }
        }
    }

    /// What was held back is whole.
    func judge(_ trailers: HTTPHeaders?) {
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
