// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

/// What breaks without these: a client is told that something is wrong with its request, and not what; or it is told a key of the
/// operator's.
@Suite struct RefusalMessageTests {
    @Test(arguments: [
        (#"{"detail":[{"loc":["body","messages",0,"content"],"msg":"Field required"}]}"#, "messages.0.content: Field required"),
        (
            #"{"detail":[{"loc":["body","n"],"msg":"Input should be 1"},{"loc":["body"],"msg":"no object"},{"msg":"odd"}]}"#,
            "n: Input should be 1; body: no object; odd"
        ),
        (#"{"detail":"Not Found"}"#, "Not Found"), (#"{"detail":[{"reason":"x"}],"message":"bad"}"#, "bad"),
        (#"{"error":{"message":"too long"}}"#, "too long"), ("", "the endpoint answered with status 422"),
    ])
    func aValidatorsPlacesAreTold(_ body: String, _ wanted: String) {
        #expect(RefusalMessage.text(status: 422, Array(body.utf8)) == wanted)
    }
}
