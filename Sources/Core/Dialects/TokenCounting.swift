// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// Counts tokens of messages by the endpoint's own `/tokenize`, where it has one, and trims by that.
struct TokenCounting: Sendable {
    let client: EndpointClient
    let endpoint: Endpoint
    let model: String
    let canAsk: Bool

    struct Result: Sendable {
        var messages: [JSONValue]
        var dropped: Int
        var context: Int
    }

    /// What an endpoint that tells nothing is taken to have.
    private static let assumedContext = 4096
    /// Questions for one conversation; the rest is estimated.
    private static let askedMessages = 64

    /// - Parameter excess: as the endpoint told it; a prompt of 0 is counted first.
    /// - Returns: nil if it fits, or nothing can go.
    func trimmed(_ body: JSONValue, _ excess: ContextTrimming.Excess) async -> Result? {
        let messages = body["messages"]?.array ?? []
        let context = excess.context > 0 ? excess.context : Self.assumedContext
        var tokens: [Int: Int] = [:]
        var prompt = excess.prompt
        if prompt == 0 {
            for index in messages.indices { tokens[index] = await count(messages[index], asked: tokens.count) }
            prompt = tokens.values.reduce(0, +)
            // Told that it is too long without being told by how much: a quarter goes.
            if excess.context == 0 { prompt = max(prompt, context + context / 4) }
        }
        let shed = ContextTrimming.shed(prompt: prompt, context: context)
        guard shed > 0 else { return nil }
        var counted = 0
        for index in ContextTrimming.droppable(messages) where counted < shed {
            if tokens[index] == nil { tokens[index] = await count(messages[index], asked: tokens.count) }
            counted += tokens[index] ?? 0
        }
        return ContextTrimming.trimmed(messages, shed: shed, tokens: tokens).map {
            Result(messages: $0.messages, dropped: $0.dropped, context: context)
        }
    }

    private func count(_ message: JSONValue, asked: Int) async -> Int {
        guard canAsk, asked < Self.askedMessages else { return ContextTrimming.estimate(message) }
        let question: JSONValue = ["model": .string(model), "content": .string(ContextTrimming.text(message))]
        guard let answer = try? await client.ask(.POST, "/tokenize", body: question.bytes, of: endpoint), answer.status == 200,
            let tokens = (try? JSONValue(parsing: answer.body))?["tokens"]?.array
        else { return ContextTrimming.estimate(message) }
        // The template's own words around each message.
        return tokens.count + 4
    }
}
