// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#endif

/// What was said before the question, weighed into the question's vector: the terms that matter by BM25 (Robertson and Zaragoza, "The
/// Probabilistic Relevance Framework", 2009), as a text of their own.
enum HistoryWeights {
    private static let k1 = 1.5
    private static let b = 0.75
    private static let termLimit = 50

    /// The most telling terms of the turns, each repeated up to three times; empty without any.
    static func summary(_ turns: [String]) -> String {
        let documents = turns.map(words)
        let count = Double(documents.count)
        let average = max(1, documents.reduce(0) { $0 + Double($1.count) } / max(1, count))
        var frequency: [String: Double] = [:]
        for document in documents { for word in Set(document) { frequency[word, default: 0] += 1 } }
        var scores: [String: Double] = [:]
        for document in documents {
            let length = Double(document.count)
            var occurrences: [String: Double] = [:]
            for word in document { occurrences[word, default: 0] += 1 }
            for (word, times) in occurrences {
                let idf = log((count + 1) / ((frequency[word] ?? 0) + 1)) + 1
                scores[word, default: 0] += idf * times * (k1 + 1) / (times + k1 * (1 - b + b * length / average))
            }
        }
        let best = scores.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(termLimit)
        guard let top = best.first?.value, top > 0 else { return "" }
        return best.flatMap { Array(repeating: $0.key, count: max(1, Int((3 * $0.value / top).rounded()))) }.joined(separator: " ")
    }

    /// What was said before, as a mark: the same for the same telling words, whatever their order and endings. What a question's "it" is
    /// stands there, in a single word perhaps, which no vector of a whole conversation shows.
    static func mark(_ turns: [String]) -> String {
        guard !turns.isEmpty else { return "" }
        var telling: Set<String> = []
        for turn in turns {
            for word in turn.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber }) where !LanguageGuess.small.contains(String(word)) {
                telling.insert(Stem.of(String(word)))
            }
        }
        return String(Digest(ofParts: telling.sorted().map { Array($0.utf8) }).hex.prefix(32))
    }

    /// Words longer than two letters, in lower case.
    private static func words(_ text: String) -> [String] {
        text.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber }).filter { $0.count > 2 }.map { String($0) }
    }

    /// - Parameters:
    ///   - history: nil where nothing was said before: then it is the question alone.
    ///   - weight: the history's share, 0 to 1.
    static func mean(question: [Float], history: [Float]?, weight: Double) -> [Float] {
        guard let history else { return question }
        let share = Float(weight)
        return MiniLM.normalised(zip(question, history).map { $0 * (1 - share) + $1 * share })
    }
}
