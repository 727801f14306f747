// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle

/// The cache's store and index: opened, swept, kept in step. All of it beside the requests' way.
extension ResponseCache {
    /// Brings the settings into force. The store is opened when it is first used.
    func apply(_ settings: CacheSettings) async {
        let old = state.withLockedValue { state -> (any CacheStore)? in
            state.settings = settings
            let place = settings.isEnabled ? settings.place : nil
            guard place != state.place else { return nil }
            let old = state.store
            state.place = place
            state.store = place.flatMap { _ in makeStore(settings) }
            state.faults = [:]
            state.usage = nil
            return old
        }
        await old?.close()
        compare(settings)
    }

    /// Begins to find and compare meanings, or ends it. What the store has is read in the background.
    private func compare(_ settings: CacheSettings) {
        let search = state.withLockedValue { state -> MeaningSearch? in
            guard state.comparison != settings.comparison else { return nil }
            state.comparison = settings.comparison
            state.knownUntil = 0
            state.search =
                settings.comparesMeanings
                ? MeaningSearch(makeEmbedder(settings), threshold: settings.similarity, historyWeight: settings.historyWeight) : nil
            return state.search
        }
        guard let search else { return }
        Task {
            do {
                try await search.embeddings.embedder.check()
            } catch {
                search.note(fault: "\(error)")
                logger.warning("answers by meaning are off; equal requests are answered all the same", metadata: ["reason": "\(error)"])
            }
            await learn()
        }
    }

    /// Reads the meanings that the store has and the index has not.
    private func learn() async {
        let (search, store, since) = state.withLockedValue { ($0.search, $0.store, $0.knownUntil) }
        guard let search, let store else { return }
        // Clocks of different machines differ a little, and a write takes its time.
        let now = clock()
        guard let found = await attempt(.read, { try await store.meanings(since: since) }) else { return }
        for stored in found {
            guard let meaning = Meaning(encoded: stored.meaning) else { continue }
            search.index.add(stored.key, namespace: stored.namespace, meaning, expires: stored.expires)
        }
        state.withLockedValue { $0.knownUntil = now - Self.clockSkew }
    }

    /// Milliseconds.
    private static let clockSkew = 5_000

    /// Drops from the index what the store has no more.
    private func reconcile() async {
        let (search, store) = state.withLockedValue { ($0.search, $0.store) }
        guard let search, let store, search.index.count > 0 else { return }
        let indexed = search.index.keys
        guard let kept = await attempt(.read, { try await store.invalidate(CacheFilter(), dryRun: true) }) else { return }
        search.index.remove(indexed.subtracting(kept))
    }

    private func makeStore(_ settings: CacheSettings) -> (any CacheStore)? {
        switch settings.backend {
        case .memory: return MemoryStore(limits: settings.limits)
        case .sqlite: return SQLiteStore(path: settings.databasePath, logger: logger)
        case .redis: return settings.place.redis.map { RedisStore(RedisClient($0, group: group, dialer: dialer, logger: logger)) }
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var round = 0
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.syncInterval)
                round += 1
                // Only what is shared gets entries that this daemon has not made.
                if self.settings.backend == .redis { await self.learn() }
                if round.isMultiple(of: Self.sweepEvery) { await self.sweep() }
                if round.isMultiple(of: Self.reconcileEvery) { await self.reconcile() }
            }
        }
        await sweep()
        await state.withLockedValue { $0.store }?.close()
    }

    func sweep() async {
        let (settings, store) = state.withLockedValue { ($0.settings, $0.store) }
        guard let store else { return }
        _ = await attempt(.write) { try await store.sweep(limits: settings.limits, now: self.clock()) }
    }
}
