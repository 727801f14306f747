// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Protocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// From the books of fleet, scheduler and workers to what an operator sees. Pure.
struct OperatorView {
    let fleet: [(Endpoint, EndpointReport)]
    let scheduler: SchedulerSnapshot
    let requests: [RequestInfo]
    let counters: WorkerCounters
    let now: NIODeadline
    /// The wall clock at `now`.
    let date: Date
    /// When polls were last answered.
    var lastAnswers: [EndpointID: NIODeadline] = [:]
    /// What answers have taught about each endpoint's words.
    var words: LearnedWords?

    /// What each worker has measured, added up.
    var figures: [EndpointID: WorkerMetrics.OfEndpoint] = [:]
    var history = History()
    /// Who had what loaded, by endpoint and the model's name there.
    var loads: [EndpointID: [String: LoadHistory]] = [:]

    /// The endpoints' counters now.
    static func counters(
        fleet: [(Endpoint, EndpointReport)], _ scheduler: SchedulerSnapshot, requests: [RequestInfo]
    ) -> [EndpointID: History.Counters] {
        // Tokens of streams that still run are not in the scheduler's books yet.
        var live: [String: Int] = [:]
        for request in requests where !request.endpoint.isEmpty { live[request.endpoint, default: 0] += request.tokens }
        var result: [EndpointID: History.Counters] = [:]
        for (endpoint, _) in fleet {
            let books = scheduler.endpoints[endpoint.id] ?? SchedulerSnapshot.OfEndpoint()
            result[endpoint.id] = History.Counters(
                requests: books.counters.granted, tokens: books.counters.tokens + (live[endpoint.name] ?? 0),
                failures: books.counters.failures, inFlight: books.inFlight, waiting: books.waiting)
        }
        return result
    }

    var endpoints: [EndpointInfo] {
        let counters = Self.counters(fleet: fleet, scheduler, requests: requests)
        return fleet.map { endpoint, report in
            let books = scheduler.endpoints[endpoint.id] ?? SchedulerSnapshot.OfEndpoint()
            let totals = counters[endpoint.id] ?? History.Counters()
            let state = report.state.shown(with: books.setAside, now: now)
            var info = EndpointInfo(
                name: endpoint.name, url: endpoint.address.url, kind: endpoint.kind.rawValue, state: state.phase.rawValue,
                reason: state.reason, since: time(of: state.since), version: report.version, inFlight: books.inFlight,
                limit: endpoint.limit, waiting: books.waiting, weight: endpoint.weight, loaded: report.loaded.map(\.name).sorted(),
                available: report.models.map(\.name).sorted(), inFlightByModel: books.inFlightByModel, requestsTotal: books.counters.granted,
                tokensTotal: totals.tokens,
                failuresTotal: totals.failures, abortsTotal: books.counters.aborted)
            info.loadedModels = report.loaded.map { model in
                var row = EndpointInfo.Loaded(
                    name: model.name, sizeVramBytes: model.sizeVramBytes, expiresAt: model.expiresAt, contextLength: model.contextLength,
                    inFlight: books.inFlightByModel[model.name] ?? 0, slots: endpoint.slots(told: model.slots))
                row.configuration = books.configurations[model.name]
                row.estimates = books.estimates[model.name].map(EstimatesInfo.init)
                row.loads = loads[endpoint.id]?[model.name].map { LoadsInfo($0, now: now) }
                return row
            }.sorted { $0.name < $1.name }
            // A model that is in use and that no poll has seen yet is being loaded.
            let others = books.inFlightByModel.keys.filter { name in !report.loaded.contains { $0.name == name } }
            let slots = info.loadedModels.reduce(0) { $0 + $1.slots } + others.count * endpoint.limit
            info.slots = slots > 0 ? slots : endpoint.limit
            info.vramBytes = endpoint.vramBytes
            info.configuredWeight = endpoint.configuredWeight
            info.hasKey = endpoint.key != nil
            info.words = words(of: endpoint)
            info.setAside = books.setAside.map { row in
                var retryAt: String?
                if case .due(let due) = row.probe { retryAt = time(of: due) }
                return EndpointInfo.SetAside(model: row.model ?? "", reason: row.reason, since: time(of: row.since), retryAt: retryAt)
            }
            let figures = figures[endpoint.id] ?? WorkerMetrics.OfEndpoint()
            info.retriesTotal = figures.retries
            info.clientErrorsTotal = figures.clientErrors
            let rates = history.rates(of: endpoint.id, totals, now: now)
            info.requestsPerSecond = rates.requests
            info.tokensPerSecond = rates.tokens
            let times = history.times(of: endpoint.id, figures.times)
            (info.headP50Ms, info.headP95Ms) = (times.heads.percentile(0.5), times.heads.percentile(0.95))
            (info.ttftP50Ms, info.ttftP95Ms) = (times.firstTokens.percentile(0.5), times.firstTokens.percentile(0.95))
            (info.answerP50Ms, info.answerP95Ms) = (times.wholes.percentile(0.5), times.wholes.percentile(0.95))
            (info.embeddingsP50Ms, info.embeddingsP95Ms) = (times.embeddings.percentile(0.5), times.embeddings.percentile(0.95))
            info.polledAgoMs = lastAnswers[endpoint.id].map { max(0, (now - $0).milliseconds) }
            return info
        }
    }

    /// `as configured: system: anywhere; for m: refuses: [user]`.
    private func words(of endpoint: Endpoint) -> String? {
        let own = endpoint.words.map { ["as configured: \($0.text)"] } ?? []
        let learned = (words?.all(of: endpoint.id) ?? []).map { "for \($0.model): \($0.settings.text)" }
        let all = own + learned
        return all.isEmpty ? nil : all.joined(separator: "; ")
    }

    func queue(limit: Int, timeout: TimeAmount) -> StatusInfo.Queue {
        StatusInfo.Queue(
            waiting: scheduler.waiting, oldestMs: scheduler.oldest.map { (now - $0).milliseconds } ?? 0, limit: limit, timeoutS: timeout.seconds)
    }

    var totals: StatusInfo.Requests {
        var totals = StatusInfo.Requests(
            inFlight: scheduler.inFlight, waiting: scheduler.waiting, total: counters.total, completed: counters.completed,
            failed: counters.failed, aborted: counters.aborted, rejected: counters.rejected)
        totals.perSecond = history.requestRate(counters.total, now: now)
        return totals
    }

    /// Every model once, by its name, with the endpoints that have it.
    ///
    /// - Parameter aliases: asked name to the name that is looked for instead.
    static func models(
        fleet: [(Endpoint, EndpointReport)], scheduler: SchedulerSnapshot, aliases: [String: String] = [:],
        figures: [String: WorkerMetrics.OfModel] = [:], loads: [EndpointID: [String: LoadHistory]] = [:], now: NIODeadline = .now()
    ) -> [ModelInfo] {
        var rows: [String: ModelInfo] = [:]
        for (endpoint, report) in fleet {
            let books = scheduler.endpoints[endpoint.id]
            let loaded = Dictionary(report.loaded.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
            for model in report.models {
                let isLoading = books?.loading.contains(model.name) ?? false
                var place = ModelInfo.Place(
                    endpoint: endpoint.name, name: model.name,
                    state: loaded[model.name] != nil ? "loaded" : isLoading ? "loading" : "available",
                    inFlight: books?.inFlightByModel[model.name] ?? 0, limit: endpoint.slots(told: loaded[model.name]?.slots),
                    sizeVramBytes: loaded[model.name]?.sizeVramBytes, expiresAt: loaded[model.name]?.expiresAt)
                place.configuration = books?.configurations[model.name]
                place.estimates = books?.estimates[model.name].map(EstimatesInfo.init)
                place.loads = loads[endpoint.id]?[model.name].map { LoadsInfo($0, now: now) }
                rows[
                    model.name,
                    default: ModelInfo(
                        name: model.name, sizeBytes: model.sizeBytes, parameterSize: model.parameterSize, quantization: model.quantization,
                        waiting: 0, places: [])
                ].places.append(place)
                if let context = loaded[model.name]?.contextLength {
                    let most = max(context, rows[model.name]?.contextLength ?? 0)
                    rows[model.name]?.contextLength = most
                }
            }
        }
        // The line knows a model by the name that it was asked for; here it stands with the model that this means.
        for (asked, count) in scheduler.waitingByModel {
            let key = ModelName.ollamaKey(aliases[asked] ?? asked)
            for name in rows.keys where ModelName.ollamaKey(name) == key { rows[name]?.waiting += count }
        }
        for (alias, meant) in aliases {
            let key = ModelName.ollamaKey(meant)
            for name in rows.keys where ModelName.ollamaKey(name) == key { rows[name]?.aliases.append(alias) }
        }
        for name in rows.keys {
            rows[name]?.aliases.sort()
            // Those that have ended are counted, and those that are still there.
            let inFlight = rows[name]?.places.reduce(0) { $0 + $1.inFlight } ?? 0
            rows[name]?.requestsTotal = (figures[name]?.requests ?? 0) + inFlight
            rows[name]?.tokensTotal = figures[name]?.tokens ?? 0
        }
        return rows.values.sorted { $0.name < $1.name }
    }

    /// The line, with the requests that stand in it.
    static func queue(places: [LinePlace], rows: [RequestRow], now: NIODeadline) -> [WaiterInfo] {
        var byTicket: [TicketID: RequestInfo] = [:]
        for row in rows { if let ticket = row.ticket { byTicket[ticket] = row.info } }
        return places.compactMap { place in
            guard let info = byTicket[place.ticket] else { return nil }
            var waiter = WaiterInfo(
                id: info.id, client: info.client, key: info.key, model: info.model, ageMs: max(0, (now - place.since).milliseconds),
                position: place.position, behind: place.behind.compactMap { byTicket[$0]?.id }, blockedBy: place.blockedBy)
            waiter.beginsInMs = place.beginsIn.map { Int((min($0, 1e6) * 1000).rounded()) }
            return waiter
        }
    }

    private func time(of instant: NIODeadline) -> String {
        date.addingTimeInterval(-(now - instant).seconds).formatted(.iso8601)
    }
}

extension LoadsInfo {
    init(_ history: LoadHistory, now: NIODeadline) {
        self.init(
            first: history.counts[.first] ?? 0, evicted: history.counts[.evicted] ?? 0, configuration: history.counts[.configuration] ?? 0)
        for reload in history.lately(now: now) {
            let row = Asked(options: reload.asked.words, address: reload.by?.address ?? "", agent: reload.by?.product ?? "", reloads: 1)
            if let known = asked.firstIndex(where: { ($0.options, $0.address, $0.agent) == (row.options, row.address, row.agent) }) {
                asked[known].reloads += 1
            } else {
                asked.append(row)
            }
        }
        asked.sort { ($1.reloads, $0.options, $0.address, $0.agent) < ($0.reloads, $1.options, $1.address, $1.agent) }
        asked = Array(asked.prefix(Self.askedLimit))
    }
}
