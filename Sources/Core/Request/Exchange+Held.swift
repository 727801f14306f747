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
            guard answer.contentLength ?? 0 <= HeldAnswer.limit || answer.status < 400 else { return ownHold(answer) }
            if answer.status >= 400 {
                let mayHelp =
                    mayRepair(operation, status: answer.status) || mayLearn(status: answer.status)
                    || (attempt?.lease != nil && worker.settings.retries.limit > 0)
                return mayHelp ? .untilWhole : ownHold(answer)
            }
            if let hold = ownHold(answer) { return hold }
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

    /// What the answer's path asks for.
    private func ownHold(_ answer: ResponseHead) -> ExchangeLifecycle.Hold? {
        switch attempt?.path.gathers(answer) {
        case true?: .gathering
        case false?: nil
        // Its first bytes will tell.
        case nil: attempt == nil ? nil : .untilFirstByte
        }
    }

    /// The first bytes of an answer whose head does not say what it is: a stream begins with them, and a text is gathered.
    func lookAtFirstBytes(_ payload: UnsafeRawBufferPointer) {
        guard life.stage == .held(.untilFirstByte), let attempt, let held = attempt.held, attempt.path.gathers(held.head) == nil,
            attempt.path.look(at: payload)
        else { return }
        if let framing = attempt.path.arrivalFraming {
            attempt.tap = ResponseTap(response: held.head, lineLimit: worker.settings.limits.maxLineBytes, framing: framing)
            return
        }
        letGo()
    }

    /// What is not held back until it is whole is judged by its head.
    func judgeByHead(_ answer: ResponseHead) {
        guard answer.status >= 400, let endpoint = attempt?.endpoint else { return }
        attempt?.verdict = AnswerJudge.judge(
            answer, body: UnsafeRawBufferPointer(start: nil, count: 0), expectsBody: false, usesOwnKey: endpoint.key != nil,
            now: WallClock.unixSeconds())
    }

    func keep(_ payload: UnsafeRawBufferPointer) {
        attempt?.held?.body.append(contentsOf: payload)
        if attempt?.held?.body.count ?? 0 > HeldAnswer.limit { letGo(knowsManner: true) }
    }

    /// What is held back goes to the client after all.
    ///
    /// - Parameter knowsManner: there is nothing more to wait for that would tell whether it is a stream; it is gathered if it may be none.
    func letGo(knowsManner: Bool = false) {
        guard let attempt, let held = attempt.held, let gathers = attempt.path.gathers(held.head) ?? (knowsManner ? true : nil),
            life.letGo(hasBody: !held.body.isEmpty, gathers: gathers)
        else { return }
        attempt.held = nil
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
        if learns(held) || repairs(held) { return }
        let verdict = held.body.withUnsafeBytes {
            AnswerJudge.judge(held.head, body: $0, expectsBody: expectsBody, usesOwnKey: endpoint.key != nil, now: WallClock.unixSeconds())
        }
        attempt?.verdict = verdict
        if let cause = verdict.cause, let told = attempt {
            let words = verdict.words(held)
            noteTrouble(verdict, words)
            if tryElsewhere(cause, words, .answer(told), verdict) { return }
        }
        letGo(knowsManner: true)
        finish(trailers)
    }

    /// What the endpoint answered before is the answer.
    func passOnKept(_ kept: Attempt) {
        guard let held = kept.held, life.answerKept(gathers: kept.path.gathers(held.head) ?? true) else { return }
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
