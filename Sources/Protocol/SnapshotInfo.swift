// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The whole picture, as a subscription keeps it up to date. What was not subscribed to is empty.
public struct SnapshotInfo: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    /// Rises by one for each snapshot of the interval; a gap means that this reader was too slow.
    public var sequence: Int
    /// The daemon's monotonic clock, milliseconds: rates are counter differences over differences of this.
    public var atMs: Int
    public var status: StatusInfo
    public var requests: [RequestInfo]
    public var queue: [WaiterInfo] = []
    public var models: [ModelInfo] = []
    /// Those since the snapshot before; in the first, the last hundred.
    public var events: [EventInfo] = []

    public init(sequence: Int, atMs: Int, status: StatusInfo, requests: [RequestInfo]) {
        self.sequence = sequence
        self.atMs = atMs
        self.status = status
        self.requests = requests
    }
}

/// Parts of a snapshot beside `status`.
public enum SnapshotTopic: String, Codable, Sendable, CaseIterable {
    case requests, queue, models, events
}

/// Parameters of `subscribe`. The first snapshot comes at once.
public struct SubscribeParams: Codable, Sendable {
    /// Between snapshots; 100 to 60,000. Nil means 500.
    public var intervalMs: Int?
    /// Nil means all.
    public var topics: [SnapshotTopic]?
    /// After the first snapshot, notifications `delta` with what has changed (`SnapshotFrame`). Nil means false: whole snapshots.
    public var deltas: Bool?

    public init(intervalMs: Int? = nil, topics: [SnapshotTopic]? = nil, deltas: Bool? = nil) {
        self.intervalMs = intervalMs
        self.topics = topics
        self.deltas = deltas
    }
}

/// Answer to `subscribe`.
public struct SubscribeInfo: Codable, Sendable, Equatable {
    public var intervalMs: Int

    public init(intervalMs: Int) {
        self.intervalMs = intervalMs
    }
}
