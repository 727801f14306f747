// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The frames of a subscription: whole snapshots, and what has changed since the one before.
///
/// A delta is `{"sequence":8,"after":7,"at_ms":...,"status":{...},"cache":{...},"endpoints":{...},"requests":{...},"queue":{...},
/// "models":{...},"events":[...]}`. `status` and `cache` have the fields that are others now, the lists are `RowChanges`, `events` are the
/// new ones. What has not changed is left out.
///
/// Ages run on by themselves: all of `age_ms`, `phase_ms`, `polled_ago_ms`, and `oldest_ms` of a line that is not empty, grow by the
/// difference of `at_ms` before a delta is applied, and a delta names one only if that is not what it is.
public enum SnapshotFrame {
    /// A difference of ages that is no news, milliseconds: the parts of a snapshot are read one after the other.
    static let tolerance = 50

    public static func whole(_ snapshot: SnapshotInfo) -> [UInt8] {
        var writer = JSONWriter(capacity: 4096 + 512 * (snapshot.requests.count + snapshot.status.endpoints.count + snapshot.models.count))
        writer.raw("{\"jsonrpc\":\"2.0\",\"method\":\"snapshot\",\"params\":")
        snapshot.write(to: &writer)
        writer.raw("}\n")
        return writer.bytes
    }

    /// - Parameter new: its ages become those that run on from `old`, where the difference is no news.
    public static func delta(from old: SnapshotInfo, to new: inout SnapshotInfo) -> [UInt8] {
        var old = old
        old.advance(to: new.atMs)
        settle(&new.requests, old.requests, key: \.id) { new, old in
            settle(&new.ageMs, old.ageMs)
            settle(&new.phaseMs, old.phaseMs)
        }
        settle(&new.queue, old.queue, key: \.id) { new, old in settle(&new.ageMs, old.ageMs) }
        settle(&new.status.endpoints, old.status.endpoints, key: \.name) { new, old in
            guard let before = old.polledAgoMs, var now = new.polledAgoMs else { return }
            settle(&now, before)
            new.polledAgoMs = now
        }
        settle(&new.status.queue.oldestMs, old.status.queue.oldestMs)

        var writer = JSONWriter(capacity: 4096 + 64 * new.requests.count)
        writer.raw("{\"jsonrpc\":\"2.0\",\"method\":\"delta\",\"params\":{\"sequence\":")
        writer.number(new.sequence)
        writer.raw(",\"after\":")
        writer.number(old.sequence)
        writer.raw(",\"at_ms\":")
        writer.number(new.atMs)
        _ = new.status.writeChanges(since: old.status, to: &writer, where: { $0.name != "endpoints" && $0.name != "cache" }) {
            $0.raw(",\"status\":")
        }
        _ = new.status.cache.writeChanges(since: old.status.cache, to: &writer) { $0.raw(",\"cache\":") }
        RowChanges.write("endpoints", from: old.status.endpoints, to: new.status.endpoints, key: \.name, to: &writer)
        RowChanges.write("requests", from: old.requests, to: new.requests, key: \.id, to: &writer)
        RowChanges.write("queue", from: old.queue, to: new.queue, key: \.id, to: &writer)
        RowChanges.write("models", from: old.models, to: new.models, key: \.name, to: &writer)
        if !new.events.isEmpty {
            writer.raw(",\"events\":")
            new.events.write(to: &writer)
        }
        writer.raw("}}\n")
        return writer.bytes
    }

    private static func settle<Row>(_ new: inout [Row], _ old: [Row], key: (Row) -> String, _ body: (inout Row, Row) -> Void) {
        for pair in RowChanges.match(old, new, key: key).kept { body(&new[pair.new], old[pair.old]) }
    }

    private static func settle(_ new: inout Int, _ old: Int) {
        if abs(new - old) <= tolerance { new = old }
    }
}

extension SnapshotInfo {
    /// Lets all ages run on.
    mutating func advance(to atMs: Int) {
        let passed = atMs - self.atMs
        self.atMs = atMs
        for index in requests.indices {
            requests[index].ageMs += passed
            requests[index].phaseMs += passed
        }
        for index in queue.indices { queue[index].ageMs += passed }
        for index in status.endpoints.indices {
            if let ago = status.endpoints[index].polledAgoMs { status.endpoints[index].polledAgoMs = ago + passed }
        }
        if status.queue.waiting > 0 { status.queue.oldestMs += passed }
    }
}

/// Puts a subscription's frames together again: whole snapshots come out.
public struct SnapshotAssembler: Sendable {
    public enum Failure: Error, Equatable {
        /// A frame is not what it should be.
        case malformed
        /// A delta does not follow what came before it.
        case outOfOrder
    }

    private var current: SnapshotInfo?

    public init() {}

    /// The snapshot after this line; nil if the line is something else than a frame of a subscription.
    public mutating func take(_ line: some ContiguousBytes) throws(Failure) -> SnapshotInfo? {
        let result = line.withUnsafeBytes { bytes in
            Result { () throws(JSONError) in try self.read(bytes) }
        }
        switch result {
        case .success(.snapshot): return current
        case .success(.other): return nil
        case .success(.outOfOrder): throw .outOfOrder
        case .failure: throw .malformed
        }
    }

    private enum Outcome { case snapshot, other, outOfOrder }

    private mutating func read(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> Outcome {
        var cursor = JSONCursor(bytes, rules: Wire.rules)
        var method = ""
        var params: Int?
        var outcome = Outcome.other
        try cursor.takeObject { (key, cursor) throws(JSONError) in
            if cursor.isKey(key, "method") {
                method = try cursor.takeText()
            } else if cursor.isKey(key, "params"), !method.isEmpty {
                outcome = try take(method, &cursor)
            } else {
                // Whoever writes it first is understood as well.
                if cursor.isKey(key, "params") { params = cursor.offset }
                try cursor.next()
            }
        }
        try cursor.takeEnd()
        guard let params else { return outcome }
        var again = JSONCursor(bytes, at: params, rules: Wire.rules)
        return try take(method, &again)
    }

    private mutating func take(_ method: String, _ cursor: inout JSONCursor) throws(JSONError) -> Outcome {
        switch method {
        case "snapshot": current = try SnapshotInfo.read(from: &cursor)
        case "delta": return try takeDelta(&cursor) ? .snapshot : .outOfOrder
        default:
            try cursor.next()
            return .other
        }
        return .snapshot
    }

    /// False if it does not follow the snapshot that we have.
    private mutating func takeDelta(_ cursor: inout JSONCursor) throws(JSONError) -> Bool {
        guard var next = current else {
            try cursor.next()
            return false
        }
        // Not kept twice: what follows changes it in place. After a failure there is nothing to build on.
        current = nil
        var follows = false
        var sequence = 0
        next.events = []
        try cursor.takeObject { (key, cursor) throws(JSONError) in
            if cursor.isKey(key, "sequence") {
                sequence = try cursor.takeInteger()
            } else if cursor.isKey(key, "after") {
                follows = next.sequence == (try cursor.takeInteger())
            } else if cursor.isKey(key, "at_ms") {
                next.advance(to: try cursor.takeInteger())
            } else if cursor.isKey(key, "status") {
                try next.status.patch(from: &cursor)
            } else if cursor.isKey(key, "cache") {
                try next.status.cache.patch(from: &cursor)
            } else if cursor.isKey(key, "endpoints") {
                try RowChanges.apply(&cursor, to: &next.status.endpoints)
            } else if cursor.isKey(key, "requests") {
                try RowChanges.apply(&cursor, to: &next.requests)
            } else if cursor.isKey(key, "queue") {
                try RowChanges.apply(&cursor, to: &next.queue)
            } else if cursor.isKey(key, "models") {
                try RowChanges.apply(&cursor, to: &next.models)
            } else if cursor.isKey(key, "events") {
                next.events = try [EventInfo].read(from: &cursor)
            } else {
                try cursor.next()
            }
        }
        guard follows, sequence > next.sequence else { return false }
        next.sequence = sequence
        current = next
        return true
    }
}
