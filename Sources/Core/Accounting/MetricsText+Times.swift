// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// How long answers took.
extension MetricsText {
    /// - Parameter places: models on endpoints, in the order in which they are shown. One that has never answered so has no line.
    mutating func times(_ places: [(Labels, WorkerMetrics.Place)]) {
        for (name, help, of) in Self.timeFamilies {
            family(name, "histogram", help)
            for (labels, place) in places where of(place).count > 0 { histogram(name, labels, of(place)) }
        }
    }

    private static let timeFamilies: [(String, String, @Sendable (WorkerMetrics.Place) -> Histogram)] = [
        ("routerd_time_to_first_byte_seconds", "From sending a request to an endpoint to the head of its answer.", { $0.timeToHead }),
        ("routerd_time_to_first_token_seconds", "To the first token of a streamed answer.", { $0.timeToFirstToken }),
        ("routerd_answer_seconds", "To the end of an answer that is not streamed.", { $0.wholeTime }),
        ("routerd_embeddings_seconds", "To the end of an answer that has vectors or scores in place of tokens.", { $0.embeddingsTime }),
        ("routerd_time_per_output_token_seconds", "Of a stream, after its first token: its length by its tokens.", { $0.timePerToken }),
    ]
}
