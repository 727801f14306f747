// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Everything of the configuration that is about kept answers.
public struct CacheSettings: Sendable, Equatable {
    /// Where to begin with questions that mean the same: see routerd(8) for what to expect.
    static let recommendedSimilarity = 0.9

    public enum Backend: String, Sendable, CaseIterable {
        case memory, sqlite, redis
    }

    public enum Mode: String, Sendable, CaseIterable {
        /// Every request that does not refuse.
        case all
        /// Only requests that say `"nomyo": {"cache": true}`.
        case optIn = "opt_in"
    }

    public var isEnabled = false
    public var backend = Backend.memory
    public var mode = Mode.all
    /// Nil: for ever.
    public var timeToLive: TimeAmount? = .seconds(3600)
    public var maxEntries = 100_000
    public var maxBytes = 512 << 20
    /// A longer answer is not kept.
    public var maxEntryBytes = 1 << 20
    public var databasePath = "llm_cache.db"
    /// How near another question must be for its answer to do; 1: only equal requests are answered from the cache.
    public var similarity = 1.0
    /// What was said before the question counts for so much of its meaning.
    public var historyWeight = 0.3
    /// Folder of the sentence model; nil for the usual places.
    public var modelPath: String?
    /// An embedding model of the fleet instead; nil for the one in the daemon.
    public var embeddingModel: String?
    /// How long a request waits for its own meaning before it goes to an endpoint.
    public var embedBudget: TimeAmount = .milliseconds(20)
    var redis: RedisAddress? = try? RedisAddress(url: "redis://127.0.0.1:6379/0")
    var redisTLS = TLSClientSettings()

    var limits: CacheLimits { CacheLimits(entries: maxEntries, bytes: maxBytes) }

    var comparesMeanings: Bool { isEnabled && similarity < 1 }

    /// How meanings are found and compared; another way is another index.
    struct Comparison: Equatable, Sendable {
        var similarity: Double
        var historyWeight: Double
        var modelPath: String?
        var embeddingModel: String?
        var place: Place
    }

    var comparison: Comparison? {
        guard comparesMeanings else { return nil }
        return Comparison(
            similarity: similarity, historyWeight: historyWeight, modelPath: modelPath, embeddingModel: embeddingModel, place: place)
    }

    /// Where entries are; another one is another store.
    struct Place: Equatable, Sendable {
        var backend: Backend
        var databasePath: String
        var redis: RedisAddress?
    }

    var place: Place {
        var address = backend == .redis ? redis : nil
        address?.tls = redisTLS
        return Place(backend: backend, databasePath: backend == .sqlite ? databasePath : "", redis: address)
    }
}
