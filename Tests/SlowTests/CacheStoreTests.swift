// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Logging
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import Core

/// The same promises of every store. A store that breaks one of them gives a wrong answer, or grows for ever.
@Suite(.serialized) struct CacheStoreTests {
    enum Kind: String, CaseIterable { case memory, sqlite, redis, redisOverTLS }

    /// Runs `body` with an empty store, and again with the same content opened anew where it survives that.
    private func with(_ kind: Kind, limits: CacheLimits = CacheLimits(entries: 1000, bytes: 1 << 30), _ body: (any CacheStore) async throws -> Void)
        async throws
    {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        switch kind {
        case .memory: try await body(MemoryStore(limits: limits))
        case .sqlite:
            let folder = try TemporaryFolder()
            let store = SQLiteStore(path: folder.path + "/cache.db", logger: logger)
            try await body(store)
            await store.close()
        case .redis, .redisOverTLS:
            let server = try RedisServer(password: "s3cret word", isSecure: kind == .redisOverTLS)
            let store = RedisStore(RedisClient(try server.address(), group: MultiThreadedEventLoopGroup.singleton, logger: logger))
            try await body(store)
            await store.close()
        }
    }

    private static func row(
        _ name: String, namespace: String = "n", model: String = "m", tenant: String = "", created: Int = 1_000, expires: Int? = nil,
        bytes: [UInt8] = [1, 2, 3]
    ) -> CacheRow {
        CacheRow(
            key: Digest(of: name), namespace: namespace, model: model, tenant: tenant, created: created, expires: expires, bytes: bytes)
    }

    private var now: Int { WallClock.unixMilliseconds() }

    @Test(arguments: Kind.allCases) func whatIsPutIsFound(_ kind: Kind) async throws {
        try await with(kind) { store in
            let all = Array(UInt8.min...UInt8.max)
            try #expect(await store.get(Digest(of: "a"), now: now) == nil)
            try await store.put(Self.row("a", bytes: all))
            try await store.put(Self.row("b", bytes: []))
            try #expect(await store.get(Digest(of: "a"), now: now) == all, "every byte")
            try #expect(await store.get(Digest(of: "b"), now: now) == [])
            try #expect(await store.get(Digest(of: "c"), now: now) == nil)
            // Replaced, not doubled.
            try await store.put(Self.row("a", bytes: [9]))
            try #expect(await store.get(Digest(of: "a"), now: now) == [9])
            let usage = try await store.usage(now: now)
            #expect(usage.entries == 2 && usage.bytes == 1 + 2 * CacheRow.overhead && usage.oldest == 1_000)
            try await store.remove(Digest(of: "a"))
            try await store.remove(Digest(of: "never there"))
            try #expect(await store.get(Digest(of: "a"), now: now) == nil)
            let large = [UInt8](repeating: 7, count: 3 << 20)
            try await store.put(Self.row("large", bytes: large))
            try #expect(await store.get(Digest(of: "large"), now: now) == large)
        }
    }

    @Test(arguments: Kind.allCases) func nothingExpiredIsFound(_ kind: Kind) async throws {
        try await with(kind) { store in
            let soon = now + 300
            try await store.put(Self.row("short", created: now, expires: soon))
            try await store.put(Self.row("long", created: now, expires: now + 3_600_000))
            try await store.put(Self.row("ever", created: now))
            try await eventuallyAsync("'short' has expired") { try await store.get(Digest(of: "short"), now: WallClock.unixMilliseconds()) == nil }
            #expect(WallClock.unixMilliseconds() >= soon, "not before its time")
            try #expect(await store.get(Digest(of: "long"), now: now) != nil)
            try #expect(await store.get(Digest(of: "ever"), now: now) != nil)
            try #expect(await store.usage(now: now).entries == 2)
            try await store.sweep(limits: CacheLimits(entries: 10, bytes: 1 << 20), now: now)
            try #expect(await store.usage(now: now).entries == 2)
            // Put again without an end, it has none.
            try await store.put(Self.row("long", created: now))
            try #expect(await store.get(Digest(of: "long"), now: now) != nil)
        }
    }

    @Test(arguments: Kind.allCases) func theLeastRecentlyUsedGoesFirst(_ kind: Kind) async throws {
        try await with(kind) { store in
            for index in 0..<10 { try await store.put(Self.row("\(index)", created: 1_000 + index, bytes: [UInt8](repeating: 0, count: 1000))) }
            // Used after all others were put.
            _ = try await store.get(Digest(of: "0"), now: 5_000)
            _ = try await store.get(Digest(of: "3"), now: 6_000)
            try await store.sweep(limits: CacheLimits(entries: 4, bytes: 1 << 20), now: 7_000)
            var left: [Int] = []
            for index in 0..<10 where try await store.get(Digest(of: "\(index)"), now: 8_000 + index) != nil { left.append(index) }
            #expect(left == [0, 3, 8, 9])
            try await store.sweep(limits: CacheLimits(entries: 100, bytes: 2 * (1000 + CacheRow.overhead)), now: 9_000)
            left = []
            for index in 0..<10 where try await store.get(Digest(of: "\(index)"), now: 9_500) != nil { left.append(index) }
            #expect(left == [8, 9])
        }
    }

    /// Every filter, alone and together; a dry run counts and leaves everything.
    @Test(arguments: Kind.allCases) func invalidation(_ kind: Kind) async throws {
        try await with(kind) { store in
            let rows = [
                Self.row("1", namespace: "a/11", model: "a", tenant: "", created: 1_000),
                Self.row("2", namespace: "a/22", model: "a", tenant: "t", created: 2_000),
                Self.row("3", namespace: "b/33", model: "b", tenant: "t", created: 3_000),
                Self.row("4", namespace: "b/33", model: "b", tenant: "t", created: 4_000),
            ]
            func fill() async throws { for row in rows { try await store.put(row) } }
            let table: [(CacheFilter, [String])] = [
                (CacheFilter(), ["1", "2", "3", "4"]),
                (CacheFilter(model: "a"), ["1", "2"]),
                (CacheFilter(model: "A"), []),
                (CacheFilter(namespace: "b/33"), ["3", "4"]),
                (CacheFilter(namespace: "a/"), ["1", "2"]),
                (CacheFilter(tenant: "t"), ["2", "3", "4"]),
                (CacheFilter(tenant: ""), ["1"]),
                (CacheFilter(before: 3_000), ["1", "2"]),
                (CacheFilter(model: "b", before: 4_000), ["3"]),
                (CacheFilter(model: "a", tenant: "t"), ["2"]),
                (CacheFilter(key: String(Digest(of: "4").hex.prefix(10))), ["4"]),
            ]
            for (filter, wanted) in table {
                try await fill()
                let expected = Set(wanted.map { Digest(of: $0) })
                try #expect(await Set(store.invalidate(filter, dryRun: true)) == expected, "\(filter)")
                try #expect(await store.usage(now: 5_000).entries == 4, "a dry run removes nothing")
                try #expect(await Set(store.invalidate(filter, dryRun: false)) == expected)
                for row in rows { try #expect((await store.get(row.key, now: 5_000) == nil) == expected.contains(row.key), "\(filter)") }
            }
            try await fill()
            let usage = try await store.usage(now: 5_000)
            #expect(usage.namespaces.map(\.name) == ["b/33", "a/11", "a/22"] && usage.namespaces.map(\.entries) == [2, 1, 1])
            #expect(usage.namespaces.first?.tenant == "t" && usage.namespaces.first?.model == "b")
        }
    }

    /// What a store has of meanings, all of it or what is new; gone with its entry.
    @Test(arguments: Kind.allCases) func meaningsAreKept(_ kind: Kind) async throws {
        try await with(kind) { store in
            for (index, name) in ["a", "b", "c"].enumerated() {
                var row = Self.row(name, created: 1_000 * (index + 1), expires: now + 3_600_000)
                if name != "b" { row.meaning = Array("meaning of \(name)".utf8) }
                try await store.put(row)
            }
            let all = try await store.meanings(since: 0).sorted { $0.created < $1.created }
            #expect(
                all.map(\.key) == [Digest(of: "a"), Digest(of: "c")] && all.map { String(decoding: $0.meaning, as: UTF8.self) }.last == "meaning of c"
            )
            #expect(all.allSatisfy { $0.namespace == "n" && $0.expires ?? 0 > now })
            try #expect(await store.meanings(since: 1_500).map(\.key) == [Digest(of: "c")])
            try #expect(await store.get(Digest(of: "a"), now: now) == [1, 2, 3])
            _ = try await store.invalidate(CacheFilter(before: 2_000), dryRun: false)
            try await store.remove(Digest(of: "c"))
            try #expect(await store.meanings(since: 0).isEmpty)
        }
    }

    /// Many at once, from many sides: nothing is lost, nothing mixed up.
    @Test(arguments: Kind.allCases) func manyAtOnce(_ kind: Kind) async throws {
        try await with(kind) { store in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<8 {
                    group.addTask {
                        for index in 0..<40 {
                            let name = "\(worker)-\(index)"
                            let bytes = Array(name.utf8)
                            try await store.put(Self.row(name, created: 1_000 + index, bytes: bytes))
                            try #expect(await store.get(Digest(of: name), now: 2_000) == bytes)
                        }
                    }
                }
                try await group.waitForAll()
            }
            try #expect(await store.usage(now: 2_000).entries == 320)
        }
    }

    // MARK: Each one's own

    @Test func memoryKeepsItsLimitsAtEveryMoment() {
        let store = MemoryStore(limits: CacheLimits(entries: 3, bytes: 1 << 20))
        for index in 0..<1000 {
            store.put(Self.row("\(index)"))
            // The oldest stays because it is used.
            #expect(store.get(Digest(of: "0"), now: 1) != nil)
            #expect(store.usage(now: 1).entries <= 3)
        }
        let small = MemoryStore(limits: CacheLimits(entries: 100, bytes: 1000))
        small.put(Self.row("larger than everything", bytes: [UInt8](repeating: 0, count: 2000)))
        #expect(small.usage(now: 1).entries == 0)
    }

    @Test func sqliteSurvivesBeingOpenedAgain() async throws {
        let folder = try TemporaryFolder()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let first = SQLiteStore(path: folder.path + "/cache.db", logger: logger)
        try await first.put(Self.row("a", bytes: [5]))
        await first.close()
        let second = SQLiteStore(path: folder.path + "/cache.db", logger: logger)
        try #expect(await second.get(Digest(of: "a"), now: 2_000) == [5])
        await second.close()
    }

    @Test func aDamagedFileIsSetAside() async throws {
        let folder = try TemporaryFolder()
        try folder.write("this is no database, and long enough to be looked at as one\n", to: "cache.db")
        let store = SQLiteStore(path: folder.path + "/cache.db", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await store.put(Self.row("a", bytes: [5]))
        try #expect(await store.get(Digest(of: "a"), now: 2_000) == [5])
        await store.close()
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names.contains { $0.hasPrefix("cache.db.corrupt-") }, "\(names)")
    }

    /// A server that goes away costs an error each, at once, and is used again when it is back.
    @Test func redisMayGoAndComeBack() async throws {
        let server = try RedisServer(password: nil, isSecure: false)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = RedisStore(RedisClient(try server.address(), group: MultiThreadedEventLoopGroup.singleton, logger: logger))
        try await store.put(Self.row("a", bytes: [5]))
        server.stop()
        await #expect(throws: (any Error).self) { try await store.get(Digest(of: "a"), now: 2_000) }
        try server.start()
        try await eventuallyAsync("the store works again") {
            try await store.put(Self.row("b", bytes: [6])); return true
        }
        try #expect(await store.get(Digest(of: "b"), now: 2_000) == [6])
        await store.close()
    }

    @Test func aWrongPasswordIsSaid() async throws {
        let server = try RedisServer(password: "right", isSecure: false)
        var address = try server.address()
        address.password = Secret("wrong")
        let store = RedisStore(
            RedisClient(address, group: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
        do {
            _ = try await store.get(Digest(of: "a"), now: 1)
            Issue.record("a wrong password was taken")
        } catch {
            #expect("\(error)".contains("WRONGPASS") && !"\(error)".contains("right"))
        }
        await store.close()
    }
}

/// Polls a condition that may also throw while it is not true yet.
func eventuallyAsync(_ what: String, within seconds: Double = 20, _ condition: () async throws -> Bool) async throws {
    let deadline = NIODeadline.now() + .milliseconds(Int64(seconds * 1000))
    while true {
        if (try? await condition()) ?? false { return }
        guard NIODeadline.now() < deadline else { throw TestFailure("not within \(seconds) s: \(what)") }
        try await Task.sleep(for: .milliseconds(20))
    }
}

extension RedisServer {
    func address() throws -> RedisAddress {
        var address = try RedisAddress(url: url)
        if let authority { address.tls.caFile = authority }
        return address
    }
}
