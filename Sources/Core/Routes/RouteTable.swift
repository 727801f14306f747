// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOHTTP1

/// What a route speaks: the shape of its errors and of its streams.
public enum Dialect: Sendable, Equatable {
    /// `/api/...`: `{"error": "..."}`, newline-delimited JSON.
    case ollama
    /// `/v1/...`: OpenAI's error object, server-sent events.
    case openAI
    /// `/v1/messages`: Anthropic's error object, server-sent events with names.
    case anthropic
    /// The router's own pages: errors as plain text.
    case plain
}

/// One row of the table: what is done with a request.
public struct Route: Sendable, Equatable {
    public enum Action: Sendable, Hashable {
        /// To one endpoint that has the model.
        case forward(Operation)
        /// Answered here, at once.
        case local(LocalPage)
        /// Answered here, after a question to the storage or to endpoints.
        case report(ReportPage)
        /// To every endpoint that the policy or `?endpoint=` names.
        case manage(ModelOperation)
        /// `/api/blobs/{digest}`: a body of any size, to every endpoint that a later `create` may go to.
        case blob
        /// The account at ollama.com and the like: to the first Ollama endpoint.
        case firstOllama
    }

    public enum LocalPage: Sendable, Hashable {
        case root, tags, runningModels, runningModelsInDetail, version, openAIModels, openAIModel, health, live, ready, preflight
    }

    public enum ReportPage: Sendable, Hashable {
        case usage, usageStream, config, tokenCounts, stats, foldSeries, cacheStats, cacheInvalidate, metrics
    }

    public var action: Action
    public var dialect: Dialect
    /// Whether it is answered without the router's key.
    public var isPublic = false
    /// The path that endpoints know it by, where that is another.
    public var upstreamPath: String?
}

/// Method and path to route. Rows, not code: whoever looks for a route finds it here.
public enum RouteTable {
    public enum Match: Sendable, Equatable {
        case route(Route)
        /// The path is known, the method is not: the methods that are, for `Allow`.
        case methodNotAllowed(Dialect, allow: String)
    }

    private struct Row {
        var methods: [(HTTPMethod, Route)]

        static func page(_ page: Route.LocalPage, _ dialect: Dialect, head: Bool = true, isPublic: Bool = false) -> Row {
            let route = Route(action: .local(page), dialect: dialect, isPublic: isPublic)
            return Row(methods: head ? [(.GET, route), (.HEAD, route)] : [(.GET, route)])
        }

        static func report(_ page: Route.ReportPage, _ method: HTTPMethod = .GET, _ dialect: Dialect = .ollama) -> Row {
            Row(methods: [(method, Route(action: .report(page), dialect: dialect))])
        }

        /// - Parameter alias: the path is another name of the operation's own.
        static func forward(_ operation: Operation, _ dialect: Dialect, alias: Bool = false) -> Row {
            Row(methods: [(.POST, Route(action: .forward(operation), dialect: dialect, upstreamPath: alias ? operation.rawValue : nil))])
        }

        static func manage(_ operation: ModelOperation, _ method: HTTPMethod = .POST) -> Row {
            Row(methods: [(method, Route(action: .manage(operation), dialect: .ollama))])
        }

        func callAsFunction(_ method: HTTPMethod) -> Route? {
            methods.first { $0.0 == method }?.1
        }

        var allow: String { methods.map(\.0.rawValue).joined(separator: ", ") }
    }

    private static let rows: [String: Row] = [
        "/": .page(.root, .plain, isPublic: true),
        "/health": .page(.health, .plain),
        "/livez": .page(.live, .plain, isPublic: true),
        "/readyz": .page(.ready, .plain, isPublic: true),
        "/metrics": .report(.metrics, .GET, .plain),

        // Ollama.
        "/api/generate": .forward(.ollamaGenerate, .ollama),
        "/api/chat": .forward(.ollamaChat, .ollama),
        "/api/embed": .forward(.ollamaEmbed, .ollama),
        "/api/embeddings": .forward(.ollamaEmbeddings, .ollama),
        "/api/show": .forward(.ollamaShow, .ollama),
        "/api/tags": .page(.tags, .ollama),
        // Ollama answers HEAD for its lists, but not for this one.
        "/api/ps": .page(.runningModels, .ollama, head: false),
        "/api/version": .page(.version, .ollama),
        "/api/pull": .manage(.pull),
        "/api/push": .manage(.push),
        "/api/create": .manage(.create),
        "/api/copy": .manage(.copy),
        "/api/delete": .manage(.delete, .DELETE),

        // OpenAI, with the names that llama-server gives the same routes.
        "/v1/chat/completions": .forward(.chat, .openAI),
        "/chat/completions": .forward(.chat, .openAI, alias: true),
        "/v1/completions": .forward(.completions, .openAI),
        "/v1/embeddings": .forward(.embeddings, .openAI),
        "/embeddings": .forward(.embeddings, .openAI, alias: true),
        "/v1/responses": .forward(.responses, .openAI),
        "/responses": .forward(.responses, .openAI, alias: true),
        "/v1/audio/transcriptions": .forward(.transcriptions, .openAI),
        "/audio/transcriptions": .forward(.transcriptions, .openAI, alias: true),
        "/v1/models": .page(.openAIModels, .openAI, head: false),
        "/v1/rerank": .forward(.rerank, .openAI),
        "/rerank": .forward(.rerank, .openAI, alias: true),
        "/v1/reranking": .forward(.rerank, .openAI, alias: true),
        "/reranking": .forward(.rerank, .openAI, alias: true),

        // Anthropic.
        "/v1/messages": .forward(.messages, .anthropic),
        "/v1/messages/count_tokens": .forward(.countTokens, .anthropic),

        // llama-server.
        "/tokenize": .forward(.tokenize, .openAI),
        "/detokenize": .forward(.tokenize, .openAI),
        "/apply-template": .forward(.tokenize, .openAI),
        "/infill": .forward(.llamaServer, .openAI),
        "/completion": .forward(.llamaServer, .openAI),
        "/completions": .forward(.llamaServer, .openAI),
        "/embedding": .forward(.llamaServer, .openAI),

        // What operators and dashboards of the router read.
        "/api/ps_details": .page(.runningModelsInDetail, .ollama, head: false),
        "/api/usage": .report(.usage),
        "/api/usage-stream": .report(.usageStream),
        "/api/config": .report(.config),
        "/api/token_counts": .report(.tokenCounts),
        "/api/stats": .report(.stats, .POST),
        "/api/aggregate_time_series_days": .report(.foldSeries, .POST),
        "/api/cache/stats": .report(.cacheStats, .GET),
        "/api/cache/invalidate": .report(.cacheInvalidate, .POST),
    ]

    /// `/v1/models/{model}`: all that follows is the model's name, which may hold slashes.
    private static let modelPrefix = "/v1/models/"
    private static let modelRow = Row.page(.openAIModel, .openAI, head: false)
    static let blobPrefix = "/api/blobs/"
    private static let blobRow = Row(
        methods: [HTTPMethod.HEAD, .POST].map { ($0, Route(action: .blob, dialect: .ollama)) })
    /// The account at ollama.com, and what else one Ollama server answers for itself.
    private static let accountPaths = ["/api/me", "/api/signout", "/api/status"]
    private static let accountPrefixes = ["/api/user/", "/api/experimental/"]

    /// `path` is without its query.
    public static func match(_ method: HTTPMethod, path: String) -> Match {
        let row: Row
        if let exact = rows[path] {
            row = exact
        } else if path.hasPrefix(modelPrefix), path.utf8.count > modelPrefix.utf8.count {
            // Other methods on a model are its endpoint's business.
            if modelRow(method) == nil, method != .OPTIONS { return .route(Route(action: .forward(.otherOpenAI), dialect: .openAI)) }
            row = modelRow
        } else if path.hasPrefix(blobPrefix) {
            row = blobRow
        } else {
            return .route(unknown(path))
        }
        if let route = row(method) { return .route(route) }
        // What a browser asks before it sends anything; it has no key yet.
        if method == .OPTIONS { return .route(Route(action: .local(.preflight), dialect: dialect(ofPath: path), isPublic: true)) }
        return .methodNotAllowed(dialect(ofPath: path), allow: row.allow)
    }

    /// What is not in the table passes through where it is clear which endpoint is meant.
    private static func unknown(_ path: String) -> Route {
        let dialect = dialect(ofPath: path)
        if accountPaths.contains(path) || accountPrefixes.contains(where: path.hasPrefix) { return Route(action: .firstOllama, dialect: .ollama) }
        let operation: Operation =
            switch dialect {
            case .ollama: .otherOllama
            case .openAI, .anthropic: .otherOpenAI
            case .plain: .other
            }
        return Route(action: .forward(operation), dialect: dialect)
    }

    /// The model's name in a path of `/v1/models/{model}`, percent-decoded by the caller.
    static func modelName(inPath path: String) -> Substring {
        path.dropFirst(modelPrefix.count)
    }

    /// The model that a path names; nil if it names none.
    static func model(inPath path: String) -> String? {
        guard path.hasPrefix(modelPrefix) else { return nil }
        let name = PercentEncoding.decode(modelName(inPath: path))
        return name.isEmpty ? nil : name
    }

    static func dialect(ofPath path: String) -> Dialect {
        if path.hasPrefix("/api/") || path == "/api" { return .ollama }
        if path == "/v1/messages" || path.hasPrefix("/v1/messages/") { return .anthropic }
        if path.hasPrefix("/v1/") || path == "/v1" { return .openAI }
        return .plain
    }
}
