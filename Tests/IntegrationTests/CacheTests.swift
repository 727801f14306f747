// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers
import Protocol
import TestSupport
import Testing

/// Kept answers, on the real daemon: who gets one, in which manner, and who must not.
@Suite struct CacheTests {
    static let on = "cache_enabled: true\n"
    private static func ask(_ text: String, _ more: String = "") -> String {
        #"{"model":"m","messages":[{"role":"user","content":"\#(text)"}]\#(more)}"#
    }

    /// Answers each request with its number, so that a repeated answer is seen.
    static func counting(_ counter: NIOLockedValueBox<Int> = .init(0)) -> FakeEndpoint.Script {
        { connection, request in
            let number = counter.withLockedValue { number in
                number += 1
                return number
            }
            let text = String(decoding: request.body, as: UTF8.self)
            let streams = text.contains(#""stream":true"#) || (request.path.hasPrefix("/api/") && !text.contains(#""stream":false"#))
            switch (request.path.hasPrefix("/api/"), streams) {
            case (true, true):
                connection.startStream()
                connection.sendChunk(#"{"model":"m","created_at":"x","message":{"role":"assistant","content":"answer "},"done":false}"# + "\n")
                connection.sendChunk(#"{"model":"m","created_at":"x","message":{"role":"assistant","content":"\#(number)"},"done":false}"# + "\n")
                connection.sendChunk(
                    #"{"model":"m","created_at":"x","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":2}"#
                        + "\n")
                connection.sendLastChunk()
            case (true, false):
                connection.answer(
                    #"{"model":"m","created_at":"x","message":{"role":"assistant","content":"answer \#(number)"},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":2}"#
                )
            case (false, true):
                connection.startStream("text/event-stream")
                for piece in ["answer ", "\(number)"] {
                    connection.sendChunk(
                        #"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"\#(piece)"},"finish_reason":null}]}"#
                            + "\n\n")
                }
                connection.sendChunk(
                    #"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#
                        + "\n\n")
                if text.contains("include_usage") {
                    connection.sendChunk(
                        #"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#
                            + "\n\n")
                }
                connection.sendChunk("data: [DONE]\n\n")
                connection.sendLastChunk()
            case (false, false):
                connection.answer(
                    #"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"answer \#(number)"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#
                )
            }
        }
    }

    /// An answer is in the store a moment after its end has been seen.
    static func untilKept(_ daemon: RunningDaemon, entries: Int) throws {
        try eventually("\(entries) entries are kept") {
            (try RawClient.get(port: daemon.port, "/api/cache/stats").text).contains(#""entries":\#(entries),"#)
        }
    }

    static func post(_ daemon: RunningDaemon, _ path: String, _ body: String, _ headers: [String] = []) throws -> RawResponse {
        try RawClient.post(port: daemon.port, path, body, headers: headers)
    }

    // MARK: Manner

    /// Filled and asked for in all combinations of streamed and whole, on both chat routes.
    @Test(arguments: ["/api/chat", "/v1/chat/completions"], [(true, true), (true, false), (false, true), (false, false)])
    func anAnswerIsGivenInTheMannerAsked(_ route: String, _ manner: (fills: Bool, asks: Bool)) throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.counting())
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            let first = try Self.post(daemon, route, Self.ask("hello", #","stream":\#(manner.fills)"#))
            #expect(first.head["x-cache"] == "miss" && first.text.contains("answer "))
            try Self.untilKept(daemon, entries: 1)
            let more = manner.asks && route.hasPrefix("/v1") ? #","stream_options":{"include_usage":true}"# : ""
            let second = try Self.post(daemon, route, Self.ask("hello", #","stream":\#(manner.asks)\#(more)"#))
            #expect(second.status == 200 && second.head["x-cache"] == "hit")
            #expect(endpoint.requestCount == 1, "\(endpoint.requests.map(\.head))")
            #expect(second.head["x-cache-key"] == first.head["x-cache-key"])
            #expect(second.head["x-routerd-endpoint"] == nil, "no endpoint has made this one")
            let isOllama = route.hasPrefix("/api")
            let type = second.head["content-type"] ?? ""
            #expect(type.hasPrefix(!manner.asks ? "application/json" : isOllama ? "application/x-ndjson" : "text/event-stream"), "\(type)")
            #expect(second.text.contains("answer 1"))
            if isOllama {
                #expect(
                    second.text.contains(#""done":true"#) && second.text.contains(#""eval_count":2"#) && !second.text.contains(#""created_at":"x""#))
            } else {
                #expect(second.text.contains(#""total_tokens":5"#) && second.text.contains(#""finish_reason":"stop""#))
                #expect(second.text.contains(#""id":"chatcmpl-"#) && second.text.hasSuffix("[DONE]\n\n") == manner.asks)
            }
            let info = try daemon.status().cache
            #expect(info.exactHits == 1 && info.misses == 1 && info.tokensSaved == 5 && info.entries == 1 && info.backend == "memory")
        }
    }

    /// The other two routes; each is a family of its own. Routes beside the four know nothing of a cache.
    @Test func allFourRoutesAreCached() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, request in
            connection.answer(
                request.path == "/api/generate"
                    ? #"{"model":"m","created_at":"x","response":"generated","done":true,"done_reason":"stop","eval_count":1}"#
                    : #"{"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"completed","finish_reason":"stop"}],"embeddings":[[1]]}"#
            )
        }
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            for (route, word) in [("/api/generate", "generated"), ("/v1/completions", "completed")] {
                let body = #"{"model":"m","prompt":"hello","stream":false}"#
                try #expect(Self.post(daemon, route, body).head["x-cache"] == "miss")
                try eventually("\(route) is kept") { try Self.post(daemon, route, body).head["x-cache"] == "hit" }
                let streamed = try Self.post(daemon, route, body.replacingOccurrences(of: "false", with: "true"))
                #expect(streamed.head["x-cache"] == "hit" && streamed.text.contains(word))
                #expect(streamed.head["content-type"] == (route.hasPrefix("/api") ? "application/x-ndjson" : "text/event-stream"))
            }
            for _ in 0..<2 { try #expect(Self.post(daemon, "/api/embed", #"{"model":"m","input":"hello"}"#).head["x-cache"] == nil) }
            // Several different answers are wanted.
            let mixture = try Self.post(daemon, "/api/chat", Self.ask("hello").replacingOccurrences(of: #""m""#, with: #""moe-m""#))
            #expect(mixture.head["x-cache"] == "bypass")
            // A request that only loads the model is none that has an answer.
            try #expect(Self.post(daemon, "/api/generate", #"{"model":"m","stream":false}"#).head["x-cache"] == "bypass")
        }
    }

    /// An answer that was translated is kept as the client's own dialect.
    @Test func translatedAnswersAreKept() throws {
        let endpoint = try FakeEndpoint(kind: .openAI, available: ["m"], loaded: ["m"], script: Self.counting())
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            let first = try Self.post(daemon, "/api/chat", Self.ask("hello"))
            #expect(first.head["x-cache"] == "miss" && first.text.contains("answer "))
            try Self.untilKept(daemon, entries: 1)
            let second = try Self.post(daemon, "/api/chat", Self.ask("hello", #","stream":false"#))
            #expect(second.head["x-cache"] == "hit" && second.text.contains(#""content":"answer 1""#) && endpoint.requestCount == 1)
        }
    }

    // MARK: Wishes

    /// Each way of saying no, and what it means for the next one.
    @Test func whoRefusesIsNotServedFromTheCache() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.counting())
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            let body = Self.ask("hello", #","stream":false"#)
            _ = try Self.post(daemon, "/api/chat", body)
            try Self.untilKept(daemon, entries: 1)
            for refusal in [["Cache-Control: no-store"], []] {
                let sent = refusal.isEmpty ? Self.ask("hello", #","stream":false,"nomyo":{"cache":false}"#) : body
                let answer = try Self.post(daemon, "/api/chat", sent, refusal)
                #expect(answer.head["x-cache"] == "bypass" && !answer.text.contains("answer 1"))
            }
            // What was kept is still the first.
            try #expect(Self.post(daemon, "/api/chat", body).text.contains("answer 1"))
            // A new answer is wanted, and kept in place of the old one.
            let fresh = try Self.post(daemon, "/api/chat", body, ["Cache-Control: no-cache"])
            #expect(fresh.head["x-cache"] == "bypass" && fresh.text.contains("answer 4"))
            try eventually("the new answer is kept") { try Self.post(daemon, "/api/chat", body).text.contains("answer 4") }
            // The router's own word never goes on.
            #expect(endpoint.requests.allSatisfy { !String(decoding: $0.body, as: UTF8.self).contains("nomyo") })
            let bypasses = try daemon.status().cache.bypasses
            #expect(bypasses == ["cache_control": 2, "request": 1])
            // One that is meant for one endpoint, or that says something in its query.
            try #expect(Self.post(daemon, "/api/chat?endpoint=fake", body).head["x-cache"] == "bypass")
            try #expect(Self.post(daemon, "/api/chat?x=1", body).head["x-cache"] == "bypass")
            let bad = try Self.post(daemon, "/api/chat", Self.ask("hello", #","nomyo":{"cache":"yes"}"#))
            #expect(bad.status == 400 && bad.text.contains("nomyo.cache: expected true or false"))
        }
    }

    @Test func underOptInOnlyWhoAsksIsCached() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.counting())
        try RunningDaemon.run([endpoint], Self.on + "cache_mode: opt_in\n") { daemon in
            let silent = Self.ask("hello", #","stream":false"#)
            let asking = Self.ask("hello", #","stream":false,"nomyo":{"cache":true}"#)
            for _ in 0..<2 { try #expect(Self.post(daemon, "/api/chat", silent).head["x-cache"] == "bypass") }
            try #expect(Self.post(daemon, "/api/chat", asking).head["x-cache"] == "miss")
            try Self.untilKept(daemon, entries: 1)
            try #expect(Self.post(daemon, "/api/chat", asking).head["x-cache"] == "hit")
            #expect(endpoint.requestCount == 3)
            #expect(endpoint.requests.allSatisfy { !String(decoding: $0.body, as: UTF8.self).contains("nomyo") })
        }
    }

    /// With the cache off nothing is said of it, and the router's own member still goes nowhere.
    @Test func offMeansOff() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.counting())
        try RunningDaemon.run([endpoint]) { daemon in
            for _ in 0..<2 {
                let answer = try Self.post(daemon, "/api/chat", Self.ask("hello", #","nomyo":{"cache":true},"keep_alive":"1m""#))
                #expect(answer.head["x-cache"] == nil)
            }
            #expect(endpoint.requestCount == 2)
            #expect(
                endpoint.requests.allSatisfy {
                    let body = String(decoding: $0.body, as: UTF8.self)
                    return !body.contains("nomyo") && body.contains("keep_alive")
                })
            try #expect(RawClient.get(port: daemon.port, "/api/cache/stats").text == #"{"enabled":false}"#)
            // A reload turns it on, and off.
            try daemon.rewriteConfig(RunningDaemon.entries([endpoint]) + Self.on)
            try #expect(daemon.routerctl("reload").output.contains("cache_enabled: false -> true"))
            try #expect(Self.post(daemon, "/api/chat", Self.ask("hello")).head["x-cache"] == "miss")
            try Self.untilKept(daemon, entries: 1)
            try #expect(Self.post(daemon, "/api/chat", Self.ask("hello")).head["x-cache"] == "hit")
            try daemon.rewriteConfig(RunningDaemon.entries([endpoint]))
            _ = try daemon.routerctl("reload")
            try #expect(Self.post(daemon, "/api/chat", Self.ask("hello")).head["x-cache"] == nil)
        }
    }

    // MARK: What is not shared

    /// Whoever shows the endpoint another key gets another answer.
    @Test func keysDoNotShareAnswers() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.counting())
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            let body = Self.ask("hello", #","stream":false"#)
            for (entries, key) in ["alice", "bob"].enumerated() {
                try #expect(Self.post(daemon, "/api/chat", body, ["Authorization: Bearer \(key)"]).head["x-cache"] == "miss")
                try Self.untilKept(daemon, entries: entries + 1)
                try #expect(Self.post(daemon, "/api/chat", body, ["Authorization: Bearer \(key)"]).head["x-cache"] == "hit")
            }
            try #expect(Self.post(daemon, "/api/chat", body).head["x-cache"] == "miss")
            let text = try RawClient.get(port: daemon.port, "/api/cache/stats").text
            #expect(!text.contains("alice") && !text.contains("bob") && !daemon.log.contains("alice"))
        }
    }

    /// Answers that are cut, that fail or that end early are for one client only.
    @Test(arguments: ["error", "cut", "length", "tools", "endless"])
    func whatIsNotWholeIsNotKept(_ fault: String) throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, _ in
            let start = #"{"model":"m","message":{"role":"assistant","content":"a"},"done":false}"# + "\n"
            switch fault {
            case "error": connection.answer(#"{"error":"no"}"#, status: "500 Internal Server Error")
            case "cut":
                connection.startStream()
                connection.sendChunk(start)
                connection.close()
            case "endless":
                connection.startStream()
                connection.sendChunk(start)
                connection.sendLastChunk()
            default:
                connection.startStream()
                connection.sendChunk(start)
                if fault == "tools" {
                    connection.sendChunk(
                        #"{"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}}]},"done":false}"#
                            + "\n")
                }
                connection.sendChunk(
                    #"{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"\#(fault == "length" ? "length" : "stop")"}"#
                        + "\n")
                connection.sendLastChunk()
            }
        }
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            for _ in 0..<2 { _ = try? Self.post(daemon, "/api/chat", Self.ask("hello")) }
            try eventually("both are judged") { try daemon.status().cache.notKept.values.reduce(0, +) == 2 }
            let info = try daemon.status().cache
            #expect(info.entries == 0 && info.hits == 0 && endpoint.requestCount >= 2)
            let reason = ["error": "not_an_answer", "cut": "cut", "endless": "cut", "length": "unfinished", "tools": "tool_calls"]
            #expect(info.notKept == [reason[fault] ?? "": 2])
        }
    }

    /// A hit needs no endpoint at all.
    @Test func hitsOutliveTheirEndpoint() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.counting())
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            _ = try Self.post(daemon, "/v1/chat/completions", Self.ask("hello"))
            try Self.untilKept(daemon, entries: 1)
            endpoint.die()
            let answer = try Self.post(daemon, "/v1/chat/completions", Self.ask("hello"))
            #expect(answer.status == 200 && answer.text.contains("answer 1") && answer.head["x-cache"] == "hit")
            try daemon.waitUntilIdle()
            // It counts as saved, not as used.
            let counts = try RawClient.get(port: daemon.port, "/api/token_counts").text
            #expect(counts.contains(#""total_tokens":5,"#))
        }
    }

    // MARK: Stats and invalidation

    /// Counted and cleared over HTTP, in the Python router's shapes and with filters.
    @Test func statsAndInvalidation() throws {
        let endpoint = try FakeEndpoint(available: ["m", "n"], loaded: ["m", "n"], script: Self.counting())
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            func json(_ text: String) throws -> [String: Any] {
                try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            }
            func clear(_ body: String, _ query: String = "") throws -> RawResponse {
                try RawClient.post(port: daemon.port, "/api/cache/invalidate\(query)", body)
            }
            for (index, name) in ["a", "b", "c"].enumerated() {
                _ = try Self.post(daemon, "/api/chat", Self.ask(name))
                try Self.untilKept(daemon, entries: index + 1)
            }
            _ = try Self.post(daemon, "/api/chat", Self.ask("a").replacingOccurrences(of: #""m""#, with: #""n""#))
            try Self.untilKept(daemon, entries: 4)
            _ = try Self.post(daemon, "/api/chat", Self.ask("a"))
            let stats = try json(RawClient.get(port: daemon.port, "/api/cache/stats").text)
            #expect(stats["enabled"] as? Bool == true && stats["hits"] as? Int == 1 && stats["misses"] as? Int == 4)
            #expect(stats["hit_rate"] as? Double == 0.2 && stats["backend"] as? String == "memory" && stats["entries"] as? Int == 4)
            let namespaces = try #require(stats["namespaces"] as? [[String: Any]])
            #expect(Set(namespaces.compactMap { $0["model"] as? String }) == ["m:latest", "n:latest"])
            try #expect(clear(#"{"model":"n","dry_run":true}"#).text == #"{"enabled":true,"cleared":1,"dry_run":true}"#)
            try #expect(clear(#"{"older_than":3600}"#).text == #"{"enabled":true,"cleared":0}"#)
            try #expect(clear("", "?model=n:latest").text == #"{"enabled":true,"cleared":1}"#)
            try #expect(clear(#"{"modle":"n"}"#).status == 400, "a mistyped filter clears nothing")
            try #expect(clear(#"{"older_than":"soon"}"#).status == 400)
            try #expect(clear("").text == #"{"enabled":true,"cleared":3}"#)
            try #expect(Self.post(daemon, "/api/chat", Self.ask("a")).head["x-cache"] == "miss")
        }
    }

    /// The same for operators: `routerctl`, the control socket, Prometheus' page.
    @Test func operatorsSeeAndClear() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.counting())
        try RunningDaemon.run([endpoint], Self.on) { daemon in
            let first = try Self.post(daemon, "/api/chat", Self.ask("a"))
            try Self.untilKept(daemon, entries: 1)
            _ = try Self.post(daemon, "/api/chat", Self.ask("a"))
            let stats = try daemon.routerctl("cache", "stats")
            #expect(stats.status == 0 && stats.output.contains("1 exact") && stats.output.contains("5 tokens"), "\(stats)")
            try #expect(daemon.routerctl("cache", "stats", "--json").output.replacing(" ", with: "").contains(#""exact_hits":1"#))
            let key = try #require(first.head["x-cache-key"])
            let answer = try daemon.routerctl("cache", "get", key)
            #expect(answer.status == 0 && answer.output.contains("answer 1"))
            try #expect(daemon.routerctl("cache", "get", "0000000000").status == 6)
            try #expect(daemon.routerctl("cache", "get", "xyz").status != 0)
            try #expect(daemon.routerctl("cache", "invalidate").status == 2, "nothing said clears nothing")
            try #expect(daemon.routerctl("cache", "invalidate", "--model", "m", "--dry-run").output == "cleared\t1\n")
            try #expect(daemon.routerctl("cache", "invalidate", "--older-than", "1h").output == "cleared\t0\n")
            try #expect(daemon.routerctl("cache", "invalidate", "--all", "--model", "m").status == 2)
            try #expect(daemon.routerctl("cache", "invalidate", "--all", "--yes").output == "cleared\t1\n")
            try #expect(daemon.status().cache.entries == 0)
            let metrics = try RawClient.get(port: daemon.port, "/metrics").text
            #expect(metrics.contains(#"routerd_cache_requests_total{result="hit"} 1"#) && metrics.contains("routerd_cache_tokens_saved_total 5"))
        }
    }

    /// A model that is deleted or made anew under its name takes its answers with it; the access log says what came from the cache.
    @Test func aReplacedModelTakesItsAnswersWithIt() throws {
        let endpoint = try FakeEndpoint(available: ["m", "n"], loaded: ["m", "n"]) { connection, request in
            guard request.method == "POST", request.path == "/api/chat" else { return _ = connection.answer("{}") }
            Self.counting()(connection, request)
        }
        try RunningDaemon.run([endpoint], Self.on + "access_log: \"-\"\n") { daemon in
            let other = Self.ask("a").replacingOccurrences(of: #""m""#, with: #""n""#)
            _ = try Self.post(daemon, "/api/chat", Self.ask("a"))
            _ = try Self.post(daemon, "/api/chat", other)
            try Self.untilKept(daemon, entries: 2)
            _ = try Self.post(daemon, "/api/chat", Self.ask("a"))
            try eventually("the hit is in the log") { daemon.log.contains("why=cache_hit") }
            let gone = try RawClient.exchange(
                port: daemon.port, RawClient.request("DELETE", "/api/delete", body: #"{"model":"m:latest"}"#), method: "DELETE")
            #expect(gone.status == 200)
            try Self.untilKept(daemon, entries: 1)
            try #expect(Self.post(daemon, "/api/chat", other).head["x-cache"] == "hit")
        }
    }

    /// Entries end with their time, and make room for others.
    @Test func entriesEnd() throws {
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"], script: Self.counting())
        try RunningDaemon.run([endpoint], Self.on + "cache_ttl: 300ms\ncache_max_entries: 2\n") { daemon in
            _ = try Self.post(daemon, "/api/chat", Self.ask("a"))
            try eventually("it has expired") { try Self.post(daemon, "/api/chat", Self.ask("a")).head["x-cache"] == "miss" }
            for name in ["b", "c", "d", "e"] { _ = try Self.post(daemon, "/api/chat", Self.ask(name)) }
            try #expect(daemon.status().cache.entries <= 2)
        }
    }
}
