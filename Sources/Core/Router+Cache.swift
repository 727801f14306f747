// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import Protocol

/// What an operator sees of kept answers, and does to them.
extension Router {
    func cacheInfo() async -> CacheInfo { await shared.cache.info() }

    func invalidateCache(_ params: CacheInvalidateParams) async throws -> CacheInvalidated {
        if let age = params.olderThanS, !(0..<1e10).contains(age) {
            throw RPCError(.invalidParams, "older_than_s must be from 0 to 1e10, not \(age)")
        }
        do {
            return try await shared.cache.invalidate(params)
        } catch {
            throw RPCError(.refused, "the cache's store fails: \(error)")
        }
    }

    /// - Parameter prefix: of the key, in hexadecimal.
    func cachedAnswer(_ prefix: String) async throws -> CachedAnswerInfo {
        let prefix = prefix.lowercased()
        guard prefix.count >= 8, prefix.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else {
            throw RPCError(.invalidParams, "a key is at least 8 hexadecimal digits, as X-Cache-Key tells it")
        }
        guard shared.cache.settings.isEnabled else { throw RPCError(.refused, "the cache is off (cache_enabled)") }
        let keys: [Digest]
        do {
            keys = try await shared.cache.keys(CacheFilter(key: prefix))
        } catch {
            throw RPCError(.refused, "the cache's store fails: \(error)")
        }
        guard keys.count <= 1 else { throw RPCError(.refused, "\(keys.count) entries begin with \(prefix); give more of the key") }
        guard let key = keys.first, let entry = await shared.cache.entry(key) else { throw RPCError(.notFound, "no entry \(prefix)") }
        return CachedAnswerInfo(
            key: key.hex, model: entry.askedModel, promptTokens: entry.cost.promptTokens, answerTokens: entry.cost.answerTokens,
            tookMs: entry.cost.milliseconds, answer: entry.answer.text)
    }
}
