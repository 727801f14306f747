// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import GRDB

#if canImport(Glibc)
    import Glibc
#endif

/// Token counts in SQLite. Opened when it is first needed and after each failure again, so that the daemon starts and serves on
/// whatever the disk says.
///
/// Calls block on the disk and come one at a time: `TokenCounter` makes them, off the event loops.
///
/// `@unchecked Sendable`: one serial queue makes all calls.
final class TokenDatabase: @unchecked Sendable {
    let path: String
    private var queue: DatabaseQueue?
    /// Where a file went that was no sound database.
    private(set) var setAside: String?

    init(path: String) {
        self.path = path
    }

    /// - Throws: `DatabaseError`.
    private func open() throws -> DatabaseQueue {
        if let queue { return queue }
        do {
            return try openOnce()
        } catch let error as DatabaseError where Self.isCorrupt(error) {
            // Nothing of it can be read; it may still be worth something to a person.
            let name = "\(path).corrupt-\(WallClock.unixSeconds())"
            guard rename(path, name) == 0 else { throw error }
            for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
            setAside = name
            return try openOnce()
        }
    }

    private func openOnce() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(Self.busyTimeout)
        configuration.prepareDatabase { database in
            // Readers beside the writer; a killed daemon loses nothing that was committed.
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try Migrations.all.migrate(queue)
        self.queue = queue
        return queue
    }

    /// Seconds that a write waits for another process's lock. The requests' way never waits for it.
    private static let busyTimeout = 2.0

    /// Runs `body`; after a failure the next call opens the file anew.
    private func run<Result>(_ body: (DatabaseQueue) throws -> Result) throws -> Result {
        do {
            return try body(open())
        } catch {
            queue = nil
            guard let error = error as? DatabaseError, Self.isCorrupt(error), setAside == nil else { throw error }
            // It was sound when it was opened, and is not any more.
            return try body(open())
        }
    }

    static func isCorrupt(_ error: DatabaseError) -> Bool {
        error.resultCode == .SQLITE_CORRUPT || error.resultCode == .SQLITE_NOTADB
    }

    func close() {
        try? queue?.close()
        queue = nil
    }

    // MARK: Writing

    /// All of it, or nothing.
    func add(_ points: [TokenPoint]) throws {
        try run { queue in
            try queue.write { database in
                for point in points {
                    try database.execute(
                        sql: """
                            INSERT INTO token_counts (endpoint, model, input_tokens, output_tokens, total_tokens) VALUES (?, ?, ?, ?, ?)
                            ON CONFLICT (endpoint, model) DO UPDATE SET input_tokens = input_tokens + excluded.input_tokens,
                                output_tokens = output_tokens + excluded.output_tokens, total_tokens = total_tokens + excluded.total_tokens
                            """, arguments: [point.key.endpoint, point.key.model, point.sum.input, point.sum.output, point.sum.total])
                    try database.execute(
                        sql: """
                            UPDATE token_time_series SET input_tokens = input_tokens + ?, output_tokens = output_tokens + ?,
                                total_tokens = total_tokens + ?
                            WHERE id = (SELECT id FROM token_time_series WHERE model = ? AND timestamp = ? AND endpoint = ? LIMIT 1)
                            """,
                        arguments: [point.sum.input, point.sum.output, point.sum.total, point.key.model, point.timestamp, point.key.endpoint])
                    if database.changesCount == 0 { try Self.insert(point, database) }
                }
            }
        }
    }

    private static func insert(_ point: TokenPoint, _ database: Database) throws {
        try database.execute(
            sql: """
                INSERT INTO token_time_series (endpoint, model, input_tokens, output_tokens, total_tokens, timestamp) VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [point.key.endpoint, point.key.model, point.sum.input, point.sum.output, point.sum.total, point.timestamp])
    }

    /// Rows from before `limit` (unix seconds) become one for each day, endpoint and model; with `trims` they go.
    ///
    /// - Returns: how many such groups there were.
    func fold(before limit: Int, trims: Bool) throws -> Int {
        try run { queue in
            try queue.write { database in
                let rows = try Row.fetchAll(
                    database,
                    sql: """
                        SELECT endpoint, model, timestamp / 86400 * 86400 AS day, SUM(input_tokens) AS input, SUM(output_tokens) AS output
                        FROM token_time_series WHERE timestamp < ? GROUP BY endpoint, model, day
                        """, arguments: [limit])
                try database.execute(sql: "DELETE FROM token_time_series WHERE timestamp < ?", arguments: [limit])
                if !trims { for row in rows { try Self.insert(Self.point(row, time: "day"), database) } }
                return rows.count
            }
        }
    }

    // MARK: Reading

    func totals() throws -> [TokenKey: TokenSum] {
        try run { queue in
            try queue.read { database in
                var totals: [TokenKey: TokenSum] = [:]
                for row in try Row.fetchAll(database, sql: "SELECT endpoint, model, input_tokens AS input, output_tokens AS output FROM token_counts")
                {
                    let point = Self.point(row, time: nil)
                    totals[point.key, default: TokenSum()] += point.sum
                }
                return totals
            }
        }
    }

    /// Oldest first.
    func series(model: String?, since: Int = 0) throws -> [TokenPoint] {
        try run { queue in
            try queue.read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT endpoint, model, timestamp, input_tokens AS input, output_tokens AS output FROM token_time_series
                        WHERE timestamp >= ? AND (? IS NULL OR model = ?) ORDER BY timestamp, endpoint
                        """, arguments: [since, model, model]
                ).map { Self.point($0, time: "timestamp") }
            }
        }
    }

    /// Sums of each endpoint and model by steps of so many seconds, the first of which begins at `since` (unix seconds).
    func sums(since: Int, step: Int) throws -> [TokenPoint] {
        try run { queue in
            try queue.read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT endpoint, model, ? + (timestamp - ?) / ? * ? AS start, SUM(input_tokens) AS input, SUM(output_tokens) AS output
                        FROM token_time_series WHERE timestamp >= ? GROUP BY endpoint, model, start
                        """, arguments: [since, since, step, step, since]
                ).map { Self.point($0, time: "start") }
            }
        }
    }

    /// Columns of other writers may be null.
    private static func point(_ row: Row, time: String?) -> TokenPoint {
        let key = TokenKey(endpoint: row["endpoint"] as String? ?? "", model: row["model"] as String? ?? "")
        let sum = TokenSum(input: row["input"] as Int? ?? 0, output: row["output"] as Int? ?? 0)
        return TokenPoint(key: key, timestamp: time.flatMap { row[$0] as Int? } ?? 0, sum: sum)
    }
}
