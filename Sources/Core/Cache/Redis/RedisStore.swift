// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOCore

/// Entries in Redis or Valkey, shared by all routers that use the same server and database. Each entry is a hash under
/// `routerd:cache:<key>`, which the server expires by itself; when each was last used stands in the sorted set `routerd:cache:used`, when
/// those with a meaning were made in `routerd:cache:made`, by which routers learn of each other's.
final class RedisStore: CacheStore {
    private static let prefix = "routerd:cache:"
    private static let used = "routerd:cache:used"
    private static let made = "routerd:cache:made"
    /// Keys looked at with one round trip.
    private static let page = 500

    private let client: RedisClient

    init(_ client: RedisClient) {
        self.client = client
    }

    func get(_ key: Digest, now: Int) async throws -> [UInt8]? {
        let replies = try await client.send([
            RedisCommand("HGET", Self.prefix + key.hex, "bytes"), RedisCommand("ZADD", Self.used, "XX", "\(now)", key.hex),
        ])
        try Self.check(replies)
        return replies.first?.bytes
    }

    func put(_ row: CacheRow) async throws {
        let name = Self.prefix + row.key.hex
        var commands = [
            RedisCommand("MULTI"),
            RedisCommand("DEL", name),
            RedisCommand(
                "HSET", name, "namespace", row.namespace, "model", row.model, "tenant", row.tenant, "created", "\(row.created)", "size",
                "\(row.size)", "expires", row.expires.map { "\($0)" } ?? "", "bytes"
            ).with(row.bytes),
            RedisCommand("ZADD", Self.used, "\(row.created)", row.key.hex),
        ]
        if let meaning = row.meaning {
            commands.append(RedisCommand("HSET", name, "meaning").with(meaning))
            commands.append(RedisCommand("ZADD", Self.made, "\(row.created)", row.key.hex))
        }
        if let expires = row.expires { commands.append(RedisCommand("PEXPIREAT", name, "\(expires)")) }
        commands.append(RedisCommand("EXEC"))
        try Self.check(try await client.send(commands))
    }

    func remove(_ key: Digest) async throws { try await remove([key]) }

    private func remove(_ keys: [Digest]) async throws {
        for page in stride(from: 0, to: keys.count, by: Self.page).map({ keys[$0..<min($0 + Self.page, keys.count)] }) {
            try Self.check(
                try await client.send([
                    RedisCommand(["UNLINK"] + page.map { Self.prefix + $0.hex }), RedisCommand(["ZREM", Self.used] + page.map(\.hex)),
                    RedisCommand(["ZREM", Self.made] + page.map(\.hex)),
                ]))
        }
    }

    func invalidate(_ filter: CacheFilter, dryRun: Bool) async throws -> [Digest] {
        var found: [Digest] = []
        try await walk { key, row in
            guard let row, filter.fits(key: key, namespace: row.namespace, model: row.model, tenant: row.tenant, created: row.created) else { return }
            found.append(key)
        }
        if !dryRun { try await remove(found) }
        return found
    }

    func meanings(since: Int) async throws -> [StoredMeaning] {
        let names = try await client.send(RedisCommand("ZRANGEBYSCORE", Self.made, "\(since)", "+inf")).array?.compactMap { $0.text } ?? []
        var found: [StoredMeaning] = []
        for start in stride(from: 0, to: names.count, by: Self.page) {
            let page = names[start..<min(start + Self.page, names.count)]
            let replies = try await client.send(page.map { RedisCommand("HMGET", Self.prefix + $0, "namespace", "created", "expires", "meaning") })
            try Self.check(replies)
            for (name, reply) in zip(page, replies) {
                let fields = reply.array ?? []
                guard fields.count == 4, let key = Digest(hex: name), let namespace = fields[0].text, let created = fields[1].integer,
                    let meaning = fields[3].bytes
                else { continue }
                found.append(StoredMeaning(key: key, namespace: namespace, created: created, expires: fields[2].integer, meaning: meaning))
            }
        }
        return found
    }

    func usage(now: Int) async throws -> CacheUsage {
        var rows: [Description] = []
        try await walk { _, row in if let row { rows.append(row) } }
        return CacheUsage(counting: rows.map { ($0.namespace, $0.model, $0.tenant, $0.created, $0.size) })
    }

    func sweep(limits: CacheLimits, now: Int) async throws {
        var gone: [Digest] = []
        var sizes: [(key: Digest, size: Int)] = []
        try await walk { key, row in
            if let row { sizes.append((key, row.size)) } else { gone.append(key) }
        }
        // `walk` goes from the least to the most recently used.
        var bytes = sizes.reduce(0) { $0 + $1.size }
        var count = sizes.count
        for entry in sizes where count > limits.entries || bytes > limits.bytes {
            gone.append(entry.key)
            count -= 1
            bytes -= entry.size
        }
        try await remove(gone)
    }

    func close() async { await client.close() }

    // MARK: All entries

    private struct Description {
        var namespace: String
        var model: String
        var tenant: String
        var created: Int
        var size: Int
    }

    /// Every key that was put, least recently used first, with what it is; nil for one that has expired meanwhile.
    private func walk(_ visit: (Digest, Description?) -> Void) async throws {
        // By the keys' own order a use in the meantime can neither hide an entry nor show it twice: the names come at once.
        let names = try await client.send(RedisCommand("ZRANGE", Self.used, "0", "-1")).array?.compactMap { $0.text } ?? []
        for start in stride(from: 0, to: names.count, by: Self.page) {
            let page = names[start..<min(start + Self.page, names.count)]
            let replies = try await client.send(
                page.map { RedisCommand("HMGET", Self.prefix + $0, "namespace", "model", "tenant", "created", "size") })
            try Self.check(replies)
            for (name, reply) in zip(page, replies) {
                guard let key = Digest(hex: name) else { continue }
                let fields = reply.array ?? []
                guard fields.count == 5, let namespace = fields[0].text, let model = fields[1].text, let tenant = fields[2].text,
                    let created = fields[3].integer, let size = fields[4].integer
                else {
                    visit(key, nil)
                    continue
                }
                visit(key, Description(namespace: namespace, model: model, tenant: tenant, created: created, size: size))
            }
        }
    }

    private static func check(_ replies: [RESPValue]) throws {
        for reply in replies {
            if let error = reply.error { throw RedisConnection.Closed(reason: error) }
            // What went wrong within a transaction stands in its result.
            if let error = reply.array?.lazy.compactMap(\.error).first { throw RedisConnection.Closed(reason: error) }
        }
    }
}
