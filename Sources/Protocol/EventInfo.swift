// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Something that happened, as the daemon's log has it.
public struct EventInfo: Codable, Sendable, Equatable {
    /// Rises by one from event to event while the daemon runs.
    public var sequence: Int
    /// RFC 3339 in UTC, with milliseconds.
    public var at: String
    /// `debug`, `info`, `notice`, `warning`, `error` or `critical`.
    public var level: String
    public var message: String
    /// The facts about it, by name; `endpoint` among them where it is about one.
    public var facts: [String: String]

    public init(sequence: Int, at: String, level: String, message: String, facts: [String: String] = [:]) {
        self.sequence = sequence
        self.at = at
        self.level = level
        self.message = message
        self.facts = facts
    }

    /// From the least to the most serious.
    public static let levels = ["debug", "info", "notice", "warning", "error", "critical"]

    /// Place of `level` among `levels`; 0 for one that is not known.
    public var severity: Int { Self.levels.firstIndex(of: level) ?? 0 }
}

/// Parameters of `events`.
public struct EventParams: Codable, Sendable {
    /// Only events after this sequence number. Nil means all that the daemon still has.
    public var after: Int?
    /// Only events at least as serious. Nil means all.
    public var level: String?
    /// At most so many, the newest. Nil means 200.
    public var limit: Int?

    public init(after: Int? = nil, level: String? = nil, limit: Int? = nil) {
        self.after = after
        self.level = level
        self.limit = limit
    }
}

/// Answer to `events`: oldest first.
public struct EventList: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    public var events: [EventInfo]

    public init(events: [EventInfo]) {
        self.events = events
    }
}
