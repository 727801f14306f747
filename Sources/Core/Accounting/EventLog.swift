// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOConcurrencyHelpers
import Protocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The last events of the log, for operators: what is logged at `info` and above, whatever level goes to standard error.
///
/// The log is no place for secrets, and so this is none.
public final class EventLog: Sendable {
    public static let capacity = 1000
    /// Longest text of a message or a fact, in characters: an endpoint's own words may be any.
    private static let textLimit = 2000

    private struct State {
        /// A ring: the event with sequence number n is at (n - 1) % capacity.
        var events: [EventInfo] = []
        var last = 0
    }

    private let state = NIOLockedValueBox(State())

    public init() {}

    /// - Returns: its sequence number.
    @discardableResult
    func add(at: String, level: String, message: String, facts: [String: String]) -> Int {
        let message = String(message.prefix(Self.textLimit))
        let facts = facts.mapValues { $0.count > Self.textLimit ? String($0.prefix(Self.textLimit)) : $0 }
        return state.withLockedValue { state in
            state.last += 1
            let event = EventInfo(sequence: state.last, at: at, level: level, message: message, facts: facts)
            if state.events.count < Self.capacity { state.events.append(event) } else { state.events[(state.last - 1) % Self.capacity] = event }
            return state.last
        }
    }

    /// Oldest first.
    ///
    /// - Parameters:
    ///   - after: only later ones; nil for all that are kept.
    ///   - severity: the least, as a place among `EventInfo.levels`.
    ///   - limit: so many of the newest.
    func events(after: Int? = nil, severity: Int = 0, limit: Int = capacity) -> [EventInfo] {
        let (events, last) = state.withLockedValue { ($0.events, $0.last) }
        var result: [EventInfo] = []
        var sequence = last
        while sequence > max(last - events.count, after ?? 0), result.count < limit {
            let event = events[(sequence - 1) % Self.capacity]
            if event.severity >= severity { result.append(event) }
            sequence -= 1
        }
        return result.reversed()
    }
}

/// Feeds an `EventLog`, beside the handler that writes the log.
public struct EventLogHandler: LogHandler {
    private let log: EventLog
    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level = .info

    public init(_ log: EventLog) {
        self.log = log
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        // Levels below are asked for by others of the same logger.
        guard event.level >= logLevel else { return }
        let facts = metadata.merging(event.metadata ?? [:]) { _, new in new }.mapValues { "\($0)" }
        log.add(at: WallClock.rfc3339Milliseconds(), level: event.level.rawValue, message: "\(event.message)", facts: facts)
    }
}
