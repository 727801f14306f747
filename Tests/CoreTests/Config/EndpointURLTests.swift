// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Testing

@testable import Core

/// What breaks without these: an endpoint is taken for another kind, or its routes are looked for where they are not.
@Suite struct EndpointURLTests {
    struct Row: Sendable, CustomStringConvertible {
        var url: String
        var given: EndpointKind?
        var kind: EndpointKind?
        /// Where `/v1/models` and `/api/tags` are found.
        var models: String
        var tags: String
        var shown: String
        var description: String { url }
    }

    @Test(arguments: [
        Row(url: "http://a:11434", kind: .ollama, models: "/v1/models", tags: "/api/tags", shown: "http://a:11434"),
        Row(url: "http://a:11434/v1", kind: .ollama, models: "/v1/models", tags: "/api/tags", shown: "http://a:11434"),
        Row(url: "http://a:11434/sub", kind: .ollama, models: "/sub/v1/models", tags: "/sub/api/tags", shown: "http://a:11434/sub"),
        Row(url: "http://a:8080", kind: nil, models: "/v1/models", tags: "/api/tags", shown: "http://a:8080"),
        Row(url: "https://api.openai.com/v1", kind: .openAI, models: "/v1/models", tags: "/api/tags", shown: "https://api.openai.com/v1"),
        Row(
            url: "https://h/inference/v1/", kind: .openAI, models: "/inference/v1/models", tags: "/inference/api/tags",
            shown: "https://h/inference/v1"),
        Row(url: "https://h/v1/openai", kind: .openAI, models: "/v1/openai/models", tags: "/api/tags", shown: "https://h/v1/openai"),
        Row(
            url: "https://h/api/paas/v4", given: .openAI, kind: .openAI, models: "/api/paas/v4/models", tags: "/api/tags",
            shown: "https://h/api/paas/v4"),
        Row(url: "http://h:8000", given: .openAI, kind: .openAI, models: "/v1/models", tags: "/api/tags", shown: "http://h:8000/v1"),
        Row(url: "http://h:8080/v1", given: .llamaServer, kind: .llamaServer, models: "/v1/models", tags: "/api/tags", shown: "http://h:8080"),
        Row(url: "https://h:443", kind: nil, models: "/v1/models", tags: "/api/tags", shown: "https://h"),
    ])
    func theURLTellsKindAndRoutes(_ row: Row) throws {
        let reading = try EndpointURL.read(row.url, kind: row.given)
        #expect(reading.kind == row.kind)
        #expect(reading.address.url == row.shown)
        for (route, path) in [("/v1/models", row.models), ("/api/tags", row.tags)] {
            let (prefix, rest) = reading.address.path(for: Substring(route))
            #expect(prefix + rest == path)
        }
    }

    @Test func theHostHeaderNamesAPortOnlyWhereItIsNotTheUsualOne() throws {
        #expect(try EndpointURL.read("https://a/v1", kind: nil).address.authority == "a")
        #expect(try EndpointURL.read("https://a:80/v1", kind: nil).address.authority == "a:80")
        #expect(try EndpointURL.read("http://[::1]:8080", kind: nil).address.authority == "[::1]:8080")
    }
}
