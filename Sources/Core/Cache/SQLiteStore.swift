// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import GRDB
import Logging

#if canImport(Dispatch)
    import Dispatch
#endif
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#endif

/// Entries in a SQLite file: they survive a restart, and a daemon that is killed while it writes loses at most what it had not yet
/// written. A file that is no sound database is set aside, and a new one begun.
///
/// All calls run one after the other on a queue of the store's own. Reading an entry only notes that it was used; that is written
/// with the next sweep.
final class SQLiteStore: CacheStore {
    /// `@unchecked Sendable`: only used on `disk`.
    private final class File: @unchecked Sendable {
        var database: DatabaseQueue?
        /// Used since the last sweep, with when.
        var used: [Digest: Int] = [:]
    }

    private let path: String
    private let file = File()
    private let disk = DispatchQueue(label: "routerd.cache")
    private let logger: Logger

    init(path: String, logger: Logger) {
        self.path = path
        self.logger = logger
    }

    // MARK: Entries

    func get(_ key: Digest, now: Int) async throws -> [UInt8]? {
        try await run { [file] database in
            let row = try database.read {
                try Row.fetchOne($0, sql: "SELECT bytes, expires FROM routerd_answers WHERE key = ?", arguments: [Data(key.bytes)])
            }
            guard let row, (row["expires"] as Int?).map({ $0 > now }) ?? true else { return nil }
            file.used[key] = now
            return Array(row["bytes"] as Data)
        }
    }

    func put(_ row: CacheRow) async throws {
        try await run { database in
            try database.write {
                try $0.execute(
                    sql: """
                        INSERT OR REPLACE INTO routerd_answers (key, namespace, model, tenant, created, expires, used, size, bytes, meaning)
                        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        Data(row.key.bytes), row.namespace, row.model, row.tenant, row.created, row.expires, row.created, row.size, Data(row.bytes),
                        row.meaning.map { Data($0) },
                    ])
            }
        }
    }

    func remove(_ key: Digest) async throws {
        try await run { database in
            try database.write { try $0.execute(sql: "DELETE FROM routerd_answers WHERE key = ?", arguments: [Data(key.bytes)]) }
        }
    }

    func invalidate(_ filter: CacheFilter, dryRun: Bool) async throws -> [Digest] {
        try await run { database in
            // A question waits for no writer's lock.
            if dryRun { return try database.read { try Self.keys(of: filter, $0) } }
            return try database.write { database in
                let found = try Self.keys(of: filter, database)
                for key in found { try database.execute(sql: "DELETE FROM routerd_answers WHERE key = ?", arguments: [Data(key.bytes)]) }
                return found
            }
        }
    }

    private static func keys(of filter: CacheFilter, _ database: Database) throws -> [Digest] {
        try Row.fetchAll(database, sql: "SELECT key, namespace, model, tenant, created FROM routerd_answers").compactMap { row in
            guard let key = Digest(row["key"] as Data),
                filter.fits(key: key, namespace: row["namespace"], model: row["model"], tenant: row["tenant"], created: row["created"])
            else { return nil }
            return key
        }
    }

    func meanings(since: Int) async throws -> [StoredMeaning] {
        try await run { database in
            try database.read { database in
                let rows = try Row.fetchCursor(
                    database,
                    sql: "SELECT key, namespace, created, expires, meaning FROM routerd_answers WHERE created >= ? AND meaning IS NOT NULL",
                    arguments: [since])
                var found: [StoredMeaning] = []
                while let row = try rows.next() {
                    guard let key = Digest(row["key"] as Data) else { continue }
                    found.append(
                        StoredMeaning(
                            key: key, namespace: row["namespace"], created: row["created"], expires: row["expires"],
                            meaning: Array(row["meaning"] as Data)))
                }
                return found
            }
        }
    }

    // MARK: The whole

    func usage(now: Int) async throws -> CacheUsage {
        try await run { database in
            try database.read { database in
                let rows = try Row.fetchAll(
                    database,
                    sql: """
                        SELECT namespace, model, tenant, COUNT(*) AS entries, SUM(size) AS bytes, MIN(created) AS oldest FROM routerd_answers
                        WHERE expires IS NULL OR expires > ? GROUP BY namespace ORDER BY bytes DESC
                        """, arguments: [now])
                var usage = CacheUsage()
                for row in rows {
                    let part = CacheUsage.Namespace(
                        name: row["namespace"], model: row["model"], tenant: row["tenant"], entries: row["entries"], bytes: row["bytes"])
                    usage.entries += part.entries
                    usage.bytes += part.bytes
                    let oldest: Int = row["oldest"]
                    usage.oldest = min(usage.oldest ?? oldest, oldest)
                    if usage.namespaces.count < CacheUsage.namespaceLimit { usage.namespaces.append(part) }
                }
                return usage
            }
        }
    }

    func sweep(limits: CacheLimits, now: Int) async throws {
        try await run { [file] database in
            try database.write { database in
                for (key, time) in file.used {
                    try database.execute(sql: "UPDATE routerd_answers SET used = ? WHERE key = ?", arguments: [time, Data(key.bytes)])
                }
                try database.execute(sql: "DELETE FROM routerd_answers WHERE expires <= ?", arguments: [now])
                // By last use, newest first: what comes after the limits goes.
                try database.execute(
                    sql: """
                        DELETE FROM routerd_answers WHERE key IN (
                          SELECT key FROM (SELECT key, ROW_NUMBER() OVER latest AS place, SUM(size) OVER latest AS total
                            FROM routerd_answers WINDOW latest AS (ORDER BY used DESC, created DESC, key ROWS UNBOUNDED PRECEDING))
                          WHERE place > ? OR total > ?)
                        """, arguments: [limits.entries, limits.bytes])
            }
            file.used.removeAll()
            // The pages of what was deleted go back to the file system, some at a time.
            try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA incremental_vacuum(1000)") }
        }
    }

    func close() async {
        await withCheckedContinuation { continuation in
            disk.async { [file] in
                try? file.database?.close()
                file.database = nil
                continuation.resume()
            }
        }
    }

    // MARK: The file

    private func run<Result: Sendable>(_ body: @escaping @Sendable (DatabaseQueue) throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            disk.async { continuation.resume(with: Swift.Result { try self.onDisk(body) }) }
        }
    }

    /// After a failure the next call opens the file anew; a damaged file is set aside, once for each call.
    private func onDisk<Result>(_ body: (DatabaseQueue) throws -> Result) throws -> Result {
        do {
            return try body(open())
        } catch {
            try? file.database?.close()
            file.database = nil
            guard let error = error as? DatabaseError, TokenDatabase.isCorrupt(error) else { throw error }
            let name = "\(path).corrupt-\(WallClock.unixSeconds())"
            guard rename(path, name) == 0 else { throw error }
            for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
            logger.warning("the cache's file is damaged; it was set aside, and a new one begun", metadata: ["file": "\(name)"])
            return try body(open())
        }
    }

    private func open() throws -> DatabaseQueue {
        if let database = file.database { return database }
        var configuration = Configuration()
        configuration.busyMode = .timeout(2)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        }
        let database = try DatabaseQueue(path: path, configuration: configuration)
        try Migrations.cache.migrate(database)
        file.database = database
        return database
    }
}
