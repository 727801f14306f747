// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore

/// Requests that an endpoint refuses for a word that the router has put into them. They are sent again without it, and what helped is
/// remembered.
extension Exchange {
    /// In which words the request is to be said there.
    func words(of attempt: Attempt) -> EndpointWords {
        let (endpoint, model) = (attempt.endpoint.id, attempt.placement.listedModel)
        var learned = worker.shared.words.known(endpoint, model)
        if let trial = existingSideWork?.lesson, trial.endpoint == endpoint { learned = (learned ?? WordSettings()).adding(trial.settings) }
        return EndpointWords(attempt.placement.kind, learned: learned, configured: attempt.endpoint.words)
    }

    /// Whether the endpoint was taken to speak the request's dialect, and has been found not to.
    func mustTranslate(_ attempt: Attempt) -> Bool {
        guard case .forward(let operation) = route.action, operation.isAgentDialect else { return false }
        return words(of: attempt).mustTranslate(operation)
    }

    /// Whether a refusal with this status may be about such a word, so that its body is needed.
    func mayLearn(status: Int) -> Bool {
        guard let attempt else { return false }
        if isNativeTry(attempt) { return WordLesson.mayLackRoute(status: status) }
        guard attempt.words != nil, !attempt.said.isEmpty || attempt.rewritten != nil else { return false }
        return WordLesson.mayTeach(status: status)
    }

    /// The refusal is whole.
    ///
    /// - Returns: whether the request is on its way again, in other words.
    func learns(_ held: HeldAnswer) -> Bool {
        guard let attempt, body != nil, mayLearn(status: held.head.status) else { return false }
        var trial = existingSideWork?.lesson ?? WordLesson.Trial(endpoint: attempt.endpoint.id)
        if trial.endpoint != attempt.endpoint.id { trial = WordLesson.Trial(endpoint: attempt.endpoint.id) }
        guard trial.count < WordLesson.Trial.limit, let lesson = lesson(held, attempt), life.work() else { return false }
        trial.add(lesson)
        sideWork.lesson = trial
        attempt.startOver()
        goOn()
        return true
    }

    private func lesson(_ held: HeldAnswer, _ attempt: Attempt) -> WordSettings? {
        if isNativeTry(attempt), case .forward(let operation) = route.action {
            return WordLesson.lacksRoute(status: held.head.status, held.body) ? .translating(operation) : nil
        }
        guard let words = attempt.words else { return nil }
        return WordLesson.of(status: held.head.status, held.body, said: attempt.said, words: words)
    }

    /// It went there in its own dialect, and could be said in another one.
    private func isNativeTry(_ attempt: Attempt) -> Bool {
        guard case .forward(let operation) = route.action else { return false }
        return operation.isAgentDialect && attempt.rewritten == nil
    }

    /// An answer has begun: what was tried has helped.
    func keepLesson() {
        guard let trial = existingSideWork?.lesson, let attempt, trial.endpoint == attempt.endpoint.id else { return }
        worker.shared.words.learn(trial.settings, attempt.endpoint.id, attempt.placement.listedModel)
        existingSideWork?.lesson = nil
    }

    /// The endpoint has given its thoughts: it will get them back in the word that it used, unless it is known not to want them.
    func noteThinking(_ word: ThinkingWord) {
        guard let attempt, attempt.words?.kind == .openAI, attempt.words?.thinking == .leftOut,
            worker.shared.words.known(attempt.endpoint.id, attempt.placement.listedModel)?.thinking == nil
        else { return }
        worker.shared.words.learn(WordSettings(thinking: .handed(word)), attempt.endpoint.id, attempt.placement.listedModel)
    }
}

extension Operation {
    /// The newer dialects, which not every server speaks that has chat completions.
    fileprivate var isAgentDialect: Bool { self == .messages || self == .responses }
}

extension WordSettings {
    /// What a server is to be treated as that has turned out not to speak a route.
    fileprivate static func translating(_ operation: Operation) -> WordSettings {
        operation == .messages ? WordSettings(speaksMessages: false) : WordSettings(speaksResponses: false)
    }
}
