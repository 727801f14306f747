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

    /// What a key tells. Where several tell the same, the lowest rank counts: Ollama, OpenAI, its newer routes, llama-server and its timings.
    private enum Figure {
        case answer(rank: Int)
        case prompt(rank: Int)
        case loadDuration, fresh, cached

        /// By length first, so that the many other numbers of an answer cost one comparison.
        init?(_ key: UnsafeRawBufferPointer) {
            switch key.count {
            case 7 where key.equals("cache_n"): self = .cached
            case 8 where key.equals("prompt_n"): self = .fresh
            case 10 where key.equals("eval_count"): self = .answer(rank: 0)
            case 11 where key.equals("predicted_n"): self = .answer(rank: 4)
            case 12 where key.equals("input_tokens"): self = .prompt(rank: 2)
            case 13 where key.equals("output_tokens"): self = .answer(rank: 2)
            case 13 where key.equals("prompt_tokens"): self = .prompt(rank: 1)
            case 13 where key.equals("load_duration"): self = .loadDuration
            case 16 where key.equals("tokens_predicted"): self = .answer(rank: 3)
            case 16 where key.equals("tokens_evaluated"): self = .prompt(rank: 3)
            case 17 where key.equals("completion_tokens"): self = .answer(rank: 1)
            case 17 where key.equals("prompt_eval_count"): self = .prompt(rank: 0)
            default: return nil
            }
        }
    }

    /// Takes what one JSON text tells, in one pass; what it does not tell stays as it was.
    mutating func read(_ bytes: UnsafeRawBufferPointer) {
        var answer: (rank: Int, value: Int)?
        var prompt: (rank: Int, value: Int)?
        var fresh: Int?
        var cached = 0
        bytes.forEachInteger(Figure.init) { figure, value in
            switch figure {
            case .answer(let rank): if rank <= answer?.rank ?? .max { answer = (rank, value) }
            case .prompt(let rank): if rank <= prompt?.rank ?? .max { prompt = (rank, value) }
            case .loadDuration: loadDuration = value
            case .fresh: fresh = value
            case .cached: cached = value
            }
        }
        if let answer { answerTokens = min(answer.value, Self.mostTokens) }
        // llama-server's timings do not count as new what it had in its cache.
        if let tokens = prompt?.value ?? fresh.map({ $0 + cached }) { promptTokens = min(tokens, Self.mostTokens) }
    }
}
