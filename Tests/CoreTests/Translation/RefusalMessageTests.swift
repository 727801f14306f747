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

    /// Services repeat the key that they do not take.
    @Test func anEndpointsKeyIsNotTold() throws {
        let error = #"{"error":{"message":"Incorrect API key provided: SECRETKEY. Get a SECRETKEYS","code":401}}"#
        for client in AnswerTrial.Client.allCases {
            for stream in [true, false] {
                let answer = try AnswerTrial(client: client, stream: stream).answer(status: 401, key: Secret("SECRETKEY"))
                _ = Array(error.utf8).withUnsafeBytes { answer.feed($0) { _ in AnswerTrial.time } }
                #expect(answer.finish(AnswerTrial.time) == .error(status: 401, message: "Incorrect API key provided: ***. Get a ***S"))
            }
            let answer = try AnswerTrial(client: client, stream: true).answer(framing: .serverSentEvents, key: Secret("SECRETKEY"))
            let text = #"data: {"choices":[{"delta":{"content":"a"}}]}"# + "\n\ndata: \(error)\n\n"
            var out = Array(text.utf8).withUnsafeBytes { answer.feed($0) { _ in AnswerTrial.time } }
            if case .stream(let rest, _) = answer.finish(AnswerTrial.time) { out += rest }
            let told = String(decoding: out, as: UTF8.self)
            #expect(told.contains("provided: ***") && !told.contains("SECRETKEY"), "\(client): \(told)")
        }
    }
}
