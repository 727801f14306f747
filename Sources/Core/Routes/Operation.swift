// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What a request that names a model wants of it: one value for each kind of work, whatever path it came by.
public enum Operation: String, Sendable, CaseIterable {
    // Ollama's own.
    case ollamaChat = "/api/chat"
    case ollamaGenerate = "/api/generate"
    case ollamaEmbed = "/api/embed"
    case ollamaEmbeddings = "/api/embeddings"
    case ollamaShow = "/api/show"
    // OpenAI's.
    case chat = "/v1/chat/completions"
    case completions = "/v1/completions"
    case embeddings = "/v1/embeddings"
    case responses = "/v1/responses"
    case transcriptions = "/v1/audio/transcriptions"
    case rerank = "/v1/rerank"
    // Anthropic's.
    case messages = "/v1/messages"
    case countTokens = "/v1/messages/count_tokens"
    // llama-server's own.
    case tokenize = "/tokenize"
    case llamaServer = "/infill"
    // Not in the table: passed on to where the model is.
    case otherOllama = "/api/*"
    case otherOpenAI = "/v1/*"
    case other = "*"

    /// What an endpoint must be able to do.
    public var needs: RouteNeeds {
        switch self {
        case .ollamaChat, .ollamaGenerate: RouteNeeds(.ollamaAPI, translated: .chat)
        case .ollamaEmbed, .ollamaEmbeddings: RouteNeeds(.ollamaAPI, translated: .embeddings)
        case .ollamaShow: RouteNeeds(.ollamaAPI, translated: [])
        case .chat: RouteNeeds(.chat)
        case .completions: RouteNeeds(.completions)
        case .embeddings: RouteNeeds(.embeddings)
        case .responses: RouteNeeds(.responses, translated: .chat)
        case .transcriptions: RouteNeeds(.transcriptions)
        case .rerank: RouteNeeds(.rerank)
        case .messages: RouteNeeds(.messages, translated: .chat)
        case .countTokens: RouteNeeds(.countTokens)
        case .tokenize: RouteNeeds(.tokenize)
        case .llamaServer: RouteNeeds(.llamaServerAPI)
        case .otherOllama: RouteNeeds(.ollamaAPI)
        case .otherOpenAI: RouteNeeds(.otherOpenAI)
        case .other: RouteNeeds([])
        }
    }

    /// What an absent `stream` means.
    public var streamsByDefault: Bool { self == .ollamaChat || self == .ollamaGenerate }

    /// Whether a request's `options` say with what its model is to be loaded. In OpenAI's routes nobody reads them.
    public var takesRunnerOptions: Bool {
        switch self {
        case .ollamaChat, .ollamaGenerate, .ollamaEmbed, .ollamaEmbeddings: true
        default: false
        }
    }

    /// A request for several answers and a choice among them (`moe-...`) can be made of it.
    public var allowsMixture: Bool { self == .ollamaChat || self == .ollamaGenerate || self == .chat }

    /// Streams of it tell their token counts only to whom asks (`stream_options.include_usage`).
    public var tellsUsageWhenAsked: Bool { self == .chat || self == .completions }

    /// Whether it waits for a slot of its model. What costs the endpoint next to nothing does not.
    public var takesSlot: Bool { self != .ollamaShow && self != .tokenize && self != .countTokens }

    /// Whether its answer is made of tokens, rather than of vectors or scores.
    public var makesTokens: Bool {
        switch self {
        case .ollamaEmbed, .ollamaEmbeddings, .embeddings, .rerank: false
        default: true
        }
    }

    /// Streams of it say when they are complete; one that ends without having said so is cut.
    public var streamsTellTheirEnd: Bool {
        switch self {
        case .ollamaChat, .ollamaGenerate, .chat, .completions, .responses, .messages: true
        default: false
        }
    }

    /// Whether the router reads the answers on their way: they tell token counts, and some are kept.
    public var answersAreRead: Bool {
        switch self {
        case .ollamaChat, .ollamaGenerate, .ollamaEmbed, .ollamaEmbeddings, .chat, .completions, .embeddings, .responses, .messages, .rerank,
            .llamaServer:
            true
        case .ollamaShow, .transcriptions, .countTokens, .tokenize, .otherOllama, .otherOpenAI, .other: false
        }
    }

    /// Whether the request may go without naming a model, where only one endpoint could be meant.
    public var mayLackModel: Bool {
        switch self {
        case .tokenize, .llamaServer, .otherOllama, .otherOpenAI, .other: true
        default: false
        }
    }
}

/// What is done with models on several endpoints at once.
public enum ModelOperation: String, Sendable, CaseIterable {
    case pull, push, create, copy, delete

    public var path: String { "/api/\(rawValue)" }

    /// The answer is a stream of progress unless the request says otherwise.
    public var tellsProgress: Bool { self == .pull || self == .push || self == .create }
}
