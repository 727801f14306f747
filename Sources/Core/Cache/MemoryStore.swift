// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import DequeModule
import NIOConcurrencyHelpers

/// Entries in the daemon's memory: bounded at every moment, gone with the daemon.
final class MemoryStore: CacheStore {
    private struct Kept {
        var row: CacheRow
        /// Of its last use.
        var stamp: UInt64
    }

    private struct State {
        var entries: [Digest: Kept] = [:]
        /// Every use with its stamp, oldest first; those that are not an entry's last are passed over. So a use costs no search.
        var uses: Deque<(key: Digest, stamp: UInt64)> = []
        var clock: UInt64 = 0
        var bytes = 0
        var limits: CacheLimits

        mutating func use(_ key: Digest) {
            clock += 1
            entries[key]?.stamp = clock
            uses.append((key, clock))
            // Not more passed-over uses than entries, and a few.
            if uses.count > 2 * entries.count + 64 {
                uses.removeAll { entries[$0.key]?.stamp != $0.stamp }
            }
        }

        mutating func remove(_ key: Digest) {
            if let kept = entries.removeValue(forKey: key) { bytes -= kept.row.size }
        }

        /// Drops the least recently used until the limits are kept.
        mutating func shrink() {
            while entries.count > limits.entries || bytes > limits.bytes, let use = uses.popFirst() {
                if entries[use.key]?.stamp == use.stamp { remove(use.key) }
            }
        }
    }

    private let state: NIOLockedValueBox<State>

    init(limits: CacheLimits) {
        state = NIOLockedValueBox(State(limits: limits))
    }

    func get(_ key: Digest, now: Int) -> [UInt8]? {
        state.withLockedValue { state in
            guard let row = state.entries[key]?.row else { return nil }
            if row.isExpired(now: now) {
                state.remove(key)
                return nil
            }
            state.use(key)
            return row.bytes
        }
    }

    func put(_ row: CacheRow) {
        state.withLockedValue { state in
            state.remove(row.key)
            state.entries[row.key] = Kept(row: row, stamp: 0)
            state.bytes += row.size
            state.use(row.key)
            state.shrink()
        }
    }

    func remove(_ key: Digest) { state.withLockedValue { $0.remove(key) } }

    func invalidate(_ filter: CacheFilter, dryRun: Bool) -> [Digest] {
        state.withLockedValue { state in
            let found = state.entries.values.compactMap { filter.fits($0.row) ? $0.row.key : nil }
            if !dryRun { for key in found { state.remove(key) } }
            return found
        }
    }

    func meanings(since: Int) -> [StoredMeaning] {
        state.withLockedValue { state in
            state.entries.values.compactMap { kept in
                guard kept.row.created >= since, let meaning = kept.row.meaning else { return nil }
                return StoredMeaning(
                    key: kept.row.key, namespace: kept.row.namespace, created: kept.row.created, expires: kept.row.expires, meaning: meaning)
            }
        }
    }

    func usage(now: Int) -> CacheUsage {
        let rows = state.withLockedValue { $0.entries.values.map(\.row) }
        return CacheUsage(
            counting: rows.lazy.filter { !$0.isExpired(now: now) }.map { ($0.namespace, $0.model, $0.tenant, $0.created, $0.size) })
    }

    func sweep(limits: CacheLimits, now: Int) {
        state.withLockedValue { state in
            state.limits = limits
            for (key, kept) in state.entries where kept.row.isExpired(now: now) { state.remove(key) }
            state.shrink()
        }
    }

    func close() {}
}
