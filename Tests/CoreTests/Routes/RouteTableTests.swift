// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOHTTP1
import Testing

@testable import Core

/// What breaks without these: a route lands on the wrong page, or its errors speak the wrong dialect.
@Suite struct RouteTableTests {
    @Test(arguments: [
        (HTTPMethod.POST, "/api/chat", Dialect.ollama, true), (.POST, "/api/generate", .ollama, true), (.POST, "/api/embed", .ollama, false),
        (.POST, "/v1/chat/completions", .openAI, false), (.POST, "/v1/embeddings", .openAI, false),
    ])
    func forwardsNativeRoutes(_ method: HTTPMethod, _ path: String, _ dialect: Dialect, _ streams: Bool) throws {
        guard case .route(let route) = RouteTable.match(method, path: path), case .forward(_, let byDefault) = route.action else {
            Issue.record("not forwarded")
            return
        }
        #expect(route.dialect == dialect)
        #expect(byDefault == streams)
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
        ("/api/nope", Dialect.ollama), ("/v1/nope", .openAI), ("/nope", .plain), ("/v1/models/", .openAI), ("/apis", .plain), ("", .plain),
    ])
    func theRestIsNotFoundInTheDialectOfItsPrefix(_ path: String, _ dialect: Dialect) {
        #expect(RouteTable.match(.GET, path: path) == .notFound(dialect))
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
