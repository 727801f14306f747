// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What breaks without these: a conversation's next turn is not known again and starts cold, or another conversation is taken for it.
@Suite struct PromptReadingTests {
    private static func read(_ operation: Operation, _ body: String, model: String = "m", seed: UInt64 = 7) -> PromptReading {
        PromptReading(operation, body: ByteBuffer(string: body), model: model, seed: seed)
    }

    /// How many steps two prompts have in common.
    private static func common(_ left: PromptReading, _ right: PromptReading) -> Int {
        zip(left.prefix.steps, right.prefix.steps).prefix { $0.hash == $1.hash }.count
    }

    private static let first = #"{"role":"user","content":"one"}"#
    private static let second = #"{"role":"assistant","content":"two"}"#
    private static let third = #"{"role":"user","content":"three"}"#

    struct Turn: Sendable {
        var operation: Core.Operation
        var before: String
        var after: String
        /// Steps of the first that the second must know.
        var known: Int
        init(_ operation: Core.Operation, _ before: String, _ after: String, known: Int) {
            self.operation = operation
            self.before = before
            self.after = after
            self.known = known
        }
    }

    private static let long = String(repeating: "A sentence that is said. ", count: 200)

    @Test(arguments: [
        Turn(.chat, #"{"model":"m","messages":[\#(first)]}"#, #"{"messages":[\#(first),\#(second),\#(third)],"model":"m","stream":true}"#, known: 1),
        Turn(.ollamaChat, #"{"messages":[\#(first),\#(second)]}"#, #"{ "messages" : [ \#(first) ,\#(second), \#(third)] }"#, known: 2),
        // White space within messages is the serialiser's.
        Turn(.chat, #"{"messages":[{"role":"user","content":"one"}]}"#, #"{"messages":[{ "role": "user", "content": "one" },\#(second)]}"#, known: 1),
        // A breakpoint of the endpoint's own cache moves from turn to turn.
        Turn(
            .messages,
            #"{"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]}"#,
            #"{"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":"a"}]},\#(second)]}"#, known: 1),
        Turn(.responses, #"{"instructions":"i","input":[\#(first)]}"#, #"{"input":[\#(first),\#(second)],"instructions":"i"}"#, known: 1),
        Turn(.completions, #"{"prompt":"\#(long)"}"#, #"{"prompt":"\#(long) and more"}"#, known: 4),
        Turn(.ollamaGenerate, #"{"prompt":"\#(long)","system":"s"}"#, #"{"system":"s","prompt":"\#(long) and more"}"#, known: 4),
    ])
    func theNextTurnIsKnownAgain(_ turn: Turn) {
        let before = Self.read(turn.operation, turn.before)
        let after = Self.read(turn.operation, turn.after)
        #expect(before.prefix.steps.count == turn.known)
        #expect(Self.common(before, after) == turn.known)
    }

    @Test(arguments: [
        Turn(.chat, #"{"messages":[\#(first)]}"#, #"{"messages":[\#(third)]}"#, known: 0),
        Turn(.chat, #"{"messages":[\#(first)]}"#, #"{"messages":[\#(first)],"tools":[{"type":"function"}]}"#, known: 0),
        Turn(.messages, #"{"system":"a","messages":[\#(first)]}"#, #"{"system":"b","messages":[\#(first)]}"#, known: 0),
        // What is a tool's description in one must not look like a system prompt in the other.
        Turn(.messages, #"{"tools":"x","messages":[\#(first)]}"#, #"{"system":"x","messages":[\#(first)]}"#, known: 0),
        Turn(.ollamaGenerate, #"{"prompt":"\#(long)"}"#, #"{"prompt":"\#(long)","system":"s"}"#, known: 0),
        Turn(.chat, #"{"messages":[{"role":"user","content":"ab"}]}"#, #"{"messages":[{"role":"usera","content":"b"}]}"#, known: 0),
    ])
    func anotherBeginningIsAnother(_ turn: Turn) {
        #expect(Self.common(Self.read(turn.operation, turn.before), Self.read(turn.operation, turn.after)) == 0)
    }

    @Test func anotherModelHasAnotherBeginning() {
        let body = #"{"messages":[\#(Self.first)]}"#
        #expect(Self.common(Self.read(.chat, body), Self.read(.chat, body, model: "n")) == 0)
        #expect(Self.common(Self.read(.chat, body), Self.read(.chat, body, seed: 8)) == 0)
    }

    /// However long a client's conversation is, so much of it is kept.
    @Test func aLongConversationIsBounded() {
        let messages = (0..<500).map { #"{"role":"user","content":"\#($0)"}"# }.joined(separator: ",")
        let prompt = Self.read(.chat, #"{"messages":[\#(messages)]}"#)
        #expect(prompt.prefix.steps.count == PrefixChain.limit)
        #expect(prompt.tokens > 500 * 20 / PromptReading.bytesPerToken)
    }

    @Test func aConversationsNameIsRead() {
        let named = Self.read(.chat, #"{"messages":[\#(Self.first)],"prompt_cache_key":"k"}"#)
        let other = Self.read(.chat, #"{"messages":[\#(Self.third)],"prompt_cache_key":"k"}"#)
        #expect(named.session != nil && named.session == other.session)
        #expect(Self.read(.chat, #"{"messages":[],"prompt_cache_key":"l"}"#).session != named.session)
        #expect(Self.read(.responses, #"{"input":"x","conversation":{"id":"c"}}"#).session != nil)
        #expect(Self.read(.chat, #"{"messages":[\#(Self.first)]}"#).session == nil)
        #expect(PromptReading.session("a", seed: 1) != PromptReading.session("b", seed: 1))
    }

    /// Bodies pass through as they are: none of them may stop the router.
    @Test(arguments: [
        "", "null", "[]", "{", #"{"messages":"#, #"{"messages":{}}"#, #"{"messages":[1,"a",null,[]]}"#, #"{"prompt":7}"#,
        #"{"input":[[[[[[[[[[1]]]]]]]]]]}"#,
    ])
    func whatIsNoPromptIsNone(body: String) {
        for operation in Core.Operation.allCases {
            let prompt = Self.read(operation, body)
            #expect(prompt.tokens < 100)
        }
    }

    @Test func embeddingsHaveNoConversation() {
        #expect(Self.read(.embeddings, #"{"input":["a","b"],"prompt_cache_key":"k"}"#) == Self.read(.embeddings, "{}"))
    }
}
