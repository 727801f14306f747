// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Testing

@testable import Core

/// What breaks without these: an endpoint of which the configuration says nothing is spoken to in the wrong words.
@Suite struct KindDetectionTests {
    private func run(_ answers: [KindDetection.Question: Result<String, ProbeError>]) -> KindDetection {
        var detection = KindDetection()
        while let question = detection.next() {
            switch answers[question] ?? .failure(.status(404, message: "")) {
            case .success(let body): detection.answered(question, Array(body.utf8))
            case .failure(let error): detection.failed(question, error)
            }
        }
        return detection
    }

    private static let models = #"{"object":"list","data":[{"id":"m","object":"model"}]}"#

    @Test func ollamaHasAVersion() {
        #expect(run([.version: .success(#"{"version":"0.12.3"}"#)]).kind == .ollama)
    }

    @Test(arguments: [
        #"{"total_slots":4,"default_generation_settings":{"n_ctx":2048}}"#,
        #"{"role":"router","default_generation_settings":{"params":null,"n_ctx":0}}"#,
    ])
    func llamaServerHasProps(_ props: String) {
        #expect(run([.props: .success(props), .models: .success(Self.models)]).kind == .llamaServer)
    }

    @Test func whatOnlyListsModelsIsAnOpenAIService() {
        #expect(run([.models: .success(Self.models)]).kind == .openAI)
        // Gateways that answer everything with a page of their own.
        #expect(run([.version: .success("{}"), .props: .success("{}"), .models: .success(Self.models)]).kind == .openAI)
    }

    @Test func aServerThatLoadsIsLlamaServer() {
        #expect(run([.version: .failure(.status(503, message: "Loading model"))]).kind == .llamaServer)
    }

    @Test func whatIsOutOfReachOrNothingOfThisIsTold() {
        #expect(run([.version: .failure(.refused)]).failure == .refused)
        #expect(run([.version: .failure(.timedOut(.seconds(1)))]).failure == .timedOut(.seconds(1)))
        #expect(run([.models: .failure(.status(401, message: ""))]).failure == .status(401, message: ""))
        #expect(run([:]).failure?.description.contains("set its kind") == true)
        #expect(run([.models: .success("<html>")]).failure?.description.contains("set its kind") == true)
    }

    @Test func capabilitiesFollowFromKindAndVersion() {
        #expect(!EndpointKind.ollama.capabilities(version: "0.12.3").contains(.responses))
        #expect(EndpointKind.ollama.capabilities(version: "0.13.3").contains(.responses))
        #expect(!EndpointKind.ollama.capabilities(version: "0.13.3").contains(.messages))
        #expect(EndpointKind.ollama.capabilities(version: "0.14.0").contains([.responses, .messages]))
        #expect(EndpointKind.llamaServer.capabilities().contains([.rerank, .tokenize, .messages, .countTokens]))
        #expect(!EndpointKind.openAI.capabilities().contains(.tokenize))
        let report = EndpointReport(state: EndpointState(phase: .up, since: .now()), found: .messages)
        #expect(report.capabilities(of: .openAI).contains(.messages))
    }
}
