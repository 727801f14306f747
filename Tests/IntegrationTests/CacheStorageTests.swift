// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import NIOConcurrencyHelpers
import Protocol
import TestSupport
import Testing

/// Stores that are files or other machines, on the real daemon: what survives, what is shared, and what happens when they fail. None of
/// it may cost a client its answer.
@Suite struct CacheStorageTests {
    private static func ask(_ text: String) -> String {
        #"{"model":"m","stream":false,"messages":[{"role":"user","content":"\#(text)"}]}"#
    }

    private static func post(_ daemon: RunningDaemon, _ text: String) throws -> RawResponse {
        try RawClient.post(port: daemon.port, "/api/chat", ask(text))
    }

    private static func endpoint() throws -> FakeEndpoint { try FakeEndpoint(available: ["m"], loaded: ["m"], script: CacheTests.counting()) }

    /// After a restart, and after `kill -9` in the midst of writing.
    @Test func sqliteSurvives() throws {
        let endpoint = try Self.endpoint()
        let folder = try TemporaryFolder()
        let config = RunningDaemon.entries([endpoint], limit: 8) + "cache_enabled: true\ncache_backend: sqlite\ncache_db_path: \(folder.path)/c.db\n"
        let first = try RunningDaemon(config)
        for index in 0..<5 { _ = try Self.post(first, "q\(index)") }
        try CacheTests.untilKept(first, entries: 5)
        // Killed while others are being written.
        let writers = (0..<4).map { worker in
            Thread {
                for index in 0..<1000 { guard (try? Self.post(first, "w\(worker)-\(index)"))?.status == 200 else { return } }
            }
        }
        for writer in writers { writer.start() }
        try eventually("many are written") { try first.status().cache.entries > 20 }
        first.process.kill()

        let second = try RunningDaemon(config)
        for index in 0..<5 {
            let answer = try Self.post(second, "q\(index)")
            #expect(answer.status == 200 && answer.head["x-cache"] == "hit", "q\(index)")
        }
        try #expect(second.status().cache.entries >= 20 && second.status().cache.fault == "")
        second.process.kill()
    }

    /// A file that is no database is set aside; every request is answered, and the next ones are kept.
    @Test func aDamagedFileCostsNothing() throws {
        let endpoint = try Self.endpoint()
        let folder = try TemporaryFolder()
        try folder.write(String(repeating: "no database at all. ", count: 500), to: "c.db")
        let config = "cache_enabled: true\ncache_backend: sqlite\ncache_db_path: \(folder.path)/c.db\n"
        try RunningDaemon.run([endpoint], config) { daemon in
            try #expect(Self.post(daemon, "a").status == 200)
            try CacheTests.untilKept(daemon, entries: 1)
            try #expect(Self.post(daemon, "a").head["x-cache"] == "hit")
            #expect(daemon.log.contains("the cache's file is damaged"))
        }
    }

    /// One entry that is damaged is a miss, and gone.
    @Test func aDamagedEntryIsAMiss() throws {
        let endpoint = try Self.endpoint()
        let server = try RedisServer()
        try RunningDaemon.run([endpoint], "cache_enabled: true\ncache_backend: redis\ncache_redis_url: \(server.url)\n") { daemon in
            let first = try Self.post(daemon, "a")
            try CacheTests.untilKept(daemon, entries: 1)
            let key = try #require(first.head["x-cache-key"])
            let name = try #require(try server.command("KEYS", "routerd:cache:\(key)*").split(separator: "\n").first.map(String.init))
            _ = try server.command("HSET", name, "bytes", "RTC1garbage that is long enough")
            let second = try Self.post(daemon, "a")
            #expect(second.status == 200 && second.head["x-cache"] == "miss" && second.text.contains("answer 2"))
            try eventually("the new answer is kept") { try Self.post(daemon, "a").text.contains("answer 2") }
        }
    }

    /// A full disk: nothing is kept, everything is answered, the operator is told.
    @Test(.enabled(if: !Checkout.isThreadSanitized, "SKIPPED: the thread sanitizer itself does not survive a limit on files"))
    func aFullDiskCostsNothing() throws {
        let long = String(repeating: "long ", count: 2000)
        let endpoint = try FakeEndpoint(available: ["m"], loaded: ["m"]) { connection, _ in
            connection.answer(#"{"model":"m","message":{"role":"assistant","content":"\#(long)"},"done":true,"done_reason":"stop"}"#)
        }
        let folder = try TemporaryFolder()
        let config = RunningDaemon.entries([endpoint]) + "cache_enabled: true\ncache_backend: sqlite\ncache_db_path: \(folder.path)/c.db\n"
        // No file may grow beyond 200 blocks: the database's tables fit, many answers do not.
        let daemon = try RunningDaemon(config, fileBlocks: 200)
        defer { daemon.process.kill() }
        for index in 0..<60 {
            let answer = try Self.post(daemon, "q\(index)")
            #expect(answer.status == 200 && answer.text.contains(long))
        }
        try eventually("the operator is told") {
            _ = try Self.post(daemon, "one more \(UInt64.random(in: 0 ... .max))")
            return try !daemon.status().cache.fault.isEmpty
        }
        try daemon.waitUntilIdle()
    }

    /// Two routers over one Redis share their answers.
    @Test func twoRoutersShareOneRedis() throws {
        let endpoint = try Self.endpoint()
        let server = try RedisServer(password: "s3cret")
        let config = "cache_enabled: true\ncache_backend: redis\ncache_redis_url: \"\(server.url)\"\n"
        try RunningDaemon.run([endpoint], config) { first in
            try RunningDaemon.run([endpoint], config) { second in
                try #expect(Self.post(first, "a").head["x-cache"] == "miss")
                try CacheTests.untilKept(second, entries: 1)
                let answer = try Self.post(second, "a")
                #expect(answer.head["x-cache"] == "hit" && answer.text.contains("answer 1") && endpoint.requestCount == 1)
                // What one of them clears is gone for both.
                _ = try RawClient.post(port: first.port, "/api/cache/invalidate", "")
                try #expect(Self.post(second, "a").head["x-cache"] == "miss")
                for daemon in [first, second] { #expect(!daemon.log.contains("s3cret")) }
            }
        }
    }

    /// A Redis that goes away costs no client an answer, and is told; when it is back it is used again.
    @Test func aVanishedRedisCostsNothing() throws {
        let endpoint = try Self.endpoint()
        let server = try RedisServer()
        try RunningDaemon.run([endpoint], "cache_enabled: true\ncache_backend: redis\ncache_redis_url: \(server.url)\n") { daemon in
            _ = try Self.post(daemon, "a")
            try CacheTests.untilKept(daemon, entries: 1)
            server.stop()
            for index in 0..<20 {
                let answer = try Self.post(daemon, "gone \(index)")
                #expect(answer.status == 200 && answer.head["x-cache"] == "miss")
            }
            let fault = try daemon.status().cache.fault
            #expect(!fault.isEmpty)
            #expect(daemon.log.contains("requests go on without it"))
            try server.start()
            try eventually("it is used again") { try Self.post(daemon, "a").head["x-cache"] == "hit" }
            try eventually("all is well") { try daemon.status().cache.fault == "" }
        }
    }
}
