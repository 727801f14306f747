// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Protocol

/// All subscriptions of the control socket: one ticker for each interval and choice of topics, however many subscribe.
///
/// Snapshots are read and encoded here, off the event loops. A subscriber that does not keep up costs nobody anything (`SnapshotFeed`).
actor Subscriptions {
    /// What subscribers may share.
    struct Kind: Hashable {
        var intervalMs: Int
        var topics: Set<SnapshotTopic>
    }

    /// - Parameter after: the events to tell are those after this one; nil for the last hundred.
    typealias Source = @Sendable (_ topics: Set<SnapshotTopic>, _ after: Int?) async -> SnapshotInfo

    private struct Member {
        let subscriber: Subscriber
        var position: SnapshotFeed.Position
    }

    private struct Group {
        var feed = SnapshotFeed()
        var members: [Member] = []
        var ticker: Task<Void, Never>?
    }

    private var groups: [Kind: Group] = [:]
    private var isClosed = false
    /// Of the control socket: frames of one tick are handed to it together.
    private let eventLoop: any EventLoop
    private let source: Source

    init(eventLoop: any EventLoop, source: @escaping Source) {
        self.eventLoop = eventLoop
        self.source = source
    }

    /// The first snapshot is on its way at once if there is one of this interval, else it is made now.
    func add(_ subscriber: Subscriber, _ kind: Kind) {
        guard !isClosed else { return }
        var group = groups[kind] ?? Group()
        group.members.append(Member(subscriber: subscriber, position: .init(wantsDeltas: subscriber.wantsDeltas)))
        if group.ticker == nil { group.ticker = Task { await self.tick(kind) } }
        groups[kind] = group
        send(kind)
    }

    func close() {
        isClosed = true
        for group in groups.values { group.ticker?.cancel() }
        groups = [:]
    }

    /// Until nobody is left.
    private func tick(_ kind: Kind) async {
        let interval = Duration.milliseconds(kind.intervalMs)
        var next = ContinuousClock.now
        while !Task.isCancelled {
            let snapshot = await source(kind.topics, groups[kind]?.feed.lastEvent)
            groups[kind]?.members.removeAll { !$0.subscriber.isOpen }
            guard let group = groups[kind], !group.members.isEmpty else { break }
            groups[kind]?.feed.take(snapshot, wantsDeltas: group.members.contains { $0.subscriber.wantsDeltas })
            send(kind)
            next = max(next + interval, .now)
            do {
                try await Task.sleep(until: next, clock: .continuous)
            } catch {
                return
            }
        }
        groups[kind] = nil
    }

    private func send(_ kind: Kind) {
        guard var group = groups[kind] else { return }
        groups[kind] = nil
        var frames: [(Subscriber, ByteBuffer)] = []
        for index in group.members.indices where group.members[index].subscriber.isReady {
            guard let frame = group.feed.frame(for: &group.members[index].position) else { continue }
            group.members[index].subscriber.willSend()
            frames.append((group.members[index].subscriber, frame))
        }
        groups[kind] = group
        guard !frames.isEmpty else { return }
        eventLoop.execute { [frames] in
            for (subscriber, frame) in frames { subscriber.send(frame) }
        }
    }
}
