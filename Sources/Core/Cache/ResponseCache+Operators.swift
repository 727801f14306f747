// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Protocol

/// What operators see of the cache, and clear.
extension ResponseCache {
    /// - Throws: what the store says.
    func invalidate(_ filter: CacheFilter, dryRun: Bool) async throws -> Int {
        guard let store = state.withLockedValue({ $0.store }) else { return 0 }
        let keys = try await store.invalidate(filter, dryRun: dryRun)
        if !dryRun {
            state.withLockedValue { $0.search }?.index.remove(keys)
            state.withLockedValue { $0.usage = nil }
            logger.notice("cache entries invalidated", metadata: ["entries": "\(keys.count)"])
        }
        return keys.count
    }

    /// The model of this name is another one now. Soon, not at once: nobody waits for it.
    func forget(model: String) {
        guard settings.isEnabled else { return }
        Task { _ = await attempt(.write) { try await invalidate(CacheFilter(model: ModelName.shortKey(model)), dryRun: false) } }
    }

    /// - Throws: what the store says.
    func keys(_ filter: CacheFilter) async throws -> [Digest] {
        try await state.withLockedValue { $0.store }?.invalidate(filter, dryRun: true) ?? []
    }

    func info() async -> CacheInfo {
        var info = counters.info()
        let (settings, store, fault) = state.withLockedValue { ($0.settings, $0.store, $0.faults.values.sorted().first ?? "") }
        info.enabled = settings.isEnabled
        guard settings.isEnabled else { return info }
        info.backend = settings.backend.rawValue
        info.fault = fault
        let usage = await usage(store)
        info.entries = usage.entries
        info.bytes = usage.bytes
        info.oldestS = usage.oldest.map { max(0, (clock() - $0) / 1000) }
        let search = state.withLockedValue { $0.search }
        info.semantic = search != nil
        info.semanticFault = search?.currentFault ?? ""
        info.vectors = search?.index.count ?? 0
        info.guarded = Dictionary((search?.guarded ?? [:]).map { ($0.key.rawValue, $0.value) }, uniquingKeysWith: +)
        info.namespaces = usage.namespaces.map {
            .init(name: $0.name, model: $0.model, tenant: $0.tenant, entries: $0.entries, bytes: $0.bytes)
        }
        return info
    }

    private func usage(_ store: (any CacheStore)?) async -> CacheUsage {
        let known = state.withLockedValue { $0.usage }
        if let known, NIODeadline.now() - known.at < Self.usageAge { return known.value }
        guard let store, let usage = await attempt(.read, { try await store.usage(now: self.clock()) }) else { return known?.value ?? CacheUsage() }
        state.withLockedValue { $0.usage = (.now(), usage) }
        return usage
    }
}
