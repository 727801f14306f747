// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Where entries are kept. Three of them: in memory, in a SQLite file, in Redis. All keep the same promises, which one suite of
/// tests asks of each:
///
/// - What was put is found until it expires, is invalidated, or makes room for others (the least recently used first).
/// - An entry that is put again replaces the one before.
/// - An expired entry is never found, whether or not it has been swept away yet.
///
/// Calls may come from anywhere, and never block the caller's thread. A store that cannot do what it is asked throws; its callers
/// go on without it.
protocol CacheStore: Sendable {
    /// - Returns: the entry's bytes; nil where there is none, or none any more.
    func get(_ key: Digest, now: Int) async throws -> [UInt8]?
    func put(_ row: CacheRow) async throws
    func remove(_ key: Digest) async throws
    /// Removes what the filter fits.
    ///
    /// - Parameter dryRun: only counts.
    /// - Returns: the keys of what was, or would have been, removed.
    func invalidate(_ filter: CacheFilter, dryRun: Bool) async throws -> [Digest]
    /// Entries with a meaning that were made since, for the index; those that this daemon put itself may be among them.
    ///
    /// - Parameter since: unix milliseconds.
    func meanings(since: Int) async throws -> [StoredMeaning]
    func usage(now: Int) async throws -> CacheUsage
    /// Removes what has expired, and what is too much. Called now and then, never in a request's way.
    func sweep(limits: CacheLimits, now: Int) async throws
    func close() async
}

/// An entry as a store sees it.
struct CacheRow: Sendable, Equatable {
    var key: Digest
    var namespace: String
    var model: String
    var tenant: String
    /// Unix milliseconds.
    var created: Int
    /// Unix milliseconds; nil for never.
    var expires: Int?
    var bytes: [UInt8]
    /// A `Meaning`, where the entry may answer other questions too.
    var meaning: [UInt8]?

    /// What it counts against the limit of bytes: its content, and what goes with every entry.
    var size: Int { bytes.count + (meaning?.count ?? 0) + Self.overhead }

    static let overhead = 256

    func isExpired(now: Int) -> Bool { expires.map { $0 <= now } ?? false }
}

struct StoredMeaning: Sendable, Equatable {
    var key: Digest
    var namespace: String
    /// Unix milliseconds.
    var created: Int
    var expires: Int?
    var meaning: [UInt8]
}

/// What is to be invalidated: everything that fits all that is given.
struct CacheFilter: Sendable, Equatable {
    var model: String?
    /// As the stats name it, or its beginning.
    var namespace: String?
    var tenant: String?
    /// Unix milliseconds: what was made before.
    var before: Int?
    /// One entry, by its key or the key's beginning in hexadecimal.
    var key: String?

    func fits(key: Digest, namespace: String, model: String, tenant: String, created: Int) -> Bool {
        if let wanted = self.model, wanted != model { return false }
        if let wanted = self.namespace, !namespace.hasPrefix(wanted) { return false }
        if let wanted = self.tenant, wanted != tenant { return false }
        if let before, created >= before { return false }
        if let wanted = self.key, !key.hex.hasPrefix(wanted) { return false }
        return true
    }

    func fits(_ row: CacheRow) -> Bool { fits(key: row.key, namespace: row.namespace, model: row.model, tenant: row.tenant, created: row.created) }
}

struct CacheLimits: Sendable, Equatable {
    var entries: Int
    var bytes: Int
}

/// What a store holds.
struct CacheUsage: Sendable, Equatable {
    struct Namespace: Sendable, Equatable {
        var name: String
        var model: String
        var tenant: String
        var entries: Int
        var bytes: Int
    }

    var entries = 0
    var bytes = 0
    /// Unix milliseconds of the oldest entry.
    var oldest: Int?
    /// The largest first, not more than `namespaceLimit`.
    var namespaces: [Namespace] = []

    static let namespaceLimit = 50

    init() {}

    /// Counts them, in no order.
    init(counting rows: some Sequence<(namespace: String, model: String, tenant: String, created: Int, size: Int)>) {
        var byName: [String: Namespace] = [:]
        for row in rows {
            entries += 1
            bytes += row.size
            oldest = min(oldest ?? row.created, row.created)
            byName[row.namespace, default: Namespace(name: row.namespace, model: row.model, tenant: row.tenant, entries: 0, bytes: 0)].entries += 1
            byName[row.namespace]?.bytes += row.size
        }
        namespaces = Array(byName.values.sorted { ($1.bytes, $0.name) < ($0.bytes, $1.name) }.prefix(Self.namespaceLimit))
    }
}
