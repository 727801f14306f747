// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Protocol
import ServiceLifecycle

/// Kept answers: looks for one, keeps new ones, and shares generations that are under way. Never in the way of an answer: a store
/// that fails is told to the operator, and requests go on as if there were none.
final class ResponseCache: Service {
    /// What a look found.
    enum Found: Sendable {
        case hit(CacheEntry)
        /// An equal request is being answered.
        case follow(SharedFlight)
        /// Nothing: the request goes to an endpoint, and others may follow it.
        case lead(SharedFlight)
    }

    private struct State {
        var settings = CacheSettings()
        var store: (any CacheStore)?
        var place: CacheSettings.Place?
        /// What went wrong last with each kind of work, until it goes well again.
        var faults: [Work: String] = [:]
        var flights: [Digest: SharedFlight] = [:]
        /// What the store held a moment ago: counting it may take the store a while.
        var usage: (at: NIODeadline, value: CacheUsage)?
    }

    private enum Work: Sendable { case read, write }

    static let sweepInterval = Duration.seconds(10)
    /// What the store holds is counted anew after this.
    private static let usageAge = TimeAmount.seconds(2)

    let counters: CacheCounters
    private let state = NIOLockedValueBox(State())
    private let group: any EventLoopGroup
    private let logger: Logger
    /// Unix milliseconds.
    private let clock: @Sendable () -> Int

    init(group: any EventLoopGroup, logger: Logger, clock: @escaping @Sendable () -> Int = { WallClock.unixMilliseconds() }) {
        self.group = group
        self.logger = logger
        self.clock = clock
        counters = CacheCounters { clock() / 1000 }
    }

    var settings: CacheSettings { state.withLockedValue { $0.settings } }

    // MARK: Requests

    /// - Parameter mayRead: false for a request that wants a new answer: it neither gets a kept one nor another's.
    func find(_ request: CacheRequest, mayRead: Bool) async -> Found {
        guard mayRead else { return .lead(SharedFlight(tellsUsage: request.tellsUsage)) }
        if let entry = await entry(request.key) { return .hit(entry) }
        return state.withLockedValue { state in
            if let flight = state.flights[request.key] { return .follow(flight) }
            let flight = SharedFlight(tellsUsage: request.tellsUsage)
            state.flights[request.key] = flight
            return .lead(flight)
        }
    }

    /// Sound, and not expired.
    func entry(_ key: Digest) async -> CacheEntry? {
        guard let store = state.withLockedValue({ $0.store }) else { return nil }
        return await attempt(.read) {
            guard let bytes = try await store.get(key, now: self.clock()) else { return nil }
            if let entry = CacheEntry(encoded: bytes) { return entry }
            try await store.remove(key)
            self.logger.warning("a damaged cache entry was dropped", metadata: ["key": "\(key.hex.prefix(12))"])
            return nil
        } ?? nil
    }

    /// The generation will not end well, or is not for sharing: whoever follows starts over.
    func fail(_ flight: SharedFlight, _ request: CacheRequest, _ reason: NotKept?) {
        if let reason { counters.notKept(reason) }
        flight.end(.failed)
        retire(flight, request)
    }

    /// The answer is complete: followers get it, and it is kept if it may be.
    ///
    /// - Parameter tellsTokens: the cost's counts are the endpoint's own.
    func keep(_ request: CacheRequest, _ flight: SharedFlight, _ cost: AnswerCost, tellsTokens: Bool) {
        guard let (framing, bytes) = flight.complete(cost) else { return fail(flight, request, .tooLarge) }
        // Off the event loop: reading a long answer takes a while.
        Task {
            let entry: CacheEntry
            do throws(NotKept) {
                entry = try Self.entry(request, framing, bytes, cost, tellsTokens: tellsTokens)
                flight.end(.answered(entry))
            } catch {
                return fail(flight, request, error)
            }
            await store(entry, for: request)
            // Only now: an equal request finds either the flight or the entry.
            retire(flight, request)
        }
    }

    private static func entry(
        _ request: CacheRequest, _ framing: StreamFraming?, _ bytes: [UInt8], _ cost: AnswerCost, tellsTokens: Bool
    ) throws(NotKept) -> CacheEntry {
        var answer = try AnswerReading.read(request.route, framing: framing, bytes)
        if !request.route.isOllama, answer["usage"].given == nil, tellsTokens {
            // A stream that was not asked for its counts; the next client may ask.
            answer["usage"] = [
                "prompt_tokens": .integer(cost.promptTokens), "completion_tokens": .integer(cost.answerTokens),
                "total_tokens": .integer(cost.promptTokens + cost.answerTokens),
            ]
        }
        return CacheEntry(answer: answer, askedModel: request.askedModel, cost: cost)
    }

    private func store(_ entry: CacheEntry, for request: CacheRequest) async {
        let (settings, store) = state.withLockedValue { ($0.settings, $0.store) }
        let bytes = entry.encoded
        guard bytes.count <= settings.maxEntryBytes else { return counters.notKept(.tooLarge) }
        let now = clock()
        let row = CacheRow(
            key: request.key, namespace: request.namespace, model: request.model, tenant: request.tenant, created: now,
            expires: settings.timeToLive.map { now + $0.milliseconds }, bytes: bytes)
        _ = await attempt(.write) { try await store?.put(row) }
    }

    private func retire(_ flight: SharedFlight, _ request: CacheRequest) {
        state.withLockedValue { state in
            if state.flights[request.key] === flight { state.flights[request.key] = nil }
        }
    }

    // MARK: Operators

    /// - Throws: what the store says.
    func invalidate(_ filter: CacheFilter, dryRun: Bool) async throws -> Int {
        guard let store = state.withLockedValue({ $0.store }) else { return 0 }
        let keys = try await store.invalidate(filter, dryRun: dryRun)
        if !dryRun {
            state.withLockedValue { $0.usage = nil }
            logger.notice("cache entries invalidated", metadata: ["entries": "\(keys.count)"])
        }
        return keys.count
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

    // MARK: The store

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
    }

    private func makeStore(_ settings: CacheSettings) -> (any CacheStore)? {
        switch settings.backend {
        case .memory: return MemoryStore(limits: settings.limits)
        case .sqlite: return SQLiteStore(path: settings.databasePath, logger: logger)
        case .redis: return settings.place.redis.map { RedisStore(RedisClient($0, group: group, logger: logger)) }
        }
    }

    /// Asks the store; what goes wrong is noted and is nobody's problem but the operator's.
    private func attempt<Result: Sendable>(_ work: Work, _ body: () async throws -> Result) async -> Result? {
        do {
            let result = try await body()
            let wasOut = state.withLockedValue { $0.faults.removeValue(forKey: work) != nil }
            if wasOut { logger.notice("the cache's store works again") }
            return result
        } catch {
            let isNew = state.withLockedValue { $0.faults.updateValue("\(error)", forKey: work) == nil }
            if isNew { logger.warning("the cache's store fails; requests go on without it", metadata: ["reason": "\(error)"]) }
            return nil
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.sweepInterval)
                await self.sweep()
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
