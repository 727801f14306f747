// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOHTTP1
import Testing

@testable import Core

/// What breaks without these: a route lands on the wrong page, or its errors speak the wrong dialect.
@Suite struct RouteTableTests {
    @Test(arguments: [
        (HTTPMethod.POST, "/api/chat", Dialect.ollama, true), (.POST, "/api/generate", .ollama, true), (.POST, "/api/embed", .ollama, false),
        (.POST, "/v1/messages", .anthropic, false),
        (.POST, "/v1/chat/completions", .openAI, false), (.POST, "/v1/embeddings", .openAI, false),
    ])
    func forwardsNativeRoutes(_ method: HTTPMethod, _ path: String, _ dialect: Dialect, _ streams: Bool) throws {
        guard case .route(let route) = RouteTable.match(method, path: path), case .forward(let operation) = route.action else {
            Issue.record("not forwarded")
            return
        }
        #expect(route.dialect == dialect)
        #expect(operation.streamsByDefault == streams)
    }

    @Test(arguments: [
        (HTTPMethod.GET, "/", Route.LocalPage.root), (.HEAD, "/", .root), (.GET, "/api/tags", .tags), (.HEAD, "/api/tags", .tags),
        (.GET, "/api/ps", .runningModels), (.GET, "/v1/models", .openAIModels), (.GET, "/v1/models/a/b:c", .openAIModel), (.GET, "/livez", .live),
    ])
    func answersItsOwnPages(_ method: HTTPMethod, _ path: String, _ page: Route.LocalPage) {
        guard case .route(let route) = RouteTable.match(method, path: path) else {
            Issue.record("no route")
            return
        }
        #expect(route.action == .local(page))
    }

    @Test(arguments: [
        ("/api/nope", Dialect.ollama, Operation.otherOllama), ("/v1/nope", .openAI, .otherOpenAI), ("/nope", .plain, .other),
        ("/v1/models/", .openAI, .otherOpenAI), ("/apis", .plain, .other), ("", .plain, .other), ("/v1/systemone", .openAI, .otherOpenAI),
    ])
    func theRestPassesThroughInTheDialectOfItsPrefix(_ path: String, _ dialect: Dialect, _ operation: Operation) {
        #expect(RouteTable.match(.PATCH, path: path) == .route(Route(action: .forward(operation), dialect: dialect)))
    }

    @Test(arguments: [
        ("/rerank", "/v1/rerank"), ("/v1/reranking", "/v1/rerank"), ("/chat/completions", "/v1/chat/completions"), ("/v1/rerank", nil),
        ("/tokenize", nil),
    ])
    func otherNamesOfARouteAreSentByItsOwn(_ path: String, _ upstream: String?) throws {
        guard case .route(let route) = RouteTable.match(.POST, path: path) else { throw CancellationError() }
        #expect(route.upstreamPath == upstream)
    }

    @Test func accountsGoToOneOllama() {
        for path in ["/api/me", "/api/signout", "/api/user/keys/abc", "/api/experimental/web_search", "/api/status"] {
            #expect(RouteTable.match(.POST, path: path) == .route(Route(action: .firstOllama, dialect: .ollama)))
        }
    }

    @Test func whatABrowserAsksFirstNeedsNoKey() throws {
        guard case .route(let route) = RouteTable.match(.OPTIONS, path: "/api/chat") else { throw CancellationError() }
        #expect(route.action == .local(.preflight) && route.isPublic)
    }

    @Test func aWrongMethodTellsTheRightOnes() {
        #expect(RouteTable.match(.GET, path: "/api/chat") == .methodNotAllowed(.ollama, allow: "POST"))
        #expect(RouteTable.match(.HEAD, path: "/api/ps") == .methodNotAllowed(.ollama, allow: "GET"))
        #expect(RouteTable.match(.DELETE, path: "/api/tags") == .methodNotAllowed(.ollama, allow: "GET, HEAD"))
    }

    @Test func onlyPagesThatTellNothingArePublic() {
        for path in ["/", "/livez", "/readyz"] {
            guard case .route(let route) = RouteTable.match(.GET, path: path) else {
                Issue.record("no route \(path)")
                continue
            }
            #expect(route.isPublic)
        }
        for path in ["/api/tags", "/health", "/v1/models", "/api/ps", "/api/version"] {
            guard case .route(let route) = RouteTable.match(.GET, path: path) else {
                Issue.record("no route \(path)")
                continue
            }
            #expect(!route.isPublic)
        }
    }
}
