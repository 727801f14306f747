// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What breaks without these: a client's fault that sets an endpoint aside, an endpoint's failure that is passed on as an answer.
@Suite struct AnswerJudgeTests {
    struct Case: Sendable, CustomStringConvertible {
        var status: String
        var body: String
        var verdict: Verdict
        var more = ""
        var ownKey = false
        var expectsBody = true

        var description: String { "\(status) \(more)\(body)" }
    }

    static func judge(_ test: Case) throws -> Verdict {
        let head = try ResponseHead(ByteBuffer(string: "HTTP/1.1 \(test.status)\r\n\(test.more)\r\n"))
        return Array(test.body.utf8).withUnsafeBytes {
            AnswerJudge.judge(head, body: $0, expectsBody: test.expectsBody, usesOwnKey: test.ownKey, now: 1_000_000_000)
        }
    }

    @Test(arguments: [
        Case(status: "200 OK", body: #"{"message":{"content":"the error was mine"}}"#, verdict: .answered),
        Case(status: "200 OK", body: #"data: {"choices":[{"delta":{"content":"{\"error\":"}}]}"#, verdict: .answered),
        Case(status: "200 OK", body: #"{"error":null,"id":"resp_1","output":[]}"#, verdict: .answered),
        Case(status: "200 OK", body: "", verdict: .answered, expectsBody: false),
        Case(status: "204 No Content", body: "", verdict: .answered, expectsBody: false),
        // Failures behind a good status.
        Case(status: "200 OK", body: "", verdict: .broken),
        Case(status: "200 OK", body: #"{"error":{"message":"CUDA out of memory"}}"#, verdict: .broken),
        Case(status: "200 OK", body: #"{"error": "unexpected EOF"}"#, verdict: .broken),
        Case(status: "200 OK", body: "data: {\"error\":{\"message\":\"engine died\"}}\n\n", verdict: .broken),
        Case(status: "200 OK", body: "event: error\ndata: {}\n\n", verdict: .broken),
        Case(status: "200 OK", body: "data: [DONE]\n\n", verdict: .broken),
        // The client's fault.
        Case(status: "400 Bad Request", body: #"{"error":"invalid options"}"#, verdict: .refused),
        Case(status: "400 Bad Request", body: #"{"error":"\"m\" does not support chat"}"#, verdict: .refused),
        Case(status: "413 Too Large", body: "", verdict: .refused),
        Case(status: "422 Unprocessable", body: #"{"detail":"x"}"#, verdict: .refused),
        Case(status: "401 Unauthorized", body: "", verdict: .refused),
        Case(status: "401 Unauthorized", body: "", verdict: .broken, ownKey: true),
        Case(status: "403 Forbidden", body: "", verdict: .broken, ownKey: true),
        // Not here.
        Case(status: "404 Not Found", body: #"{"error":"model 'm' not found"}"#, verdict: .modelNotHere),
        Case(
            status: "404 Not Found", body: #"{"error":{"message":"The model `m` does not exist","code":"model_not_found"}}"#, verdict: .modelNotHere),
        Case(status: "400 Bad Request", body: #"{"error":{"message":"model 'nope' not found"}}"#, verdict: .modelNotHere),
        Case(status: "404 Not Found", body: "404 page not found", verdict: .routeNotHere),
        Case(status: "404 Not Found", body: #"{"error":{"message":"File Not Found","type":"not_found_error"}}"#, verdict: .routeNotHere),
        Case(status: "405 Method Not Allowed", body: "", verdict: .routeNotHere),
        Case(status: "501 Not Implemented", body: "", verdict: .routeNotHere),
        // Busy.
        Case(status: "503 Service Unavailable", body: #"{"error":{"message":"Loading model"}}"#, verdict: .busy(retryAfter: nil)),
        Case(status: "503 Service Unavailable", body: #"{"error":"server busy"}"#, verdict: .busy(retryAfter: nil)),
        Case(status: "429 Too Many", body: "", verdict: .busy(retryAfter: .seconds(30)), more: "Retry-After: 30\r\n"),
        Case(status: "429 Too Many", body: "", verdict: .busy(retryAfter: .seconds(20)), more: "Retry-After: Sun, 09 Sep 2001 01:47:00 GMT\r\n"),
        Case(status: "429 Too Many", body: "", verdict: .busy(retryAfter: .minutes(10)), more: "Retry-After: 99999999\r\n"),
        Case(status: "429 Too Many", body: "", verdict: .busy(retryAfter: nil), more: "Retry-After: soon\r\n"),
        Case(status: "529 Overloaded", body: "", verdict: .busy(retryAfter: nil)),
        Case(
            status: "500 Error", body: #"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#,
            verdict: .busy(retryAfter: nil)),
        // Broken.
        Case(status: "500 Error", body: #"{"error":"llama runner process has terminated"}"#, verdict: .broken),
        Case(status: "502 Bad Gateway", body: "<html>", verdict: .broken),
        Case(status: "504 Gateway Timeout", body: "", verdict: .broken),
    ])
    func eachAnswerIsJudgedForWhatItSays(_ test: Case) throws {
        let verdict = try Self.judge(test)
        #expect(verdict == test.verdict)
    }
}
