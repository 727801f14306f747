// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// The daemon itself: its state, its kept answers, its configuration.
enum DaemonMethods {
    static let all: [ControlMethod] = [
        .make("status", .read) { (_: NoParams, router) in
            await router.status()
        },
        .make("cache.stats", .read) { (_: NoParams, router) in
            await router.cacheInfo()
        },
        .make("cache.get", .change) { (params: CacheGetParams, router) in
            try await router.cachedAnswer(params.key)
        },
        .make("cache.invalidate", .change) { (params: CacheInvalidateParams, router) in
            try await router.invalidateCache(params)
        },
        .make("reload", .change) { (params: ReloadParams, router) in
            try await router.reload(dryRun: params.dryRun ?? false)
        },
    ]
}
