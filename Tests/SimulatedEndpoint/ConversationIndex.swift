// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Which conversation a prompt continues, by its text, as a server's cache of prefixes finds out. Bounded: the conversations that went on
/// last are known, of each its first words.
struct ConversationIndex {
    private struct Conversation {
        let number: Int
        /// Hashes of the words: of the prompt, and of the answer once it has ended.
        var words: [Int]
    }

    private static let mostWords = 16_384

    /// Conversations known of each model.
    let limit: Int
    /// By model, most recent last.
    private var known: [Int: [Conversation]] = [:]
    private var last = 0

    init(limit: Int) { self.limit = limit }

    static func hashes(_ text: some StringProtocol) -> [Int] { text.split(whereSeparator: \.isWhitespace).map(\.hashValue) }

    /// A prompt that repeats at least half of what is known of a conversation continues it; any other begins a new one.
    ///
    /// - Returns: its number, and the words that are known. Never all of the prompt: an answer takes at least its last word.
    mutating func place(_ prompt: [Int], model: Int) -> (number: Int, shared: Int) {
        var conversations = known[model] ?? []
        let words = Array(prompt.prefix(Self.mostWords))
        var best: (index: Int, shared: Int)?
        for (index, conversation) in conversations.enumerated() {
            let shared = Self.common(conversation.words, words)
            if 2 * shared >= conversation.words.count, shared > best?.shared ?? 0 { best = (index, shared) }
        }
        let number: Int
        if let best {
            number = conversations.remove(at: best.index).number
        } else {
            last += 1
            number = last
        }
        conversations.append(Conversation(number: number, words: words))
        known[model] = conversations.suffix(limit)
        return (number, min(best?.shared ?? 0, max(0, prompt.count - 1)))
    }

    /// What the conversation was answered.
    mutating func answered(_ number: Int, model: Int, _ answer: [Int]) {
        guard let index = known[model]?.lastIndex(where: { $0.number == number }) else { return }
        let room = Self.mostWords - (known[model]?[index].words.count ?? 0)
        known[model]?[index].words += answer.prefix(max(0, room))
    }

    private static func common(_ left: [Int], _ right: [Int]) -> Int {
        let most = min(left.count, right.count)
        var count = 0
        while count < most, left[count] == right[count] { count += 1 }
        return count
    }
}
