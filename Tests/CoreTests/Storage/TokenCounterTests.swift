// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import GRDB
import Logging
import TestSupport
import Testing

@testable import Core

/// What breaks without these: tokens are lost or counted twice, or a bad disk takes the router down.
@Suite struct TokenCounterTests {
    private static let key = TokenKey(endpoint: "http://a:11434", model: "m:latest")

    private func counter(_ path: String?, at second: Int = 1_700_000_000) -> TokenCounter {
        TokenCounter(path: path, logger: Logger(label: "test")) { second }
    }

    private func sum(_ counter: TokenCounter) -> [String] {
        counter.totals().map { "\($0.key.endpoint) \($0.key.model) \($0.sum.input)/\($0.sum.output)" }
    }

    @Test func totalsOutliveTheDaemonAndMinutesMerge() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/tokens.db"
        let first = counter(path)
        await first.flush()
        for _ in 0..<3 { first.record(Self.key, TokenSum(input: 2, output: 5)) }
        await first.flush()
        first.record(Self.key, TokenSum(input: 1, output: 1))
        await first.flush()
        let second = counter(path, at: 1_700_000_100)
        await second.flush()
        #expect(sum(second) == ["http://a:11434 m:latest 7/16"])
        second.record(Self.key, TokenSum(input: 1, output: 0))
        let series = try await second.series(model: "m:latest")
        #expect(series.map(\.timestamp) == [1_699_999_980, 1_700_000_100 / 60 * 60])
        #expect(series.map(\.sum) == [TokenSum(input: 7, output: 16), TokenSum(input: 1, output: 0)])
        #expect(try await second.series(model: "other").isEmpty)
    }

    /// The Python router's own tables, as it makes them.
    @Test func aDatabaseOfTheSeedSystemIsReadAsItIs() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/token_counts.db"
        let queue = try DatabaseQueue(path: path)
        try await queue.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE token_counts (endpoint TEXT, model TEXT, input_tokens INTEGER, output_tokens INTEGER, total_tokens INTEGER,
                        PRIMARY KEY(endpoint, model));
                    CREATE TABLE token_time_series (id INTEGER PRIMARY KEY, endpoint TEXT, model TEXT, input_tokens INTEGER,
                        output_tokens INTEGER, total_tokens INTEGER, timestamp INTEGER);
                    INSERT INTO token_counts VALUES ('http://a:11434', 'm:latest', 100, 200, 300), (NULL, 'odd', NULL, 1, 1);
                    INSERT INTO token_time_series VALUES (1, 'http://a:11434', 'm:latest', 100, 200, 300, 1699999980);
                    """)
        }
        try queue.close()
        let counter = counter(path)
        await counter.flush()
        #expect(sum(counter) == [" odd 0/1", "http://a:11434 m:latest 100/200"])
        counter.record(Self.key, TokenSum(input: 1, output: 2))
        #expect(try await counter.series(model: "m:latest").map(\.sum) == [TokenSum(input: 101, output: 202)], "the minute goes on")
    }

    @Test func aDamagedFileIsSetAsideAndCountingGoesOn() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/tokens.db"
        try folder.write(String(repeating: "this is no database ", count: 500), to: "tokens.db")
        let counter = counter(path)
        counter.record(Self.key, TokenSum(input: 1, output: 2))
        await counter.flush()
        let aside = try #require(counter.health.setAside)
        #expect(aside.hasPrefix(path + ".corrupt-"))
        #expect(try String(contentsOfFile: aside, encoding: .utf8).hasPrefix("this is no database"), "nothing is lost")
        #expect(try await self.counter(path).series(model: nil).count == 1)
    }

    @Test func aLockedDatabaseDelaysNothingAndIsWrittenOnce() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/tokens.db"
        let counter = counter(path)
        await counter.flush()
        counter.record(Self.key, TokenSum(input: 1, output: 1))
        await counter.flush()
        var unsafe = Configuration()
        unsafe.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: path, configuration: unsafe)
        try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN EXCLUSIVE") }
        counter.record(Self.key, TokenSum(input: 10, output: 10))
        await counter.flush()
        #expect(counter.health.fault.contains("locked"))
        #expect(sum(counter) == ["http://a:11434 m:latest 11/11"], "readers see what was counted")
        try await other.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
        await counter.flush()
        await counter.flush()
        #expect(counter.health.fault.isEmpty)
        let stored = self.counter(path)
        await stored.flush()
        #expect(sum(stored) == ["http://a:11434 m:latest 11/11"])
    }

    @Test func aDiskThatIsNotThereOrFullIsToldAndCountingGoesOn() async throws {
        for path in ["/proc/nowhere/tokens.db", "/dev/full"] {
            let counter = counter(path)
            counter.record(Self.key, TokenSum(input: 3, output: 4))
            await counter.flush()
            #expect(!counter.health.fault.isEmpty, "\(path)")
            #expect(sum(counter) == ["http://a:11434 m:latest 3/4"])
        }
        let folder = try TemporaryFolder()
        let path = folder.path + "/tokens.db"
        let good = counter(path)
        await good.flush()
        let queue = try DatabaseQueue(path: path)
        let isReadOnly = try await queue.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM token_counts") }
        #expect(isReadOnly == 0)
    }

    @Test func withoutAPathAllIsInMemory() async throws {
        let counter = counter(nil)
        counter.record(Self.key, TokenSum(input: 1, output: 1))
        counter.record(Self.key, TokenSum())
        #expect(sum(counter) == ["http://a:11434 m:latest 1/1"])
        #expect(try await counter.series(model: nil).isEmpty)
    }

    @Test func oldRowsBecomeOneADayOrGo() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/tokens.db"
        let day = 19_000 * 86_400
        for (second, model) in [(day + 60, "a"), (day + 7200, "a"), (day + 100, "b"), (day + 86_400 + 5, "a"), (day + 40 * 86_400, "a")] {
            let counter = counter(path, at: second)
            await counter.flush()
            counter.record(TokenKey(endpoint: "e", model: model), TokenSum(input: 1, output: 2))
            await counter.flush()
        }
        let late = counter(path, at: day + 40 * 86_400 + 10)
        #expect(try await late.fold(olderThanDays: 30, trims: false) == 3)
        let folded = try await late.series(model: "a")
        #expect(folded.map(\.timestamp) == [day, day + 86_400, day + 40 * 86_400])
        #expect(folded.first?.sum == TokenSum(input: 2, output: 4))
        #expect(try await late.fold(olderThanDays: 30, trims: true) == 3)
        #expect(try await late.series(model: nil).count == 1)
        #expect(late.totals().reduce(0) { $0 + $1.sum.total } == 15, "totals are not touched")
    }

    @Test func nothingIsLostBetweenThreads() async throws {
        let folder = try TemporaryFolder()
        let counter = counter(folder.path + "/tokens.db")
        await counter.flush()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask { for _ in 0..<5000 { counter.record(Self.key, TokenSum(input: 1, output: 2)) } }
            }
            group.addTask { for _ in 0..<20 { await counter.flush() } }
        }
        await counter.flush()
        #expect(sum(counter) == ["http://a:11434 m:latest 20000/40000"])
        let stored = self.counter(folder.path + "/tokens.db")
        await stored.flush()
        #expect(sum(stored) == sum(counter))
    }
}
