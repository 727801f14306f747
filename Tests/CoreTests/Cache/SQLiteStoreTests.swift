// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import GRDB
import Logging
import TestSupport
import Testing

@testable import Core

/// What breaks without these: an operator who only asks what would go waits for, or fails because of, somebody who writes.
@Suite struct SQLiteStoreTests {
    @Test func aDryRunWaitsForNoWriter() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/cache.db"
        let store = SQLiteStore(path: path, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let key = Digest(of: "a")
        try await store.put(CacheRow(key: key, namespace: "n", model: "m", tenant: "", created: 1_000, expires: nil, bytes: [1]))
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: path, configuration: configuration)
        try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
        #expect(try await store.invalidate(CacheFilter(), dryRun: true) == [key])
        try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
        #expect(try await store.get(key, now: 2_000) == [1], "a dry run removes nothing")
        #expect(try await store.invalidate(CacheFilter(), dryRun: false) == [key])
        #expect(try await store.get(key, now: 2_000) == nil)
        await store.close()
    }
}
