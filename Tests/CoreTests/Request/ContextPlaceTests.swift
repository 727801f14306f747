// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// A shared context in a request's body. What breaks without these: the body is no JSON any more, or says something else as well.
@Suite struct ContextPlaceTests {
    @Test(arguments: [
        (#"{"model":"m"}"#, #"{"options":{"num_ctx":9},"model":"m"}"#),
        (#" { "model" : "m" } "#, #" {"options":{"num_ctx":9}, "model" : "m" } "#),
        (#"{"model":"m","options":{"num_ctx":4096}}"#, #"{"model":"m","options":{"num_ctx":9}}"#),
        (#"{"options": {"seed":1, "num_ctx" : 4096 ,"top_k":2}, "model":"m"}"#, #"{"options": {"seed":1, "num_ctx" : 9 ,"top_k":2}, "model":"m"}"#),
        (#"{"model":"m","options":{"seed":1}}"#, #"{"model":"m","options":{"seed":1,"num_ctx":9}}"#),
        (#"{"model":"m","options":{ }}"#, #"{"model":"m","options":{ "num_ctx":9}}"#),
        (#"{"model":"m","options":null}"#, #"{"model":"m","options":{"num_ctx":9}}"#),
        (#"{"model":"m","OPTIONS":{"num_ctx":null}}"#, #"{"model":"m","OPTIONS":{"num_ctx":null,"num_ctx":9}}"#),
        (#"{"options":{"num_ctx":1},"model":"m","options":{"seed":1}}"#, #"{"options":{"num_ctx":1},"model":"m","options":{"seed":1,"num_ctx":9}}"#),
        (#"{"model":"m","options":{"num_ctx":1,"num_ctx":2}}"#, #"{"model":"m","options":{"num_ctx":1,"num_ctx":9}}"#),
        (#"{"messages":[{"options":{"num_ctx":1}}],"model":"m"}"#, #"{"options":{"num_ctx":9},"messages":[{"options":{"num_ctx":1}}],"model":"m"}"#),
    ])
    func theRestStaysAsItIs(_ body: String, _ expected: String) throws {
        // As it may come: the body does not begin where its buffer does.
        var buffer = ByteBuffer(string: "abc" + body)
        buffer.moveReaderIndex(forwardBy: 3)
        let facts = try RequestFacts.read(buffer, for: .ollamaChat)
        let edit = try #require(ContextPlace.edit(facts.contextPlace, buffer, context: 9))
        let edited = BodyEdit.apply([edit], to: buffer)
        #expect(String(buffer: edited) == expected)
        // And it is understood as it was meant.
        #expect(try RequestFacts.read(edited, for: .ollamaChat).runnerOptions == RunnerOptions(contextLength: 9))
    }
}
