// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Foundation
import Logging
import Protocol
import TestSupport
import Testing

@testable import Core

/// What breaks without these: lines of the access log vanish without a word, or lines run into one another.
@Suite struct AccessLogTests {
    private let events = EventLog()

    private func health() -> AccessLogHealth {
        AccessLogHealth(logger: Logger(label: "test", factory: { [events] _ in EventLogHandler(events) }))
    }

    private func told() -> [String] { events.events(after: nil, limit: 100).map(\.message) }

    private static let lost = "the access log cannot be written; its lines are lost"
    private static let again = "the access log is written again"

    @Test func theLogIsWrittenAndOpenedAnew() throws {
        let folder = try TemporaryFolder()
        let log = AccessLog(.init(path: folder.path + "/access.log", format: .text), health: health())
        log.write(Array("one\n".utf8))
        log.flush()
        #expect(folder.read("access.log") == "one\n")
        try #require(rename(folder.path + "/access.log", folder.path + "/old.log") == 0)
        let next = AccessLog(log.settings, health: health())
        next.write(Array("two\n".utf8))
        next.flush()
        #expect(folder.read("access.log") == "two\n" && folder.read("old.log") == "one\n")
        #expect(told().isEmpty)
    }

    @Test func lostLinesAreToldOnceAndCountedAndSoIsTheEndOfIt() throws {
        let folder = try TemporaryFolder()
        let health = health()
        let log = AccessLog(.init(path: folder.path + "/logs/access.log", format: .text), health: health)
        for _ in 0..<3 { log.write(Array("one\ntwo\n".utf8)) }
        log.flush()
        #expect(told() == [Self.lost])
        #expect(health.figures == .init(fault: "No such file or directory", lostLines: 6))
        try FileManager.default.createDirectory(atPath: folder.path + "/logs", withIntermediateDirectories: false)
        for _ in 0..<2 { log.write(Array("three\n".utf8)) }
        log.flush()
        #expect(folder.read("logs/access.log") == "three\nthree\n")
        #expect(told() == [Self.lost, Self.again])
        #expect(events.events(after: nil, limit: 100).last?.facts["lost_lines"] == "6")
        #expect(health.figures == .init(fault: "", lostLines: 6))
    }

    @Test func aFullDiskIsTold() {
        let health = health()
        let log = AccessLog(.init(path: "/dev/full", format: .text), health: health)
        log.write(Array("one\n".utf8))
        log.flush()
        #expect(health.figures == .init(fault: "No space left on device", lostLines: 1))
        health.moved()
        #expect(health.figures == .init(fault: "", lostLines: 1), "the log is elsewhere now")
    }

    /// A reader that leaves within a line and comes back gets whole lines.
    @Test func aLineThatBrokeOffDoesNotRunIntoTheNext() throws {
        signal(SIGPIPE, SIG_IGN)
        let folder = try TemporaryFolder()
        let path = folder.path + "/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        let health = health()
        let log = AccessLog(.init(path: path, format: .text), health: health)
        log.write([UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20) + [UInt8(ascii: "\n")])
        let first = open(path, O_RDONLY)
        var some = [UInt8](repeating: 0, count: 10)
        try #require(read(first, &some, some.count) == 10)
        close(first)
        log.flush()
        #expect(health.figures.lostLines == 1)
        log.write(Array("two\n".utf8))
        let second = open(path, O_RDONLY)
        log.flush()
        let count = read(second, &some, some.count)
        close(second)
        #expect(String(decoding: some.prefix(max(0, count)), as: UTF8.self) == "\ntwo\n")
        #expect(told() == [Self.lost, Self.again])
    }

    /// What waits for a disk that hangs must not fill the memory.
    @Test func whatADiskCannotTakeIsLostAndCounted() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        let health = health()
        let log = AccessLog(.init(path: path, format: .text), health: health)
        // Nobody reads yet: the first write waits, and all others behind it.
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: (1 << 20) - 1) + [UInt8(ascii: "\n")]
        for _ in 0..<20 { log.write(line) }
        #expect(health.figures == .init(fault: "the disk does not keep up", lostLines: 4))
        let descriptor = open(path, O_RDONLY)
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        var left = 16 << 20
        while left > 0 {
            let count = read(descriptor, &bytes, bytes.count)
            guard count > 0 else { break }
            left -= count
        }
        log.flush()
        close(descriptor)
        #expect(left == 0)
    }
}
