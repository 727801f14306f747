// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOHTTP1
import Testing

@testable import Core

/// What breaks without these: clients that look for the status, the first words or the shape of an error.
@Suite struct ErrorBodyTests {
    static let unknown = RouterError.refused(.unknownModel(known: ["a:latest", "b:latest"], unreachable: ["gpu2"]), model: "x\"y", path: "/api/chat")

    @Test func ollamasErrorIsAnObjectWithOneText() {
        #expect(
            ErrorBody.body(Self.unknown, .ollama)
                == #"{"error":"model 'x\"y' not found; there is: a:latest, b:latest; not asked, because not up: gpu2"}"#)
        #expect(Self.unknown.status == .notFound)
    }

    @Test func openAIsErrorIsAnObjectInAnObject() {
        let text = ErrorBody.body(Self.unknown, .openAI)
        #expect(text.hasPrefix(#"{"error":{"message":"model 'x\"y' not found"#))
        #expect(text.hasSuffix(#""type":"not_found_error","param":"model","code":"unknown_model"}}"#))
    }

    /// Agents retry what has a status of 500 or more; without the route they count tokens themselves.
    @Test func aRouteThatNobodySpeaksIsNotThere() {
        let error = RouterError.refused(.unsupportedRoute(endpoints: ["a"]), model: "m", path: "/v1/messages/count_tokens")
        #expect(error.status == .notFound && error.retryAfter == nil)
        #expect(
            ErrorBody.body(error, .anthropic)
                == #"{"type":"error","error":{"type":"not_found_error","message":"model 'm' is on a, which does not speak /v1/messages/count_tokens"}}"#
        )
    }

    @Test func onlyTheFirstNamesAreListed() {
        let error = RouterError.refused(.unknownModel(known: (1...13).map { "m\($0)" }, unreachable: []), model: "x", path: "")
        #expect(error.message.hasSuffix("m9, m10 and 3 more"))
    }

    @Test func aStreamEndsWithAnErrorOfItsOwnKind() {
        let error = RouterError.answerCut(endpoint: "gpu1", reason: "it closed the connection")
        let message = "endpoint gpu1 failed in the middle of its answer: it closed the connection"
        #expect(ErrorBody.streamEnd(error, framing: .newlineJSON, dialect: .ollama, midLine: false) == "{\"error\":\"\(message)\"}\n")
        #expect(ErrorBody.streamEnd(error, framing: .newlineJSON, dialect: .ollama, midLine: true).hasPrefix("\n{"))
        let event = ErrorBody.streamEnd(error, framing: .serverSentEvents, dialect: .openAI, midLine: true)
        #expect(event.hasPrefix("\n\ndata: {\"error\":{\"message\":\"\(message)\""))
        #expect(event.hasSuffix("}}\n\n"))
    }

    @Test func anthropicsClientsGetTheirOwnObject() {
        #expect(
            ErrorBody.body(.missingModel, .anthropic) == #"{"type":"error","error":{"type":"invalid_request_error","message":"model is required"}}"#)
        let event = ErrorBody.streamEnd(.tookTooLong(seconds: 1), framing: .serverSentEvents, dialect: .anthropic, midLine: false)
        #expect(event.hasPrefix("event: error\ndata: {\"type\":\"error\""))
    }

    @Test func whatMayWorkLaterSaysWhen() {
        #expect(RouterError.refused(.noEndpointUp([]), model: "m", path: "").retryAfter != nil)
        #expect(RouterError.refused(.lineFull(limit: 1), model: "m", path: "").retryAfter != nil)
        #expect(RouterError.stopping.retryAfter != nil)
        #expect(Self.unknown.retryAfter == nil)
    }
}
