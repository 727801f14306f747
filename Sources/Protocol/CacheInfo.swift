// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What the cache holds and what it has done since the daemon's start: result of `cache.stats`, part of `status`.
public struct CacheInfo: Codable, Sendable, Equatable {
    /// Share of the requests that were answered without a generation of their own, over the last minutes.
    public struct HitRate: Codable, Sendable, Equatable {
        public var minutes: Int
        public var requests: Int
        /// 0 to 1; nil without requests.
        public var rate: Double?

        public init(minutes: Int, requests: Int, rate: Double?) {
            self.minutes = minutes
            self.requests = requests
            self.rate = rate
        }
    }

    /// Requests that are only ever compared with each other: one model, one system prompt, one tenant.
    public struct Namespace: Codable, Sendable, Equatable {
        public var name: String
        public var model: String
        public var tenant: String
        public var entries: Int
        public var bytes: Int

        public init(name: String, model: String, tenant: String, entries: Int, bytes: Int) {
            self.name = name
            self.model = model
            self.tenant = tenant
            self.entries = entries
            self.bytes = bytes
        }
    }

    public var schema = ProductVersion.schema
    public var enabled = false
    /// `memory`, `sqlite` or `redis`.
    public var backend = ""
    /// Empty while all is well; else why requests go on without the store.
    public var fault = ""
    /// Whether questions are compared by meaning, and why that does not work; empty while it does.
    public var semantic = false
    public var semanticFault = ""
    /// Questions that are compared.
    public var vectors = 0
    /// Questions that were near enough and not the same, by what told them apart.
    public var guarded: [String: Int] = [:]
    public var exactHits = 0
    public var semanticHits = 0
    /// Requests that took part in the generation of an equal one in flight.
    public var shared = 0
    public var misses = 0
    /// By reason.
    public var bypasses: [String: Int] = [:]
    /// Answers that were not kept, by reason.
    public var notKept: [String: Int] = [:]
    public var entries = 0
    public var bytes = 0
    /// Age of the oldest entry in seconds; nil without entries.
    public var oldestS: Int?
    /// Tokens of the answers that were given again, with those of their prompts.
    public var tokensSaved = 0
    /// Seconds that making them had taken.
    public var secondsSaved = 0.0
    /// Over 1, 10 and 60 minutes.
    public var hitRates: [HitRate] = []
    /// The largest first.
    public var namespaces: [Namespace] = []

    public init() {}

    public var hits: Int { exactHits + semanticHits + shared }

    /// Since the start, 0 to 1; nil without requests.
    public var hitRate: Double? {
        let all = hits + misses
        return all == 0 ? nil : Double(hits) / Double(all)
    }
}

/// Parameters of `cache.invalidate`: what fits all that is given; with nothing given, everything.
public struct CacheInvalidateParams: Codable, Sendable, Equatable {
    public var model: String?
    /// A namespace as `cache.stats` names it, or its beginning.
    public var namespace: String?
    public var tenant: String?
    /// Entries at least this old, in seconds.
    public var olderThanS: Double?
    /// An entry's key, or its beginning, in hexadecimal.
    public var key: String?
    /// Only counts.
    public var dryRun: Bool?

    public init() {}
}

/// Result of `cache.invalidate`.
public struct CacheInvalidated: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    /// False where the cache is off: there is nothing then.
    public var enabled: Bool
    /// Entries that were removed, or with `dry_run` would have been.
    public var cleared: Int
    public var dryRun: Bool

    public init(enabled: Bool, cleared: Int, dryRun: Bool) {
        self.enabled = enabled
        self.cleared = cleared
        self.dryRun = dryRun
    }
}

/// Parameters of `cache.get`.
public struct CacheGetParams: Codable, Sendable, Equatable {
    /// An entry's key: 64 hexadecimal digits, as `X-Cache-Key` tells it.
    public var key: String

    public init(key: String) {
        self.key = key
    }
}

/// Result of `cache.get`.
public struct CachedAnswerInfo: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    public var key: String
    /// As the first client named it.
    public var model: String
    public var promptTokens: Int
    public var answerTokens: Int
    /// Milliseconds that making it took.
    public var tookMs: Int
    /// The answer as JSON text.
    public var answer: String

    public init(key: String, model: String, promptTokens: Int, answerTokens: Int, tookMs: Int, answer: String) {
        self.key = key
        self.model = model
        self.promptTokens = promptTokens
        self.answerTokens = answerTokens
        self.tookMs = tookMs
        self.answer = answer
    }
}
