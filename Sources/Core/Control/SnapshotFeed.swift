// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Protocol

/// What subscribers of one interval and the same topics get. Pure: snapshots in, frames for each subscriber out.
///
/// A snapshot is encoded once for all who get the same bytes: a delta for those who have the snapshot before, a whole one for
/// the others. A subscriber whose last frame is still on its way is passed over, and gets a whole snapshot when it can take one:
/// the newest, with the events that it missed.
struct SnapshotFeed {
    /// Events that a new subscriber is told.
    static let eventLimit = 100

    /// Where one subscriber stands.
    struct Position: Equatable {
        var wantsDeltas: Bool
        /// The snapshot that it has; 0 for none.
        var sequence = 0
        /// The newest event that it knows.
        var event = 0
    }

    private(set) var current: SnapshotInfo?
    private var delta: ByteBuffer?
    /// By the newest event that the subscriber knows.
    private var whole: [Int: ByteBuffer] = [:]
    private var events: [EventInfo] = []
    /// The sequence of the snapshot that `delta` builds on.
    private var base = 0

    /// After which events the next snapshot has to tell; nil before the first.
    var lastEvent: Int? { events.last?.sequence }

    /// - Parameters:
    ///   - new: its sequence is given here.
    ///   - wantsDeltas: whether anybody wants to know what has changed.
    mutating func take(_ new: SnapshotInfo, wantsDeltas: Bool) {
        var new = new
        let known = lastEvent ?? 0
        new.events.removeAll { $0.sequence <= known }
        new.sequence = (current?.sequence ?? 0) + 1
        base = current?.sequence ?? 0
        delta = (wantsDeltas ? current : nil).map { ByteBuffer(bytes: SnapshotFrame.delta(from: $0, to: &new)) }
        whole = [:]
        events = (events + new.events).suffix(Self.eventLimit)
        current = new
    }

    /// The frame for a subscriber that is ready, and where it stands then; nil if it has what there is.
    mutating func frame(for position: inout Position) -> ByteBuffer? {
        guard let current, position.sequence < current.sequence else { return nil }
        let known = position.event
        let hasBase = position.sequence == base && position.sequence > 0
        position.sequence = current.sequence
        position.event = events.last?.sequence ?? known
        if position.wantsDeltas, hasBase, let delta { return delta }
        if let made = whole[known] { return made }
        var snapshot = current
        snapshot.events = events.filter { $0.sequence > known }
        let made = ByteBuffer(bytes: SnapshotFrame.whole(snapshot))
        whole[known] = made
        return made
    }
}
