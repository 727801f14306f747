// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What a prompt begins with, as hashes: one for the model and the first message, the next for those and the second, and so on.
/// Two conversations have as many steps in common as they have first messages in common.
///
/// Bounded: of a longer conversation the last `limit` steps are kept, as its next turn has those in common with it.
public struct PrefixChain: Sendable, Equatable {
    public static let limit = 64

    public struct Step: Sendable, Equatable {
        /// Of the model and all messages up to this one.
        public var hash: UInt64
        /// About how many tokens those are.
        public var tokens: Int

        public init(hash: UInt64, tokens: Int) {
            self.hash = hash
            self.tokens = tokens
        }
    }

    /// Shortest prefix first; `tokens` rise.
    public private(set) var steps: [Step] = []

    public init() {}

    public init(_ steps: some Sequence<Step>) { self.steps = Array(steps.suffix(Self.limit)) }

    public mutating func append(_ step: Step) {
        if steps.count == Self.limit { steps.removeFirst() }
        steps.append(step)
    }

    public var isEmpty: Bool { steps.isEmpty }
    /// Of the longest prefix: about the whole prompt.
    public var tokens: Int { steps.last?.tokens ?? 0 }
}
