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
        (#"{"model":"m","OPTIONS":{"num_ctx":null}}"#, #"{"model":"m","OPTIONS":{"num_ctx":9}}"#),
        (#"{"model":"m","options":{"num_ctx":16384,"num_ctx":null}}"#, #"{"model":"m","options":{"num_ctx":16384,"num_ctx":9}}"#),
        (#"{"model":"m","options":{"num_ctx":"4","num_ctx":4}}"#, #"{"model":"m","options":{"num_ctx":"4","num_ctx":9}}"#),
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

    /// If another context took its place, the client would not hear of its fault.
    @Test(arguments: [
        #"{"num_ctx":"4096"}"#, #"{"num_ctx":true}"#, #"{"num_ctx":4096,"num_ctx":[1]}"#, #"{"num_ctx":"1"},"options":{"seed":1}"#, "7",
    ])
    func whatTheServerRefusesStaysAsItIs(_ options: String) throws {
        let buffer = ByteBuffer(string: #"{"model":"m","options":\#(options)}"#)
        let facts = try RequestFacts.read(buffer, for: .ollamaChat)
        #expect(facts.contextPlace?.isRefused == true && facts.runnerOptions == nil)
        #expect(ContextPlace.edit(facts.contextPlace, buffer, context: 9) == nil)
    }
}
