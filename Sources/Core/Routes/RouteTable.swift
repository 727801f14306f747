// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOHTTP1

/// What a route speaks: the shape of its errors and of its streams.
public enum Dialect: Sendable, Equatable {
    /// `/api/...`: `{"error": "..."}`, newline-delimited JSON.
    case ollama
    /// `/v1/...`: OpenAI's error object, server-sent events.
    case openAI
    /// The router's own pages: errors as plain text.
    case plain
}

/// One row of the table: what is done with a request.
public struct Route: Sendable, Equatable {
    public enum Action: Sendable, Equatable {
        /// To one endpoint that has the model; `streamsByDefault` is what an absent `stream` means there.
        case forward(needs: Capabilities, streamsByDefault: Bool)
        /// Answered here.
        case local(LocalPage)
    }

    public enum LocalPage: Sendable, Equatable {
        case root, tags, runningModels, version, openAIModels, openAIModel, health, live, ready
    }

    public var action: Action
    public var dialect: Dialect
    /// Whether it is answered without the router's key.
    public var isPublic = false
}

/// Method and path to route. Rows, not code: whoever looks for a route finds it here.
public enum RouteTable {
    public enum Match: Sendable, Equatable {
        case route(Route)
        /// The path is known, the method is not: the methods that are, for `Allow`.
        case methodNotAllowed(Dialect, allow: String)
        case notFound(Dialect)
    }

    private struct Row {
        var get: Route?
        var head: Route?
        var post: Route?

        static func page(_ page: Route.LocalPage, _ dialect: Dialect, head: Bool = true, isPublic: Bool = false) -> Row {
            let route = Route(action: .local(page), dialect: dialect, isPublic: isPublic)
            return Row(get: route, head: head ? route : nil)
        }

        static func forward(_ needs: Capabilities, _ dialect: Dialect, streamsByDefault: Bool = false) -> Row {
            Row(post: Route(action: .forward(needs: needs, streamsByDefault: streamsByDefault), dialect: dialect))
        }

        func callAsFunction(_ method: HTTPMethod) -> Route? {
            switch method {
            case .GET: get
            case .HEAD: head
            case .POST: post
            default: nil
            }
        }

        var allow: String {
            [("GET", get), ("HEAD", head), ("POST", post)].filter { $0.1 != nil }.map(\.0).joined(separator: ", ")
        }
    }

    private static let rows: [String: Row] = [
        "/": .page(.root, .plain, isPublic: true),
        "/health": .page(.health, .plain),
        "/livez": .page(.live, .plain, isPublic: true),
        "/readyz": .page(.ready, .plain, isPublic: true),

        "/api/generate": .forward(.ollamaAPI, .ollama, streamsByDefault: true),
        "/api/chat": .forward(.ollamaAPI, .ollama, streamsByDefault: true),
        "/api/embed": .forward(.ollamaAPI, .ollama),
        "/api/embeddings": .forward(.ollamaAPI, .ollama),
        "/api/show": .forward(.ollamaAPI, .ollama),
        "/api/tags": .page(.tags, .ollama),
        // Ollama answers HEAD for its lists, but not for this one.
        "/api/ps": .page(.runningModels, .ollama, head: false),
        "/api/version": .page(.version, .ollama),

        "/v1/chat/completions": .forward(.openAIAPI, .openAI),
        "/v1/completions": .forward(.openAIAPI, .openAI),
        "/v1/embeddings": .forward(.openAIAPI, .openAI),
        "/v1/models": .page(.openAIModels, .openAI, head: false),
    ]

    /// `/v1/models/{model}`: all that follows is the model's name, which may hold slashes.
    private static let modelPrefix = "/v1/models/"
    private static let modelRow = Row.page(.openAIModel, .openAI, head: false)

    /// `path` is without its query.
    public static func match(_ method: HTTPMethod, path: String) -> Match {
        let row: Row
        if let exact = rows[path] {
            row = exact
        } else if path.hasPrefix(modelPrefix), path.utf8.count > modelPrefix.utf8.count {
            row = modelRow
        } else {
            return .notFound(dialect(ofPath: path))
        }
        if let route = row(method) { return .route(route) }
        return .methodNotAllowed(dialect(ofPath: path), allow: row.allow)
    }

    /// The model's name in a path of `/v1/models/{model}`, percent-decoded by the caller.
    static func modelName(inPath path: String) -> Substring {
        path.dropFirst(modelPrefix.count)
    }

    static func dialect(ofPath path: String) -> Dialect {
        if path.hasPrefix("/api/") || path == "/api" { return .ollama }
        if path.hasPrefix("/v1/") || path == "/v1" { return .openAI }
        return .plain
    }
}
