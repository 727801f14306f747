// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1
import Protocol

/// `/api/cache/stats` and `/api/cache/invalidate`: the Python router's members, and more.
enum CachePages {
    static func stats(_ info: CacheInfo, _ settings: CacheSettings) -> JSONValue {
        guard info.enabled else { return ["enabled": false] }
        return [
            "enabled": true, "hits": .integer(info.hits), "misses": .integer(info.misses), "hit_rate": .double(info.hitRate ?? 0),
            "semantic": .bool(info.semantic && info.semanticFault.isEmpty), "backend": .string(info.backend),
            "similarity_threshold": .double(settings.similarity), "history_weight": .double(settings.historyWeight),
            "vectors": .integer(info.vectors), "guarded": counts(info.guarded), "semantic_fault": .string(info.semanticFault),
            "exact_hits": .integer(info.exactHits), "semantic_hits": .integer(info.semanticHits), "shared": .integer(info.shared),
            "bypasses": counts(info.bypasses), "not_kept": counts(info.notKept), "entries": .integer(info.entries),
            "bytes": .integer(info.bytes), "oldest_s": info.oldestS.map { .integer($0) } ?? .null,
            "tokens_saved": .integer(info.tokensSaved), "seconds_saved": .double(info.secondsSaved),
            "hit_rates": .array(
                info.hitRates.map {
                    ["minutes": .integer($0.minutes), "requests": .integer($0.requests), "rate": $0.rate.map { .double($0) } ?? .null]
                }),
            "namespaces": .array(
                info.namespaces.map {
                    [
                        "name": .string($0.name), "model": .string($0.model), "tenant": .string($0.tenant), "entries": .integer($0.entries),
                        "bytes": .integer($0.bytes),
                    ]
                }),
            "fault": .string(info.fault),
        ]
    }

    private static func counts(_ counts: [String: Int]) -> JSONValue {
        var object = JSONObject()
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) { object[name] = .integer(count) }
        return .object(object)
    }

    /// Filters stand in the body or in the query: `model`, `namespace`, `tenant`, `older_than` (seconds), `key`, `dry_run`.
    static func invalidate(_ cache: ResponseCache, query: Substring?, body: JSONValue) async -> LocalAnswer {
        func given(_ name: String) -> JSONValue? { body[name].given ?? query.flatMap { QueryText.value(name, in: $0) }.map { .string($0) } }
        func refuse(_ message: String) -> LocalAnswer {
            .json(ByteBuffer(string: (["error": .string(message)] as JSONValue).text), status: .badRequest)
        }
        let known: Set = ["model", "namespace", "tenant", "older_than", "key", "dry_run"]
        // A filter that is mistyped would clear what nobody wanted cleared.
        if let other = body.object?.members.first(where: { !known.contains($0.key) })?.key {
            return refuse("unknown member '\(other)'; known: \(known.sorted().joined(separator: ", "))")
        }
        var params = CacheInvalidateParams()
        for (name, path) in [
            ("model", \CacheInvalidateParams.model), ("namespace", \.namespace), ("tenant", \.tenant), ("key", \.key),
        ] as [(String, WritableKeyPath<CacheInvalidateParams, String?>)] {
            guard let value = given(name) else { continue }
            guard let text = value.string else { return refuse("\(name): expected a string, not \(value.kind)") }
            params[keyPath: path] = text
        }
        if let value = given("older_than") {
            guard let seconds = value.double ?? value.string.flatMap(Double.init), seconds >= 0, seconds < 1e10 else {
                return refuse("older_than: expected seconds, not \(value.kind)")
            }
            params.olderThanS = seconds
        }
        if let value = given("dry_run") {
            guard let flag = value.bool ?? value.string.flatMap(Bool.init) else {
                return refuse("dry_run: expected true or false, not \(value.kind)")
            }
            params.dryRun = flag
        }
        do {
            let result = try await cache.invalidate(params)
            var answer: JSONValue = ["enabled": .bool(result.enabled), "cleared": .integer(result.cleared)]
            if result.dryRun { answer["dry_run"] = true }
            return .json(ByteBuffer(string: answer.text))
        } catch {
            let message: JSONValue = ["error": .string("the cache's store fails: \(error)")]
            return .json(ByteBuffer(string: message.text), status: .serviceUnavailable)
        }
    }
}

extension ResponseCache {
    /// - Throws: what the store says.
    func invalidate(_ params: CacheInvalidateParams) async throws -> CacheInvalidated {
        let settings = settings
        var filter = CacheFilter()
        // As it was named, or as the fleet knows it: entries have the latter.
        filter.model = params.model.map { ModelName.shortKey($0) }
        filter.namespace = params.namespace
        filter.tenant = params.tenant
        filter.key = params.key?.lowercased()
        filter.before = params.olderThanS.map { WallClock.unixMilliseconds() - Int($0 * 1000) }
        let isDry = params.dryRun ?? false
        return CacheInvalidated(
            enabled: settings.isEnabled, cleared: settings.isEnabled ? try await invalidate(filter, dryRun: isDry) : 0, dryRun: isDry)
    }
}
