// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// What a client asks of a model, whatever dialect it speaks. Each request reader makes one of these, and each request writer says it in
/// the words of an endpoint.
struct Conversation: Sendable, Equatable {
    var turns: [Turn] = []
    /// A text to go on with, without turns and without a template; `turns` is empty then.
    var prompt: RawPrompt?
    var tools: [Tool] = []
    var toolChoice: ToolChoice?
    /// Whether the model may call several tools in one turn; nil where the client does not say.
    var allowsParallelCalls: Bool?
    var sampling = Sampling()
    var format: Format?
    var thinking = ThinkingWish()
    var wants = Wants()
    /// Who is behind the client, for the endpoint's own books.
    var user: String?
    /// What makes requests with the same beginning meet the same cache.
    var cacheKey: String?

    /// A text as it is, and what is to follow the answer.
    struct RawPrompt: Sendable, Equatable {
        var text: String
        var suffix: String?
    }

    /// What form the answer must have.
    enum Format: Sendable, Equatable {
        case json
        case schema(name: String?, JSONValue, strict: Bool?)
    }

    /// Whether the model shall think before it answers, and how hard.
    struct ThinkingWish: Sendable, Equatable {
        var isWanted: Bool?
        var effort: String?
    }

    /// What the client wants to be told.
    struct Wants: Sendable, Equatable {
        var stream = false
        /// The token counts of a stream, where the dialect tells them only to whom asks.
        var usage = true
        /// Log probabilities of the tokens, and of how many others at each place; nil for none at all.
        var logprobs: Int?
    }
}

/// One thing that somebody said.
struct Turn: Sendable, Equatable {
    enum Role: String, Sendable { case system, user, assistant, tool }

    var role: Role
    var parts: [Part]

    init(_ role: Role, _ parts: [Part]) {
        self.role = role
        self.parts = parts
    }
}

enum Part: Sendable, Equatable {
    case text(String)
    case image(Image)
    case document(Document)
    /// Of an assistant's turn.
    case thinking(Thinking)
    /// Of an assistant's turn.
    case call(ToolCall)
    /// Of a tool's turn.
    case result(ToolResult)
}

struct Image: Sendable, Equatable {
    enum Source: Sendable, Equatable {
        case base64(type: String, data: String)
        case url(String)
    }

    var source: Source
    /// How closely to look: `low`, `high`, `auto`.
    var detail: String?

    init(_ source: Source, detail: String? = nil) {
        self.source = source
        self.detail = detail
    }

    /// A data URL is taken apart; any other one is left to the endpoint.
    init(url: String, detail: String? = nil) {
        source = .url(url)
        self.detail = detail
        let bytes = url.utf8
        guard url.hasPrefix("data:"), let comma = bytes.firstIndex(of: UInt8(ascii: ",")) else { return }
        let head = url[..<comma].dropFirst("data:".count)
        guard head.hasSuffix(Self.base64Mark) else { return }
        source = .base64(type: String(head.dropLast(Self.base64Mark.count)), data: String(url[bytes.index(after: comma)...]))
    }

    private static let base64Mark = ";base64"

    /// Ollama's form. The kind is told by the first bytes, which base64 shows as fixed letters.
    init(base64: String) {
        if base64.hasPrefix("data:") {
            self.init(url: base64)
        } else {
            let types = [("iVBOR", "png"), ("R0lGOD", "gif"), ("UklGR", "webp"), ("/9j/", "jpeg")]
            let type = types.first { base64.hasPrefix($0.0) }?.1 ?? "jpeg"
            self.init(.base64(type: "image/\(type)", data: base64))
        }
    }

    /// As OpenAI wants it.
    var url: String {
        switch source {
        case .base64(let type, let data): "data:\(type);base64,\(data)"
        case .url(let url): url
        }
    }
}

struct Document: Sendable, Equatable {
    enum Source: Sendable, Equatable {
        case text(String)
        case base64(type: String, data: String)
    }

    var source: Source
    var title: String?

    /// For whoever reads text alone; nil for what is none.
    var text: String? {
        guard case .text(let text) = source else { return nil }
        return title.map { "\($0)\n\(text)" } ?? text
    }
}

/// What a model thought, and what its maker wants to have back with it.
struct Thinking: Sendable, Equatable {
    var text: String
    /// Opaque: given with the text, and handed back with it.
    var signature: String?

    init(_ text: String, signature: String? = nil) {
        self.text = text
        self.signature = signature
    }
}

struct ToolCall: Sendable, Equatable {
    var id: String
    var name: String
    /// JSON, as the model wrote it.
    var arguments: String
}

struct ToolResult: Sendable, Equatable {
    var callID: String
    /// Of the tool, where the dialect tells it.
    var name: String?
    /// Texts, images and documents.
    var parts: [Part]
    var isError = false
}

struct Tool: Sendable, Equatable {
    var name: String
    var description: String?
    /// A JSON schema; nil where the client gave none.
    var parameters: JSONValue?
    var strict: Bool?
}

enum ToolChoice: Sendable, Equatable {
    case auto, none, required
    case tool(String)
}

/// How tokens are chosen, and how many.
struct Sampling: Sendable, Equatable {
    /// By OpenAI's names and those that llama-server and vLLM have added.
    enum Parameter: String, Sendable, CaseIterable {
        case temperature, top_p, top_k, min_p, typical_p, seed, frequency_penalty, presence_penalty, repeat_penalty, repeat_last_n, mirostat,
            mirostat_tau, mirostat_eta, logit_bias
    }

    /// As the client wrote them.
    var values: [Parameter: JSONValue] = [:]
    var stop: JSONValue?
    var maxTokens: JSONValue?
}
