// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers
import Protocol
import TestSupport
import Testing

/// Answers to questions that mean the same, on the real daemon with the real sentence model.
@Suite struct MeaningTests {
    private static let model = Checkout.root + "/.build/model"
    // A debug build beside other tests takes longer than the usual budget.
    private static let on = "cache_enabled: true\ncache_similarity: 0.8\ncache_model_path: \(model)\ncache_embed_budget: 10s\n"

    private static func ask(_ question: String, system: String? = nil, history: [(String, String)] = [], _ more: String = "") -> String {
        var messages = system.map { [#"{"role":"system","content":"\#($0)"}"#] } ?? []
        for (user, assistant) in history {
            messages += [#"{"role":"user","content":"\#(user)"}"#, #"{"role":"assistant","content":"\#(assistant)"}"#]
        }
        messages.append(#"{"role":"user","content":"\#(question)"}"#)
        return #"{"model":"m","stream":false,"messages":[\#(messages.joined(separator: ","))]\#(more)}"#
    }

    private static func post(_ daemon: RunningDaemon, _ body: String, _ headers: [String] = []) throws -> RawResponse {
        try RawClient.post(port: daemon.port, "/api/chat", body, headers: headers)
    }

    private static func vectors(_ daemon: RunningDaemon, _ count: Int) throws {
        try eventually("\(count) questions are compared") { try daemon.status().cache.vectors == count }
    }

    /// The same question in other words; nearly the same words, and another question.
    @Test func whatMeansTheSameIsAnswered() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: CacheTests.counting())
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            try #expect(Self.post(daemon, Self.ask("How do I reset my password?")).head["x-cache"] == "miss")
            try Self.vectors(daemon, 1)
            let similar = try Self.post(daemon, Self.ask("How can I reset my password?"))
            #expect(similar.head["x-cache"] == "semantic" && similar.text.contains("answer 1"))
            let similarity = try #require(similar.head["x-cache-similarity"].flatMap(Double.init))
            #expect((0.8...1).contains(similarity))
            #expect(endpoint.requestCount == 1)
            // The same words make an exact hit.
            try #expect(Self.post(daemon, Self.ask("How do I reset my password?")).head["x-cache"] == "hit")
            for other in ["How do I not reset my password?", "How do I reset my 2 passwords?", "What is the capital of France?"] {
                try #expect(Self.post(daemon, Self.ask(other)).head["x-cache"] == "miss", "\(other)")
            }
            let info = try daemon.status().cache
            #expect(info.semantic && info.semanticHits == 1 && info.exactHits == 1 && info.semanticFault == "")
            try #expect(daemon.routerctl("cache", "stats").output.contains("1 by meaning"))
        }
    }

    /// Another system prompt, other options, another key, another route: nothing is shared.
    @Test func onlyWithinOneNamespace() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: CacheTests.counting())
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            _ = try Self.post(daemon, Self.ask("How do I reset my password?", system: "Be brief."))
            try Self.vectors(daemon, 1)
            let other = "How can I reset my password?"
            try #expect(Self.post(daemon, Self.ask(other, system: "Be brief.")).head["x-cache"] == "semantic")
            try #expect(Self.post(daemon, Self.ask(other, system: "Be long.")).head["x-cache"] == "miss")
            try #expect(Self.post(daemon, Self.ask(other, system: "Be brief.", #","options":{"seed":1}"#)).head["x-cache"] == "miss")
            try #expect(Self.post(daemon, Self.ask(other, system: "Be brief.", #","format":"json""#)).head["x-cache"] == "miss")
            try #expect(Self.post(daemon, Self.ask(other, system: "Be brief."), ["Authorization: Bearer x"]).head["x-cache"] == "miss")
            let v1 = try RawClient.post(port: daemon.port, "/v1/chat/completions", Self.ask(other, system: "Be brief."))
            #expect(v1.head["x-cache"] == "miss")
            // Tools and images are for the moment.
            let tools = #","tools":[{"type":"function","function":{"name":"f","parameters":{}}}]"#
            for question in ["How do I reset my password?", other] {
                try #expect(Self.post(daemon, Self.ask(question, system: "Be brief.", tools)).head["x-cache"] == "miss")
            }
        }
    }

    /// What was said before counts.
    @Test func historyCounts() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: CacheTests.counting())
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            let paris = [("Tell me about the city of Paris.", "It is the capital of France, on the river Seine.")]
            let berlin = [("Tell me about the city of Berlin.", "It is the capital of Germany, on the river Spree.")]
            _ = try Self.post(daemon, Self.ask("How many people live there?", history: paris))
            try Self.vectors(daemon, 1)
            try #expect(Self.post(daemon, Self.ask("How many people are living there?", history: paris)).head["x-cache"] == "semantic")
            try #expect(Self.post(daemon, Self.ask("How many people are living there?", history: berlin)).head["x-cache"] == "miss")
            try #expect(Self.post(daemon, Self.ask("How many people are living there?")).head["x-cache"] == "miss")
            // One word of an answer may be what the question is about.
            let rabbit = [("Name any animal, please.", "The rabbit is a small animal with long ears that lives in meadows.")]
            let hamster = [("Name any animal, please.", "The hamster is a small animal with long ears that lives in meadows.")]
            _ = try Self.post(daemon, Self.ask("How long do they live?", history: rabbit))
            try eventually("it is compared") {
                try Self.post(daemon, Self.ask("How long do they live for?", history: rabbit)).head["x-cache"] == "semantic"
            }
            try #expect(Self.post(daemon, Self.ask("How long do they live?", history: hamster)).head["x-cache"] == "miss")
        }
    }

    /// Texts that are alike to where they are read, and differ behind it, are not the same.
    @Test func longTextsAreNotCompared() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: CacheTests.counting())
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            let text = String(repeating: "the river flows quietly through the valley and ", count: 50)
            for ending in ["the sea", "the lake"] {
                try #expect(Self.post(daemon, Self.ask("Summarise this: \(text)\(ending)")).head["x-cache"] == "miss")
            }
            // Without spaces it is one word, and too many tokens all the same.
            let dense = String(repeating: "漢字", count: 200)
            for ending in ["山", "川"] { try #expect(Self.post(daemon, Self.ask(dense + ending)).head["x-cache"] == "miss") }
            try CacheTests.untilKept(daemon, entries: 4)
            try #expect(daemon.status().cache.vectors == 0 && daemon.status().cache.semanticFault == "")
        }
    }

    /// What belongs to one person goes to nobody else.
    @Test func personalAnswersAreNotShared() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, request in
            let text = String(decoding: request.body, as: UTF8.self)
            let answer = text.contains("mail") ? "Write to jane.doe@example.org." : "Your colour is green, Rosalind."
            connection.answer(#"{"model":"m","message":{"role":"assistant","content":"\#(answer)"},"done":true,"done_reason":"stop"}"#)
        }
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            // Under nobody's own prompt it is not kept at all.
            for _ in 0..<2 { try #expect(Self.post(daemon, Self.ask("What is her mail address?")).head["x-cache"] == "miss") }
            try eventually("it is judged") { try daemon.status().cache.notKept["personal"] == 2 }
            // Under one user's own prompt it is kept for the very same request, and has no vector.
            let own = "Rosalind lives here. [Tags: identity]"
            _ = try Self.post(daemon, Self.ask("What is my favourite colour?", system: own))
            try CacheTests.untilKept(daemon, entries: 1)
            try #expect(Self.post(daemon, Self.ask("What is my favourite colour?", system: own)).head["x-cache"] == "hit")
            try #expect(Self.post(daemon, Self.ask("Which is my favourite colour?", system: own)).head["x-cache"] == "miss")
            try #expect(daemon.status().cache.vectors == 0)
        }
    }

    /// Vectors outlive the daemon where the answers do, and go where they go.
    @Test func vectorsFollowTheStore() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: CacheTests.counting())
        let folder = try TemporaryFolder()
        let config = RunningDaemon.entries([endpoint]) + Self.on + "cache_backend: sqlite\ncache_db_path: \(folder.path)/c.db\n"
        let first = try RunningDaemon(config)
        _ = try Self.post(first, Self.ask("How do I reset my password?"))
        try Self.vectors(first, 1)
        first.process.kill()
        let second = try RunningDaemon(config)
        defer { second.process.kill() }
        try Self.vectors(second, 1)
        try #expect(Self.post(second, Self.ask("How can I reset my password?")).head["x-cache"] == "semantic")
        _ = try second.routerctl("cache", "invalidate", "--all", "--yes")
        try #expect(second.status().cache.vectors == 0)
        try #expect(Self.post(second, Self.ask("How can I reset my password?")).head["x-cache"] == "miss")
    }

    /// Two routers over one Redis learn each other's questions.
    @Test func routersLearnFromEachOther() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: CacheTests.counting())
        let server = try RedisServer()
        let config = Self.on + "cache_backend: redis\ncache_redis_url: \(server.url)\n"
        try RunningDaemon.run([endpoint], config) { first in
            try RunningDaemon.run([endpoint], config) { second in
                _ = try Self.post(first, Self.ask("How do I reset my password?"))
                try Self.vectors(second, 1)
                try #expect(Self.post(second, Self.ask("How can I reset my password?")).head["x-cache"] == "semantic")
                // Cleared by one, found by none.
                _ = try first.routerctl("cache", "invalidate", "--all", "--yes")
                try #expect(Self.post(second, Self.ask("How could I reset my password?")).head["x-cache"] == "miss")
            }
        }
    }

    /// Without the model: told at the start, and equal requests are answered all the same.
    @Test func aMissingModelIsTold() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: CacheTests.counting())
        let config = "cache_enabled: true\ncache_similarity: 0.9\ncache_model_path: /nowhere\n"
        try RunningDaemon.run([endpoint], config) { daemon in
            try eventually("it is told") { try daemon.status().cache.semanticFault.contains("/nowhere") }
            try eventually("it is logged") { daemon.log.contains("answers by meaning are off") && daemon.log.contains("make model") }
            _ = try Self.post(daemon, Self.ask("How do I reset my password?"))
            try CacheTests.untilKept(daemon, entries: 1)
            try #expect(Self.post(daemon, Self.ask("How do I reset my password?")).head["x-cache"] == "hit")
            try #expect(Self.post(daemon, Self.ask("How can I reset my password?")).head["x-cache"] == "miss")
        }
    }

    /// A vector that takes too long holds nobody up: the request goes to its endpoint, and its answer gets the vector when it is there.
    @Test func aSlowVectorHoldsNobodyUp() throws {
        let gate = Gate()
        let endpoint = try FakeEndpoint(available: ["m", "embedder"], loaded: ["m", "embedder"]) { connection, request in
            guard request.path == "/v1/embeddings" else { return CacheTests.counting()(connection, request) }
            gate.pass()
            connection.answer(#"{"data":[{"index":0,"embedding":[1,0,0]}]}"#)
        }
        let config = "cache_enabled: true\ncache_similarity: 0.9\ncache_embedding: endpoint:embedder\ncache_embed_budget: 20ms\n"
        try RunningDaemon.run([endpoint], limit: 4, config) { daemon in
            // It is answered although no vector is made.
            try #expect(Self.post(daemon, Self.ask("How do I reset my password?")).head["x-cache"] == "miss")
            try #expect(daemon.status().cache.vectors == 0)
            // An equal request gets the answer even before it is in the store.
            try #expect(["shared", "hit"].contains(Self.post(daemon, Self.ask("How do I reset my password?")).head["x-cache"]))
            gate.open()
            try Self.vectors(daemon, 1)
            try #expect(Self.post(daemon, Self.ask("How do I reset my password?")).head["x-cache"] == "hit")
            try daemon.waitUntilIdle()
        }
    }

    /// Vectors may come from the fleet.
    @Test func anEndpointMayEmbed() throws {
        let endpoint = try FakeEndpoint(available: ["m", "embedder"], loaded: ["m", "embedder"]) { connection, request in
            guard request.path == "/v1/embeddings" else { return CacheTests.counting()(connection, request) }
            let text = String(decoding: request.body, as: UTF8.self)
            // Two directions: passwords, and all else.
            connection.answer(#"{"data":[{"index":0,"embedding":\#(text.contains("password") ? "[3,0,0]" : "[0,4,0]")}]}"#)
        }
        let config = "cache_enabled: true\ncache_similarity: 0.9\ncache_embedding: endpoint:embedder\ncache_embed_budget: 10s\n"
        try RunningDaemon.run([endpoint], limit: 4, config) { daemon in
            _ = try Self.post(daemon, Self.ask("How do I reset my password?"))
            try Self.vectors(daemon, 1)
            try #expect(Self.post(daemon, Self.ask("How can I reset my password?")).head["x-cache"] == "semantic")
            try #expect(Self.post(daemon, Self.ask("How can I boil an egg?")).head["x-cache"] == "miss")
            try daemon.waitUntilIdle()
        }
    }
}
