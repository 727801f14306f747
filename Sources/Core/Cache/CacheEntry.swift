// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What making an answer took.
struct AnswerCost: Sendable, Equatable {
    var promptTokens: Int
    var answerTokens: Int
    var milliseconds: Int
}

/// A kept answer with all that is needed to give it again, and its form in a store: a version, a checksum, and JSON. What does not
/// match its checksum, or is of another version, is no entry.
struct CacheEntry: Sendable, Equatable {
    /// As a client gets it who does not stream.
    var answer: JSONValue
    var askedModel: String
    var cost: AnswerCost

    private static let magic: [UInt8] = Array("RTC1".utf8)
    private static let checksumLength = 8

    var encoded: [UInt8] {
        let entry: JSONValue = [
            "asked": .string(askedModel), "prompt_tokens": .integer(cost.promptTokens), "answer_tokens": .integer(cost.answerTokens),
            "ms": .integer(cost.milliseconds), "answer": answer,
        ]
        let payload = entry.bytes
        return Self.magic + Digest(of: payload).bytes.prefix(Self.checksumLength) + payload
    }

    init(answer: JSONValue, askedModel: String, cost: AnswerCost) {
        self.answer = answer
        self.askedModel = askedModel
        self.cost = cost
    }

    /// Nil for what is damaged, or another version's.
    init?(encoded: [UInt8]) {
        let header = Self.magic.count + Self.checksumLength
        guard encoded.count > header, encoded.starts(with: Self.magic) else { return nil }
        let payload = Array(encoded[header...])
        guard Digest(of: payload).bytes.prefix(Self.checksumLength).elementsEqual(encoded[Self.magic.count..<header]),
            let object = try? JSONValue(parsing: payload), let answer = object["answer"], let asked = object["asked"]?.string
        else { return nil }
        self.init(
            answer: answer, askedModel: asked,
            cost: AnswerCost(
                promptTokens: object["prompt_tokens"]?.integer ?? 0, answerTokens: object["answer_tokens"]?.integer ?? 0,
                milliseconds: object["ms"]?.integer ?? 0))
    }
}
