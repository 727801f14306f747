// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Which words an endpoint knows and wants: what its kind has, what its answers have taught, what its entry in the configuration says.
struct EndpointWords: Sendable, Equatable {
    var kind: EndpointKind
    /// How long an answer may be.
    var limit = LimitWord.maxTokens
    /// What becomes of an assistant's thoughts when they are handed back.
    var thinking = ThinkingBack.leftOut
    var system = SystemPlace.first
    /// Fields that need not be said, and that it does not want to hear.
    var refused: Set<OptionalField> = []
    /// It has been found not to speak these routes itself.
    private var translates: Set<Operation> = []

    init(_ kind: EndpointKind, learned: WordSettings? = nil, configured: WordSettings? = nil) {
        self.kind = kind
        // It takes what it gives, whatever the model's template does with it.
        if kind == .llamaServer { thinking = .handed(.reasoningContent) }
        for settings in [learned, configured] { if let settings { apply(settings) } }
    }

    private mutating func apply(_ settings: WordSettings) {
        if let limit = settings.limit { self.limit = limit }
        if let thinking = settings.thinking { self.thinking = thinking }
        if let system = settings.system { self.system = system }
        refused.formUnion(settings.refused)
        for operation in [Operation.messages, .responses] {
            switch settings.speaks(operation) {
            case true?: translates.remove(operation)
            case false?: translates.insert(operation)
            case nil: break
            }
        }
    }

    /// Whether a request that the endpoint was taken to understand must be translated all the same.
    func mustTranslate(_ operation: Operation) -> Bool { translates.contains(operation) }

    /// `chat_template_kwargs`: settings for the model's template, such as `enable_thinking`.
    var templateArguments: Bool { kind == .llamaServer && !refused.contains(.templateArguments) }

    /// `POST /models/load` and `/models/unload`.
    var loadsByRoute: Bool { kind == .llamaServer }
}

/// What is known of one endpoint's words beyond its kind: learned, or said by the operator.
struct WordSettings: Sendable, Equatable {
    var limit: LimitWord?
    var thinking: ThinkingBack?
    var system: SystemPlace?
    var refused: Set<OptionalField> = []
    /// Whether it speaks these routes itself, whatever it answers when it is asked; nil to ask it.
    var speaksMessages: Bool?
    var speaksResponses: Bool?

    var isEmpty: Bool { self == WordSettings() }

    mutating func add(_ more: WordSettings) {
        limit = more.limit ?? limit
        thinking = more.thinking ?? thinking
        system = more.system ?? system
        refused.formUnion(more.refused)
        speaksMessages = more.speaksMessages ?? speaksMessages
        speaksResponses = more.speaksResponses ?? speaksResponses
    }

    func adding(_ more: WordSettings) -> WordSettings {
        var sum = self
        sum.add(more)
        return sum
    }

    /// What the endpoint can do, by what was found and by what is said here.
    func corrected(_ capabilities: Capabilities) -> Capabilities {
        var result = capabilities
        for (speaks, capability) in [(speaksMessages, Capabilities.messages), (speaksResponses, .responses)] {
            switch speaks {
            case true?: result.insert(capability)
            case false?: result.remove(capability)
            case nil: break
            }
        }
        return result
    }

    /// For people: `max_tokens: max_completion_tokens; refuses: [stream_options]`.
    var text: String { members.joined(separator: "; ") }

    /// As the members of `words` would say it.
    var yaml: String { members.joined(separator: ", ") }

    private var members: [String] {
        var parts: [String] = []
        if let limit { parts.append("max_tokens: \(limit.rawValue)") }
        if let thinking { parts.append("thinking: \(thinking.text)") }
        if let system { parts.append("system: \(system.rawValue)") }
        if !refused.isEmpty { parts.append("refuses: [\(refused.map(\.rawValue).sorted().joined(separator: ", "))]") }
        if let speaksMessages { parts.append("messages: \(speaksMessages ? "native" : "translated")") }
        if let speaksResponses { parts.append("responses: \(speaksResponses ? "native" : "translated")") }
        return parts
    }

    /// Whether a request of this kind goes there in its own dialect; nil where nothing is known.
    func speaks(_ operation: Operation) -> Bool? {
        switch operation {
        case .messages: speaksMessages
        case .responses: speaksResponses
        default: nil
        }
    }
}

enum LimitWord: String, Sendable, CaseIterable {
    case maxTokens = "max_tokens"
    case maxCompletionTokens = "max_completion_tokens"
}

/// The member of a message that holds what a model thought.
enum ThinkingWord: String, Sendable, CaseIterable {
    /// DeepSeek's, which most servers took over.
    case reasoningContent = "reasoning_content"
    case reasoning
    /// Ollama's.
    case thinking
}

enum ThinkingBack: Sendable, Equatable {
    case leftOut
    /// In the word that the endpoint itself uses.
    case handed(ThinkingWord)
    /// The same, and an empty one with calls of tools where nothing is known of the thoughts.
    case demanded(ThinkingWord)

    var word: ThinkingWord? {
        switch self {
        case .leftOut: nil
        case .handed(let word), .demanded(let word): word
        }
    }

    var text: String { word?.rawValue ?? "none" }
}

/// Where the model's template takes system messages.
enum SystemPlace: String, Sendable, CaseIterable {
    /// One, at the beginning: the texts of the others are added to it.
    case first
    case anywhere
}

/// What a writer says besides what the answer depends on, so that it can also be left unsaid.
enum OptionalField: String, Sendable, CaseIterable {
    case streamOptions = "stream_options"
    case templateArguments = "chat_template_kwargs"
    case reasoningEffort = "reasoning_effort"
    case user
    case cacheKey = "prompt_cache_key"
    case parallelCalls = "parallel_tool_calls"
    case strict
    /// Ollama's. That a model shall not think is said to every model, as none refuses it.
    case think
}
