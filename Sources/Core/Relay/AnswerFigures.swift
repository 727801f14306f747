// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What an answer's JSON tells of its cost, under the names that the different servers use.
struct AnswerFigures: Equatable {
    var promptTokens: Int?
    var answerTokens: Int?
    /// Nanoseconds, of Ollama's last object.
    var loadDuration: Int?

    /// An endpoint that says more lies, and a few such figures in a row would overflow the sums.
    private static let mostTokens = 1_000_000_000

    /// Where several are told, the first of these counts: Ollama, OpenAI, its newer routes, llama-server and its timings.
    private static let answerKeys: [StaticString] = ["eval_count", "completion_tokens", "output_tokens", "tokens_predicted", "predicted_n"]
    private static let promptKeys: [StaticString] = ["prompt_eval_count", "prompt_tokens", "input_tokens", "tokens_evaluated"]

    /// Takes what one JSON text tells, in one pass; what it does not tell stays as it was.
    mutating func read(_ bytes: UnsafeRawBufferPointer) {
        var answer: (rank: Int, value: Int)?
        var prompt: (rank: Int, value: Int)?
        var fresh: Int?
        var cached = 0
        bytes.forEachInteger { key, value in
            if let rank = Self.answerKeys.firstIndex(where: key.equals) {
                if rank <= answer?.rank ?? .max { answer = (rank, value) }
            } else if let rank = Self.promptKeys.firstIndex(where: key.equals) {
                if rank <= prompt?.rank ?? .max { prompt = (rank, value) }
            } else if key.equals("load_duration") {
                loadDuration = value
            } else if key.equals("prompt_n") {
                fresh = value
            } else if key.equals("cache_n") {
                cached = value
            }
        }
        if let answer { answerTokens = min(answer.value, Self.mostTokens) }
        // llama-server's timings do not count as new what it had in its cache.
        if let tokens = prompt?.value ?? fresh.map({ $0 + cached }) { promptTokens = min(tokens, Self.mostTokens) }
    }
}
