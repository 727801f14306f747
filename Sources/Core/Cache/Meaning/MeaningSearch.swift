// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers
import NIOCore

/// Answers to questions that mean the same: embeds, searches, asks the guards.
final class MeaningSearch: Sendable {
    /// What is being found out about a request: its vector, in the making.
    struct Inquiry: Sendable {
        let vector: Task<[Float]?, Never>
        let group: @Sendable ([Float]) -> SemanticIndex.Group
        let question: String
        /// Its mark.
        let history: String
        let fingerprint: Digest
    }

    let index = SemanticIndex()
    let embeddings: Embeddings
    private let historyWeight: Double
    /// Longer questions are texts with a question: they differ in what no vector shows.
    private static let wordLimit = 64
    let threshold: Float
    /// Why there are no vectors; nil while there are.
    private let fault = NIOLockedValueBox<String?>(nil)
    private let rejections = NIOLockedValueBox<[DifferenceGuard.Difference: Int]>([:])

    init(_ embedder: any TextEmbedder, threshold: Double, historyWeight: Double) {
        embeddings = Embeddings(embedder)
        self.threshold = Float(threshold)
        self.historyWeight = historyWeight
    }

    var currentFault: String? { fault.withLockedValue { $0 } }
    func note(fault: String?) { self.fault.withLockedValue { $0 = fault } }

    /// Near enough, but not the same, by what the guards found.
    var guarded: [DifferenceGuard.Difference: Int] { rejections.withLockedValue { $0 } }

    /// Nil for what cannot be compared by meaning.
    func inquire(_ request: CacheRequest) -> Inquiry? {
        let conversation = request.conversation
        guard conversation.isPlain, let question = conversation.question, question.contains(where: { !$0.isWhitespace }),
            question.split(maxSplits: Self.wordLimit, whereSeparator: \.isWhitespace).count <= Self.wordLimit, !PersonalData.hasMark(question)
        else { return nil }
        let history = HistoryWeights.mark(conversation.history.map(\.text))
        let summary = HistoryWeights.summary(conversation.history.map(\.text))
        let questionTask = embeddings.vector(of: question)
        let historyTask = summary.isEmpty ? nil : embeddings.vector(of: summary)
        let vector = Task<[Float]?, Never> { [self] in
            do {
                let vector = HistoryWeights.mean(
                    question: try await questionTask.value, history: try await historyTask?.value, weight: historyWeight)
                note(fault: nil)
                return vector
            } catch is TextTooLong {
                return nil
            } catch {
                embeddings.forget(question)
                embeddings.forget(summary)
                note(fault: "\(error)")
                return nil
            }
        }
        // Vectors of another model are others, whatever their number of components.
        let fingerprint = Digest(ofParts: [request.fingerprint.bytes, Array(embeddings.embedder.space.utf8)])
        let namespace = request.namespace
        return Inquiry(
            vector: vector, group: { SemanticIndex.Group(namespace: namespace, fingerprint: fingerprint, width: $0.count) }, question: question,
            history: history, fingerprint: fingerprint)
    }

    /// What may answer it, the nearest first.
    func matches(_ inquiry: Inquiry, _ vector: [Float], now: Int) -> [SemanticIndex.Match] {
        let found = index.search(inquiry.group(vector), vector, threshold: threshold, now: now)
        guard !found.isEmpty else { return [] }
        let question = QuestionFeatures(inquiry.question)
        return found.filter { match in
            // What was said before says what the question is about.
            guard match.history == inquiry.history else { return false }
            guard let difference = DifferenceGuard.difference(question, QuestionFeatures(match.question)) else { return true }
            rejections.withLockedValue { $0[difference, default: 0] += 1 }
            return false
        }
    }

    func meaning(_ inquiry: Inquiry, _ vector: [Float]) -> Meaning {
        Meaning(fingerprint: inquiry.fingerprint, question: inquiry.question, history: inquiry.history, vector: vector)
    }
}

/// Whichever is first: a task's value, or the time.
enum Patience {
    static func value<Value: Sendable>(of task: Task<Value, Never>, within budget: Duration) async -> Value? {
        await withCheckedContinuation { (continuation: CheckedContinuation<Value?, Never>) in
            let waiting = NIOLockedValueBox<CheckedContinuation<Value?, Never>?>(continuation)
            @Sendable func finish(_ value: Value?) {
                let continuation = waiting.withLockedValue { waiting in
                    defer { waiting = nil }
                    return waiting
                }
                continuation?.resume(returning: value)
            }
            let timer = Task {
                try? await Task.sleep(for: budget)
                finish(nil)
            }
            Task {
                finish(await task.value)
                timer.cancel()
            }
        }
    }
}
