// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Yams

/// Keys of kept answers. Those of the Python router keep their names and meaning.
extension ConfigKey {
    static let cacheKeys: [ConfigKey] = [
        bool("cache_enabled", \.cache.isEnabled),
        choice("cache_backend", \.cache.backend),
        choice("cache_mode", \.cache.mode),
        timeToLive,
        integer("cache_max_entries", \.cache.maxEntries, 1...100_000_000),
        size("cache_max_bytes", \.cache.maxBytes, 1 << 20...(1 << 40)),
        size("cache_max_entry_bytes", \.cache.maxEntryBytes, 1024...(64 << 20)),
        text("cache_db_path", \.cache.databasePath, "expected a path", mayBeEmpty: false),
        redisURL,
        redisTLS,
        number("cache_similarity", \.cache.similarity, 0...1),
        number("cache_history_weight", \.cache.historyWeight, 0...1),
        ConfigKey(name: "cache_model_path", needsRestart: false) { reader, node, config in
            config.cache.modelPath = ValueReader.isNull(node) ? nil : reader.text(node, "expected the path of a folder")
        } show: {
            $0.cache.modelPath ?? "default"
        },
        embedding,
        duration("cache_embed_budget", \.cache.embedBudget, .milliseconds(1) ... .seconds(60)),
    ]

    private static let embedding = ConfigKey(name: "cache_embedding", needsRestart: false) { reader, node, config in
        let expectation = "expected local, or endpoint: and a model's name, such as endpoint:all-minilm"
        guard let text = reader.text(node, expectation) else { return }
        if text == "local" { return config.cache.embeddingModel = nil }
        guard text.hasPrefix("endpoint:"), text.count > "endpoint:".count else {
            return reader.fault(node, "\(expectation), not \(ValueReader.quoted(text))")
        }
        config.cache.embeddingModel = String(text.dropFirst("endpoint:".count))
    } show: {
        $0.cache.embeddingModel.map { "endpoint:\($0)" } ?? "local"
    }

    private static let timeToLive = ConfigKey(name: "cache_ttl", needsRestart: false) { reader, node, config in
        if ValueReader.isNull(node) { return config.cache.timeToLive = nil }
        guard let value = reader.duration(node, .milliseconds(100) ... .hours(24 * 3650), zeroMeansNone: true) else { return }
        config.cache.timeToLive = value == .zero ? nil : value
    } show: {
        $0.cache.timeToLive.map(DurationText.format) ?? "none"
    }

    private static let redisURL = ConfigKey(name: "cache_redis_url", needsRestart: false) { reader, node, config in
        guard let text = reader.text(node, "expected a URL such as redis://127.0.0.1:6379/0") else { return }
        do throws(RedisAddress.Failure) {
            config.cache.redis = try RedisAddress(url: text)
        } catch {
            reader.fault(node, error.message)
        }
    } show: {
        $0.cache.redis?.description ?? "none"
    }

    private static let redisTLS = ConfigKey(name: "cache_redis_tls", needsRestart: false) { reader, node, config in
        config.cache.redisTLS = ValueReader.isNull(node) ? TLSClientSettings() : TLSSection.read(node, for: "the cache's Redis", with: &reader)
    } show: {
        $0.cache.redisTLS == TLSClientSettings() ? "none" : "set"
    }
}
