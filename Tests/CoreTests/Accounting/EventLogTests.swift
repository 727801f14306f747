// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Logging
import Protocol
import Testing

@testable import Core

/// The last events of the log. What breaks without these: the memory fills, or an operator misses what happened.
@Suite struct EventLogTests {
    private static func filled(_ count: Int) -> EventLog {
        let log = EventLog()
        for number in 1...count { log.add(at: "T", level: number % 2 == 0 ? "warning" : "info", message: "event \(number)", facts: [:]) }
        return log
    }

    @Test func theOldestGoWhenItIsFull() {
        let log = Self.filled(EventLog.capacity + 7)
        let events = log.events()
        #expect(events.count == EventLog.capacity)
        #expect(events.map(\.sequence) == Array(8...(EventLog.capacity + 7)))
        #expect(events.last?.message == "event \(EventLog.capacity + 7)")
    }

    @Test func laterOnesAndTheSeriousAreChosen() {
        let log = Self.filled(20)
        #expect(log.events(after: 17).map(\.sequence) == [18, 19, 20])
        #expect(log.events(after: 20).isEmpty && log.events(after: 99).isEmpty)
        #expect(log.events(severity: 3, limit: 2).map(\.sequence) == [18, 20])
        #expect(log.events(limit: 3).map(\.sequence) == [18, 19, 20])
        #expect(EventLog().events().isEmpty)
    }

    @Test func theLogFeedsItFromInfoUpwards() {
        let log = EventLog()
        var logger = Logger(label: "test") { _ in EventLogHandler(log) }
        logger.logLevel = .info
        logger.debug("not this")
        logger.warning("this", metadata: ["endpoint": "gpu"])
        let events = log.events()
        #expect(events.map(\.message) == ["this"])
        #expect(events.first?.facts == ["endpoint": "gpu"] && events.first?.level == "warning" && events.first?.severity == 3)
    }

    @Test func anEndlessTextIsCut() {
        let log = EventLog()
        log.add(at: "T", level: "info", message: String(repeating: "x", count: 100_000), facts: ["a": String(repeating: "y", count: 100_000)])
        let event = log.events().first
        #expect(event?.message.count == 2000 && event?.facts["a"]?.count == 2000)
    }
}
