// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Finds out what software an endpoint runs where the configuration does not say. Pure: it says what to ask for, and is told.
///
/// Ollama answers `/api/version` with a version, which nothing else does; llama-server's `/props` has its own words; and whoever
/// lists models under `/v1/models` without being either is taken for a service of OpenAI's kind.
struct KindDetection: Sendable {
    enum Question: CaseIterable, Sendable {
        case version, props, models

        var path: String {
            switch self {
            case .version: OllamaProbe.versionPath
            case .props: "/props"
            case .models: OpenAIProbe.modelsPath
            }
        }
    }

    private var left = Question.allCases
    private(set) var kind: EndpointKind?
    private(set) var failure: ProbeError?

    /// What to ask for now; nil when it is known, or cannot be.
    mutating func next() -> Question? {
        guard kind == nil, failure == nil, !left.isEmpty else { return nil }
        return left.removeFirst()
    }

    mutating func answered(_ question: Question, _ body: [UInt8]) {
        switch question {
        case .version:
            if (try? OllamaProbe.version(body)) != nil { kind = .ollama }
        case .props:
            if let props = try? LlamaServerProbe.props(body), props != LlamaServerProbe.Props() || Self.isRouter(body) { kind = .llamaServer }
        case .models:
            if (try? OpenAIProbe.models(body)) != nil {
                kind = .openAI
            } else {
                failure = .badAnswer("neither Ollama, nor llama-server, nor an OpenAI-compatible service: set its kind")
            }
        }
    }

    mutating func failed(_ question: Question, _ error: ProbeError) {
        if LlamaServerProbe.isLoading(error), question == .version {
            // Only llama-server answers everything with 503 while it loads.
            kind = .llamaServer
        } else if error.isConnectionFailure || error.isTimeout || error.isOurs {
            failure = error
        } else if question == .models {
            // A service that wants a key says so here as well, and one that is busy or broken may be anything.
            failure = error.isTelling ? error : .badAnswer("neither Ollama, nor llama-server, nor an OpenAI-compatible service: set its kind")
        }
    }

    /// With several models, `/props` tells of none of them.
    private static func isRouter(_ body: [UInt8]) -> Bool {
        (try? JSONValue(parsing: body))?["role"]?.string == "router"
    }
}

extension ProbeError {
    /// Whether it says more of the server than that it has no such route.
    fileprivate var isTelling: Bool {
        switch self {
        case .status(let code, _, _): isKeyRefused || code == 429 || code >= 500
        case .refused, .unreachable, .timedOut, .badAnswer, .tooLarge, .ours, .cancelled: false
        }
    }
}
