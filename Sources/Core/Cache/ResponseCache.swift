// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
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

    struct State {
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

    enum Work: Sendable { case read, write }

    /// Between two looks at what other routers have made.
    static let syncInterval = Duration.seconds(1)
    /// Of these, for each sweep and for each comparison of the index with the store.
    static let sweepEvery = 10
    static let reconcileEvery = 60
    /// What the store holds is counted anew after this.
    static let usageAge = TimeAmount.seconds(2)

    let counters: CacheCounters
    let state = NIOLockedValueBox(State())
    let group: any EventLoopGroup
    let dialer: Dialer
    let logger: Logger
    /// Unix milliseconds.
    let clock: @Sendable () -> Int
    let makeEmbedder: @Sendable (CacheSettings) -> any TextEmbedder

    init(
        group: any EventLoopGroup, dialer: Dialer = Dialer(), logger: Logger, clock: @escaping @Sendable () -> Int = { WallClock.unixMilliseconds() },
        makeEmbedder: @escaping @Sendable (CacheSettings) -> any TextEmbedder
    ) {
        self.group = group
        self.dialer = dialer
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

    // MARK: The store

    /// Asks the store; what goes wrong is noted and is nobody's problem but the operator's.
    func attempt<Result: Sendable>(_ work: Work, _ body: () async throws -> Result) async -> Result? {
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
}
