// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOCore
import TestSupport
import Testing

@testable import Core

/// What a good configuration means.
@Suite struct ConfigReaderTests {
    private func read(_ yaml: String, _ environment: [String: String] = [:]) throws -> Config {
        try ConfigReader.read(yaml: yaml, file: "config.yaml", environment: environment)
    }

    private static var root: URL {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { url.deleteLastPathComponent() }
        return url
    }

    /// A value in the shipped file that differs from the built-in default would make its comments lie.
    @Test func theShippedFileSaysTheDefaults() throws {
        let text = try String(contentsOf: Self.root.appendingPathComponent("config.yaml"), encoding: .utf8)
        var expected = Config()
        expected.endpoints = [
            .init(
                name: "127.0.0.1:11434", address: EndpointAddress(host: "127.0.0.1", port: 11434, url: "http://127.0.0.1:11434"), kind: .ollama,
                limit: 2)
        ]
        let config = try read(text)
        #expect(config == expected)
    }

    /// A key that the manual page or the shipped file does not name cannot be found by whoever needs it.
    @Test func everyKeyIsDocumented() throws {
        let manual = try String(contentsOf: Self.root.appendingPathComponent("man/routerd.yaml.5"), encoding: .utf8)
        let shipped = try String(contentsOf: Self.root.appendingPathComponent("config.yaml"), encoding: .utf8)
        let keys = ConfigKey.table.map(\.name) + EndpointSection.keys
        for key in keys + ["api_keys"] {
            #expect(manual.contains(".It Cm \(key)"), "routerd.yaml(5) lacks \(key)")
        }
        for key in keys {
            #expect(shipped.contains(key + ":"), "config.yaml lacks \(key)")
        }
    }

    @Test func theSeedSystemsFileWorksUnchanged() throws {
        let config = try read(
            """
            # Ollama
            endpoints:
              - http://192.168.0.50:11434
              - http://192.168.0.51:11434
            llama_server_endpoints:
              - http://192.168.0.33:8889/v1
            max_concurrent_connections: 3
            nomyo-router-api-key: ""
            api_keys:
              "http://192.168.0.50:11434": "ollama"
              "http://192.168.0.33:8889/v1": "${LLAMA_KEY}"
            cache_enabled: false
            cache_backend: "memory"
            cache_similarity: 1.0
            cache_ttl: 3600
            cache_db_path: llm_cache.db
            cache_redis_url: redis://user:hunter2@localhost:6379/0
            cache_history_weight: 0.3
            db_path: token_counts.db
            """, ["LLAMA_KEY": "k1"])
        #expect(config.endpoints.map(\.address.url) == ["http://192.168.0.50:11434", "http://192.168.0.51:11434", "http://192.168.0.33:8889"])
        #expect(config.endpoints.map(\.kind) == [.ollama, .ollama, .llamaServer])
        #expect(config.endpoints.map(\.limit) == [3, 3, 3])
        #expect(config.endpoints.map { $0.key?.exposed } == ["ollama", nil, "k1"])
        #expect(config.routerKey == nil)
        #expect(config.notices.isEmpty, "every key has its effect: \(config.notices)")
        #expect(config.cache.similarity == 1 && config.cache.historyWeight == 0.3 && config.cache.redis?.user == "user")
        #expect(config.cache.redis?.description.contains("hunter2") == false)
        #expect(!config.notices.joined().contains("hunter2"))
    }

    @Test func everyKeyTakesEffect() throws {
        let authority = try TestAuthority()
        let certificate = try authority.certificate("listener")
        let config = try read(
            """
            listen: [127.0.0.1:1, "[::1]:2", "*:3"]
            threads: 3
            max_concurrent_connections: 6
            endpoints:
              - {url: http://gpu1/base/, name: gpu1, max_concurrent_connections: 5, weight: 2.5, api_key: k, vram: 24GiB, context: as_asked}
              - {url: http://gpu2:8080, kind: llama-server}
            nomyo-router-api-key: secret
            model_aliases: {gpt: llama3}
            queue_limit: 7
            queue_timeout: 1500ms
            queue: overcommit
            affinity: false
            placement: active
            context: {"*": share, llama3.2: as_asked}
            context_minimum: {llama3.2: 16384, "qwen3:8b": 40960}
            pin: {a: [gpu1, gpu2], b: }
            max_connections: 8
            max_header_bytes: 2KiB
            max_body_bytes: 3MB
            max_line_bytes: 4096
            header_timeout: 1
            body_timeout: 2s
            keepalive_timeout: 3m
            connect_timeout: 4h
            first_byte_timeout: 5s
            idle_timeout: 6s
            request_timeout: 7s
            upstream_idle_timeout: 8s
            upstream_idle_connections: 9
            upstream_max_age: 16s
            poll_interval: 10s
            poll_models_interval: 11s
            poll_timeout: 12s
            poll_max_backoff: 13s
            poll_fall: 14
            poll_rise: 15
            control_socket: /run/x.sock
            control_socket_mode: 0660
            control_group: ops
            control_read_group: eyes
            shutdown_timeout: 0
            log_level: Debug
            tls: {certificate: \(certificate.certificate), key: \(certificate.key)}
            db_path: /x.db
            access_log: "-"
            access_log_format: json
            response_headers: false
            cors_origins: ["https://a", "http://b:8080"]
            model_management: first
            fallbacks: {a: [b, c]}
            context_shift: true
            retry_without: [images, tools]
            retries: 4
            retry_on: [busy, not_here]
            hold_head: 8s
            overdue: 3.5x
            overdue_after: 2s
            cache_enabled: true
            cache_backend: redis
            cache_mode: opt_in
            cache_ttl: null
            cache_max_entries: 5
            cache_max_bytes: 6MiB
            cache_max_entry_bytes: 7KiB
            cache_db_path: /c.db
            cache_redis_url: "rediss://u:p%40ss@[::1]:7000/3"
            cache_redis_tls: {server_name: redis.example}
            cache_similarity: 0.8
            cache_history_weight: 0.4
            cache_model_path: /m
            cache_embedding: endpoint:nomic
            cache_embed_budget: 9ms
            """)
        #expect(config.listen.map(\.description) == ["127.0.0.1:1", "[::1]:2", "0.0.0.0:3"])
        #expect(config.threads == 3)
        let first = config.endpoints[0]
        #expect(first.address == EndpointAddress(host: "gpu1", port: 80, basePath: "/base", url: "http://gpu1/base"))
        #expect(first.name == "gpu1" && first.limit == 5 && first.weight == 2.5 && first.key?.exposed == "k" && first.vramBytes == 24 << 30)
        #expect(config.endpoints[1].kind == .llamaServer && config.endpoints[1].limit == 6 && config.endpoints[1].name == "gpu2:8080")
        #expect(config.routerKey?.exposed == "secret")
        #expect(config.modelAliases == ["gpt": "llama3"])
        #expect(config.queueLimit == 7 && config.queueTimeout == .milliseconds(1500))
        #expect(config.queue == .overcommit && !config.affinity && config.placement == .active)
        #expect(config.context == .share && config.contextByModel == ["llama3.2": .asAsked] && first.context == .asAsked)
        #expect(config.contextMinimum == ["llama3.2": 16384, "qwen3:8b": 40960])
        #expect(config.pins == ["a": .on(["gpu1", "gpu2"]), "b": .everywhere])
        let limits = config.limits
        #expect(limits.maxConnections == 8 && limits.maxHeaderBytes == 2048 && limits.maxBodyBytes == 3_000_000 && limits.maxLineBytes == 4096)
        #expect(limits.headerTimeout == .seconds(1) && limits.bodyTimeout == .seconds(2) && limits.keepaliveTimeout == .minutes(3))
        #expect(limits.connectTimeout == .hours(4) && limits.firstByteTimeout == .seconds(5) && limits.idleTimeout == .seconds(6))
        #expect(limits.requestTimeout == .seconds(7) && limits.upstreamIdleTimeout == .seconds(8) && limits.upstreamIdleConnections == 9)
        #expect(config.retries.limit == 4 && config.retries.reasons == [.busy, .notHere] && config.holdHead == .seconds(8))
        #expect(config.overdue?.factor == 3.5 && config.overdue?.least == .seconds(2))
        #expect(limits.upstreamMaxAge == .seconds(16))
        let polling = config.polling
        #expect(polling.loadedInterval == .seconds(10) && polling.modelsInterval == .seconds(11))
        #expect(polling.timeout == .seconds(12) && polling.maxBackoff == .seconds(13))
        #expect(polling.fall == 14 && polling.rise == 15)
        #expect(config.control.socketPath == "/run/x.sock" && config.control.mode == 0o660)
        #expect(config.control.group == "ops" && config.control.readGroup == "eyes")
        #expect(config.shutdownTimeout == .zero && config.logLevel == "debug")
        let cache = config.cache
        #expect(cache.isEnabled && cache.backend == .redis && cache.mode == .optIn && cache.timeToLive == nil)
        #expect(cache.maxEntries == 5 && cache.maxBytes == 6 << 20 && cache.maxEntryBytes == 7 << 10 && cache.databasePath == "/c.db")
        #expect(cache.similarity == 0.8 && cache.historyWeight == 0.4 && cache.modelPath == "/m" && cache.embeddingModel == "nomic")
        #expect(cache.embedBudget == .milliseconds(9))
        let redis = try #require(cache.place.redis)
        #expect(redis.place == .tcp(host: "::1", port: 7000) && redis.isSecure && redis.user == "u" && redis.password?.exposed == "p@ss")
        #expect(redis.database == 3 && redis.tls.serverName == "redis.example" && redis.description == "rediss://[::1]:7000/3")
        // Each key of the table was given, so each must have moved away from its default.
        for key in ConfigKey.table where key.name != "endpoints" {
            #expect(key.show(config) != key.show(Config()), "\(key.name) took no effect")
        }
    }

    @Test func theEnvironmentWinsOverTheFile() throws {
        let config = try read(
            "endpoints: [http://a]\nqueue_limit: 1\nnomyo-router-api-key: file",
            [
                "NOMYO_ROUTER_QUEUE_LIMIT": "9", "NOMYO_ROUTER_API_KEY": "env", "NOMYO_ROUTER_ENDPOINTS": "http://b:1, http://c:2",
                "ROUTERD_HOST": "0.0.0.0", "ROUTERD_PORT": "80", "NOMYO_ROUTER_CACHE_TTL": "60", "NOMYO_ROUTER_CACHE_SIMILARITY": "0.9",
                "NOMYO_ROUTER_CONFIG_PATH": "x",
            ])
        #expect(config.queueLimit == 9 && config.cache.timeToLive == .seconds(60))
        #expect(config.routerKey?.exposed == "env")
        #expect(config.endpoints.map(\.name) == ["b:1", "c:2"])
        #expect(config.listen.map(\.description) == ["0.0.0.0:80"])
        #expect(config.cache.similarity == 0.9 && config.notices.isEmpty)
    }

    /// A misspelt variable that does nothing is found only by whoever is told.
    @Test func unknownVariablesAreTold() throws {
        let config = try read("endpoints: [http://a]", ["NOMYO_ROUTER_QUEUELIMIT": "9"])
        #expect(config.notices == ["$NOMYO_ROUTER_QUEUELIMIT: no such key; did you mean 'NOMYO_ROUTER_QUEUE_LIMIT'?"])
    }

    @Test func variablesAreReplacedAndEscaped() throws {
        let config = try read(
            """
            endpoints: ["http://${HOST_1}:${PORT}"]
            nomyo-router-api-key: a$${X}b$c
            """, ["HOST_1": "gpu", "PORT": "99"])
        #expect(config.endpoints.map(\.address.url) == ["http://gpu:99"])
        #expect(config.routerKey?.exposed == "a${X}b$c")
    }

    @Test func anEmptyFleetIsSaidOutLoud() throws {
        let empty = try read("endpoints: []")
        #expect(empty.endpoints.isEmpty)
        #expect(empty.notices == ["config.yaml: there are no endpoints: every request for a model will be refused"])
        #expect(try read("endpoints:\n").endpoints.isEmpty)
        #expect(throws: ConfigErrors.self) { try read("queue_limit: 1") }
        #expect(throws: ConfigErrors.self) { try read("") }
    }

    /// The reader must end, with a value or with errors, whatever the file holds.
    @Test func mutatedFilesNeverCrashIt() throws {
        let text = try String(contentsOf: Self.root.appendingPathComponent("config.yaml"), encoding: .utf8)
        let original = Array(text.utf8)
        let pieces = [
            "[", "]", "{", "}", "*a", "&a ", ": ", "- ", "\n", "\t", "${", "'", "\"", "|\n", "? ", "!!int ", "\u{0}", "é", "-1", "---\n", "%",
        ]
        var generator = SplitMix64(seed: 42)
        func random(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }
        var refused = 0
        for _ in 0..<600 {
            var bytes = original
            for _ in 0..<(1 + random(6)) {
                let position = random(bytes.count)
                switch random(3) {
                case 0: bytes.remove(at: position)
                case 1: bytes.insert(contentsOf: pieces[random(pieces.count)].utf8, at: position)
                default: bytes.removeSubrange(position..<min(bytes.count, position + random(40)))
                }
            }
            do { _ = try read(String(decoding: bytes, as: UTF8.self)) } catch is ConfigErrors { refused += 1 }
        }
        #expect(refused > 50, "mutations that are never refused test nothing")
    }
}
