// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What breaks without these: an unload makes an endpoint load, or a request that has something to say is taken for an unload and gets
/// no slot.
@Suite struct UnloadReadingTests {
    @Test(arguments: [
        (Core.Operation.ollamaGenerate, #""keep_alive":0"#, true), (.ollamaGenerate, #""keep_alive":"0s","prompt":"""#, true),
        (.ollamaGenerate, #""Keep_Alive":0.0,"options":{"num_ctx":4096}"#, true), (.ollamaGenerate, #""keep_alive":"0h0m""#, true),
        (.ollamaChat, #""messages":[ ],"keep_alive":0"#, true), (.ollamaChat, #""keep_alive":"0","messages":null"#, true),
        (.ollamaChat, #""messages":[{"role":"user","content":"hi"}],"messages":[],"keep_alive":0"#, true),
        // Something to say.
        (.ollamaGenerate, #""keep_alive":0,"prompt":"hi""#, false), (.ollamaGenerate, #""prompt":"hi","prompt":null,"keep_alive":0"#, false),
        (.ollamaChat, #""keep_alive":0,"messages":[{"role":"user","content":"hi"}]"#, false),
        // A load.
        (.ollamaGenerate, #""prompt":"""#, false), (.ollamaChat, #""messages":[]"#, false), (.ollamaGenerate, #""keep_alive":"10m""#, false),
        (.ollamaGenerate, #""keep_alive":-1"#, false), (.ollamaGenerate, #""keep_alive":0,"keep_alive":null"#, false),
        (.ollamaGenerate, #""keep_alive":"""#, false), (.ollamaGenerate, #""keep_alive":"none""#, false),
        // Nothing is unloaded there.
        (.ollamaEmbed, #""keep_alive":0"#, false), (.chat, #""messages":[],"keep_alive":0"#, false),
    ])
    func readsAsOllamaReads(_ operation: Core.Operation, _ members: String, _ isUnload: Bool) throws {
        let facts = try RequestFacts.read(ByteBuffer(string: #"{"model":"m",\#(members)}"#), for: operation)
        #expect(facts.isUnload == isUnload)
    }
}
