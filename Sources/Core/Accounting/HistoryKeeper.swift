// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers
import NIOCore
import Protocol
import ServiceLifecycle

/// Looks at the counters every two seconds, on the control plane: the requests' way knows nothing of it.
final class HistoryKeeper: Service {
    private let fleet: Fleet
    private let scheduler: SchedulerBox
    private let workers: Workers
    private let cache: ResponseCache
    private let history = NIOLockedValueBox(History())

    init(fleet: Fleet, scheduler: SchedulerBox, workers: Workers, cache: ResponseCache) {
        self.fleet = fleet
        self.scheduler = scheduler
        self.workers = workers
        self.cache = cache
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            // Against one clock, so that a late look does not make all others late.
            var next = ContinuousClock.now
            while !Task.isCancelled {
                let look = await self.look()
                self.history.withLockedValue { $0.record(look) }
                next = max(next + .nanoseconds(History.step.nanoseconds), .now)
                try? await Task.sleep(until: next)
            }
        }
    }

    var current: History { history.withLockedValue { $0 } }

    private func look() async -> History.Look {
        let rows = await workers.requests()
        let figures = await workers.endpointFigures()
        let counters = await workers.counters()
        let books = scheduler.snapshot()
        let kept = cache.counters.info()
        var look = History.Look(at: .now())
        look.endpoints = OperatorView.counters(fleet: fleet.reports(), books, requests: rows.map(\.info))
        look.times = figures.mapValues(\.times)
        look.fleet = History.Counters(
            requests: counters.total, tokens: look.endpoints.values.reduce(0) { $0 + $1.tokens }, failures: counters.failed,
            inFlight: books.inFlight, waiting: books.waiting)
        look.hits = kept.hits
        look.misses = kept.misses
        return look
    }
}
