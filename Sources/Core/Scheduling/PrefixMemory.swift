// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The prefixes that a model on an endpoint has read lately, so that its cache likely has them: about the most recently used.
///
/// Two generations: what is used goes to the young one; when that is full it becomes the old one, and the old one is forgotten. So what
/// was used among the last `limit` steps is always known, nothing older than twice that, and nobody can make it grow.
struct PrefixMemory: Sendable, Equatable {
    static let limit = 2048

    private var young: [UInt64: Int32] = [:]
    private var old: [UInt64: Int32] = [:]

    var isEmpty: Bool { young.isEmpty && old.isEmpty }
    var count: Int { young.count + old.count }

    /// Tokens of the ask's prompt that were read there before.
    func warmTokens(_ ask: Ask) -> Int {
        if isEmpty { return 0 }
        var warm = 0
        // All steps before a known one are known, as they were kept together: the longest is found by halving.
        var low = 0
        var high = ask.prefix.steps.count
        while low < high {
            let middle = (low + high) / 2
            if knows(ask.prefix.steps[middle].hash) { low = middle + 1 } else { high = middle }
        }
        if low > 0 { warm = ask.prefix.steps[low - 1].tokens }
        if let session = ask.session, let tokens = young[session] ?? old[session] { warm = max(warm, min(Int(tokens), ask.promptTokens)) }
        return warm
    }

    mutating func keep(_ ask: Ask) {
        for step in ask.prefix.steps.reversed() { keep(step.hash, step.tokens) }
        if let session = ask.session { keep(session, ask.promptTokens) }
    }

    /// The request was not read: what was kept of it, and was not warm before, is not warm.
    mutating func drop(_ kept: LeaseTable.Kept) {
        for step in kept.prefix.steps where step.tokens > kept.warmTokens { drop(step.hash) }
        if kept.warmTokens == 0, let session = kept.session { drop(session) }
    }

    private mutating func drop(_ hash: UInt64) {
        young[hash] = nil
        old[hash] = nil
    }

    /// The model has left the memory, and its cache with it.
    mutating func forget() {
        if !isEmpty { self = PrefixMemory() }
    }

    private func knows(_ hash: UInt64) -> Bool { young[hash] != nil || old[hash] != nil }

    private mutating func keep(_ hash: UInt64, _ tokens: Int) {
        if young.count >= Self.limit {
            old = young
            young = [:]
        }
        young[hash] = Int32(clamping: tokens)
    }
}
