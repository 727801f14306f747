// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

extension MetricsText {
    /// What the cache tells. Nothing where it is off.
    mutating func cache(_ info: CacheInfo) {
        guard info.enabled else { return }
        family("routerd_cache_requests_total", "counter", "Requests on cached routes by what the cache had for them.")
        for (result, count) in [
            ("hit", info.exactHits), ("semantic", info.semanticHits), ("shared", info.shared), ("miss", info.misses),
            ("bypass", info.bypasses.values.reduce(0, +)),
        ] { sample("routerd_cache_requests_total", [("result", result)], Double(count)) }
        family("routerd_cache_not_kept_total", "counter", "Answers that were not kept, by reason.")
        for (reason, count) in info.notKept.sorted(by: { $0.key < $1.key }) {
            sample("routerd_cache_not_kept_total", [("reason", reason)], Double(count))
        }
        family("routerd_cache_entries", "gauge", "Answers that are kept.")
        sample("routerd_cache_entries", [], Double(info.entries))
        family("routerd_cache_bytes", "gauge", "Their size.")
        sample("routerd_cache_bytes", [], Double(info.bytes))
        family("routerd_cache_store_up", "gauge", "0 while requests go on without the store.")
        sample("routerd_cache_store_up", [], info.fault.isEmpty ? 1 : 0)
        family("routerd_cache_tokens_saved_total", "counter", "Tokens of answers that were given again, and of their prompts.")
        sample("routerd_cache_tokens_saved_total", [], Double(info.tokensSaved))
        family("routerd_cache_seconds_saved_total", "counter", "Time that making them had taken.")
        sample("routerd_cache_seconds_saved_total", [], info.secondsSaved)
    }
}
