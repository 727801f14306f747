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
        /// The answer to another question that means the same.
        case similar(CacheEntry, Digest, similarity: Float)
        /// An equal request is being answered.
        case follow(SharedFlight)
        /// Nothing: the request goes to an endpoint, and others may follow it.
        case lead(SharedFlight, MeaningSearch.Inquiry?)
    }

    private struct State {
        var settings = CacheSettings()
        var store: (any CacheStore)?
        var place: CacheSettings.Place?
        var search: MeaningSearch?
        var comparison: CacheSettings.Comparison?
        /// Meanings that were made before this are in the index.
        var knownUntil = 0
        /// What went wrong last with each kind of work, until it goes well again.
        var faults: [Work: String] = [:]
        var flights: [Digest: SharedFlight] = [:]
        /// What the store held a moment ago: counting it may take the store a while.
        var usage: (at: NIODeadline, value: CacheUsage)?
    }

    private enum Work: Sendable { case read, write }

    /// Between two looks at what other routers have made.
    static let syncInterval = Duration.seconds(1)
    /// Of these, for each sweep and for each comparison of the index with the store.
    private static let sweepEvery = 10
    private static let reconcileEvery = 60
    /// What the store holds is counted anew after this.
    private static let usageAge = TimeAmount.seconds(2)

    let counters: CacheCounters
    private let state = NIOLockedValueBox(State())
    private let group: any EventLoopGroup
    private let logger: Logger
    /// Unix milliseconds.
    private let clock: @Sendable () -> Int
    private let makeEmbedder: @Sendable (CacheSettings) -> any TextEmbedder

    init(
        group: any EventLoopGroup, logger: Logger, clock: @escaping @Sendable () -> Int = { WallClock.unixMilliseconds() },
        makeEmbedder: @escaping @Sendable (CacheSettings) -> any TextEmbedder
    ) {
        self.group = group
        self.makeEmbedder = makeEmbedder
        self.logger = logger
        self.clock = clock
        counters = CacheCounters { clock() / 1000 }
    }

    var settings: CacheSettings { state.withLockedValue { $0.settings } }

    // MARK: Requests

    /// - Parameter mayRead: false for a request that wants a new answer: it neither gets a kept one nor another's.
    func find(_ request: CacheRequest, mayRead: Bool) async -> Found {
        let (search, settings) = state.withLockedValue { ($0.search, $0.settings) }
        guard mayRead else { return .lead(SharedFlight(tellsUsage: request.tellsUsage), search?.inquire(request)) }
        if let entry = await entry(request.key) { return .hit(entry) }
        if let flight = state.withLockedValue({ $0.flights[request.key] }) { return .follow(flight) }
        let inquiry = search?.inquire(request)
        if let search, let inquiry, let found = await similar(inquiry, search, budget: settings.embedBudget) { return found }
        return state.withLockedValue { state in
            if let flight = state.flights[request.key] { return .follow(flight) }
            let flight = SharedFlight(tellsUsage: request.tellsUsage)
            state.flights[request.key] = flight
            return .lead(flight, inquiry)
        }
    }

    /// Waits for the request's vector no longer than the budget: beyond it the request is better off at an endpoint.
    private func similar(_ inquiry: MeaningSearch.Inquiry, _ search: MeaningSearch, budget: TimeAmount) async -> Found? {
        guard let vector = await Patience.value(of: inquiry.vector, within: .nanoseconds(budget.nanoseconds)) ?? nil else { return nil }
        for match in search.matches(inquiry, vector, now: clock()) {
            if let entry = await entry(match.key) { return .similar(entry, match.key, similarity: match.similarity) }
            // The store has lost it: expired, evicted, or cleared by another router.
            search.index.remove([match.key])
        }
        return nil
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
    func keep(_ fill: CacheFill, _ cost: AnswerCost, tellsTokens: Bool) {
        let (request, flight) = (fill.request, fill.flight)
        guard let (framing, bytes) = flight.complete(cost) else { return fail(flight, request, .tooLarge) }
        // Off the event loop: reading a long answer takes a while.
        Task {
            let entry: CacheEntry
            let verdict: PersonalData.Verdict
            do throws(NotKept) {
                entry = try Self.entry(request, framing, bytes, cost, tellsTokens: tellsTokens)
                let conversation = request.conversation
                verdict = PersonalData.judge(
                    answer: Self.text(of: entry.answer, request.route), system: conversation.system, question: conversation.question ?? "")
                if verdict == .keepNot { throw .personal }
                flight.end(.answered(entry))
            } catch {
                return fail(flight, request, error)
            }
            await store(entry, for: request, verdict == .none ? fill.inquiry : nil)
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

    /// What the answer says, of all its choices.
    private static func text(of answer: JSONValue, _ route: CachedRoute) -> String {
        switch route {
        case .ollamaChat: answer["message"]?["content"]?.string ?? ""
        case .ollamaGenerate: answer["response"]?.string ?? ""
        case .chat, .completions:
            (answer["choices"]?.array ?? []).compactMap { $0["message"]?["content"]?.string ?? $0["text"]?.string }.joined(separator: "\n")
        }
    }

    private func store(_ entry: CacheEntry, for request: CacheRequest, _ inquiry: MeaningSearch.Inquiry?) async {
        let (settings, store, search) = state.withLockedValue { ($0.settings, $0.store, $0.search) }
        let bytes = entry.encoded
        guard bytes.count <= settings.maxEntryBytes else { return counters.notKept(.tooLarge) }
        let now = clock()
        let row = CacheRow(
            key: request.key, namespace: request.namespace, model: request.model, tenant: request.tenant, created: now,
            expires: settings.timeToLive.map { now + $0.milliseconds }, bytes: bytes, meaning: nil)
        // The answer is worth keeping whether or not its question has a vector.
        guard let search, let inquiry, let vector = await inquiry.vector.value else {
            _ = await attempt(.write) { try await store?.put(row) }
            return
        }
        let meaning = search.meaning(inquiry, vector)
        var whole = row
        whole.meaning = meaning.encoded
        let kept = whole
        guard await attempt(.write, { try await store?.put(kept) }) != nil else { return }
        search.index.add(row.key, namespace: row.namespace, meaning, expires: row.expires)
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
