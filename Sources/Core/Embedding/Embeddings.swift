// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import DequeModule
import NIOConcurrencyHelpers

/// Vectors of texts that came before are remembered, and a text that is being worked on is not begun twice.
final class Embeddings: Sendable {
    private struct State {
        var known: [String: Task<[Float], any Error>] = [:]
        var order: Deque<String> = []
    }

    /// Texts remembered: with vectors of 1.5 KB a few megabytes.
    private static let limit = 2048

    let embedder: any TextEmbedder
    private let state = NIOLockedValueBox(State())

    init(_ embedder: any TextEmbedder) {
        self.embedder = embedder
    }

    /// The vector of a text, perhaps still being made.
    func vector(of text: String) -> Task<[Float], any Error> {
        state.withLockedValue { state in
            if let known = state.known[text] { return known }
            let task = Task { [embedder] in try await embedder.embed(text) }
            state.known[text] = task
            state.order.append(text)
            if state.order.count > Self.limit, let oldest = state.order.popFirst() { state.known[oldest] = nil }
            return task
        }
    }

    /// A failure is not remembered.
    func forget(_ text: String) {
        state.withLockedValue { state in
            state.known[text] = nil
            state.order.removeAll { $0 == text }
        }
    }
}
