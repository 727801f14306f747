// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Families of routes, as a set: what a request needs and what an endpoint has. Given by the endpoint's kind and by what it
/// answers; nothing else in the router asks what software an endpoint runs in order to know what it can do.
public struct Capabilities: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    private static func bit(_ number: UInt32) -> Capabilities { Capabilities(rawValue: 1 << number) }

    /// `/api/chat`, `/api/embed`, `/api/show` and the rest of `/api/...` as Ollama speaks it, models' management included.
    public static let ollamaAPI = bit(0)
    /// `/v1/chat/completions`
    public static let chat = bit(1)
    /// `/v1/completions`
    public static let completions = bit(2)
    /// `/v1/embeddings`
    public static let embeddings = bit(3)
    /// `/v1/responses`
    public static let responses = bit(4)
    /// `/v1/messages`, as Anthropic speaks it.
    public static let messages = bit(5)
    /// `/v1/messages/count_tokens`
    public static let countTokens = bit(6)
    /// `/rerank`, `/v1/rerank`
    public static let rerank = bit(7)
    /// `/v1/audio/transcriptions`
    public static let transcriptions = bit(8)
    /// `/tokenize`, `/detokenize`, `/apply-template`
    public static let tokenize = bit(9)
    /// `/infill`, `/completion` and what else is llama-server's own.
    public static let llamaServerAPI = bit(10)
    /// Any other `/v1/...`.
    public static let otherOpenAI = bit(11)

    /// What every server of OpenAI's kind has.
    public static let openAIAPI: Capabilities = [.chat, .completions, .embeddings, .otherOpenAI]
}

/// What a route asks of an endpoint: what it must speak, or what the router can translate the request into.
public struct RouteNeeds: Hashable, Sendable {
    public var native: Capabilities
    /// Nil where there is no translation.
    public var translated: Capabilities?

    public init(_ native: Capabilities, translated: Capabilities? = nil) {
        self.native = native
        self.translated = translated
    }

    /// How an endpoint that can do `capabilities` serves the route; nil if it cannot.
    public func fit(of capabilities: Capabilities) -> RouteFit? {
        if capabilities.isSuperset(of: native) { return .native }
        if let translated, capabilities.isSuperset(of: translated) { return .translated }
        return nil
    }
}

/// How an endpoint serves a request.
public enum RouteFit: Sendable, Equatable {
    /// It speaks the route: bytes pass as they are.
    case native
    /// It speaks another dialect.
    case translated
}

/// What software an endpoint runs.
public enum EndpointKind: String, Sendable, CaseIterable {
    case ollama
    case llamaServer = "llama-server"
    /// Any other service that speaks OpenAI's API: external ones, vLLM and the like. It has no notion of loading a model.
    case openAI = "openai"

    /// Whether it loads models into memory and drops them again; else all that it has counts as loaded.
    public var loadsModels: Bool { self != .openAI }

    /// Whether it may be polled whenever something hints at a change; else only at its interval, as it may be somebody else's.
    var isPolledAtWill: Bool { self != .openAI }

    /// Whether its OpenAI streams end with token counts whoever asks.
    var tellsUsageUnasked: Bool { self == .llamaServer }

    /// Whether names match by their short forms, as for files and repositories, instead of as a whole.
    var matchesShortNames: Bool { self == .llamaServer }

    /// What every server of the kind can do. `version` adds what came later.
    public func capabilities(version: String = "") -> Capabilities {
        switch self {
        case .ollama:
            var result: Capabilities = [.ollamaAPI, .openAIAPI, .transcriptions]
            if !(ServerVersion(version) < ServerVersion("0.13.3")) { result.insert(.responses) }
            if !(ServerVersion(version) < ServerVersion("0.14.0")) { result.insert(.messages) }
            return result
        case .llamaServer:
            return [.openAIAPI, .responses, .messages, .countTokens, .rerank, .transcriptions, .tokenize, .llamaServerAPI]
        case .openAI:
            return [.openAIAPI, .rerank, .transcriptions]
        }
    }
}
