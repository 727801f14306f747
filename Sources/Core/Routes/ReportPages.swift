// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Protocol

/// Pages that take a question to the storage or to the other event loops: the Python router's monitoring routes in its shapes, and
/// Prometheus' page.
final class ReportPages: Sendable {
    private let fleet: Fleet
    private let scheduler: SchedulerBox
    private let tokens: TokenCounter
    private let cache: ResponseCache
    private let workers: Workers
    private let accessLogHealth: AccessLogHealth
    private let requiresKey: NIOLockedValueBox<Bool>

    init(
        fleet: Fleet, scheduler: SchedulerBox, tokens: TokenCounter, cache: ResponseCache, workers: Workers, accessLogHealth: AccessLogHealth,
        requiresKey: Bool
    ) {
        self.fleet = fleet
        self.scheduler = scheduler
        self.tokens = tokens
        self.cache = cache
        self.workers = workers
        self.accessLogHealth = accessLogHealth
        self.requiresKey = NIOLockedValueBox(requiresKey)
    }

    /// What the workers have counted is told by the next pages.
    func refresh() async { await workers.flush() }

    var isStopping: Bool { workers.isStopping }

    func setRequiresKey(_ requires: Bool) { requiresKey.withLockedValue { $0 = requires } }

    /// - Parameters:
    ///   - query: of the request.
    ///   - body: of the request; what is no JSON counts as empty.
    func answer(_ page: Route.ReportPage, query: Substring?, body: JSONValue) async -> LocalAnswer {
        await workers.flush()
        do {
            switch page {
            case .usage, .usageStream: return Self.json(usage())
            case .config: return Self.json(config())
            case .tokenCounts: return Self.json(tokenCounts())
            case .stats: return try await stats(query: query, body: body)
            case .foldSeries: return try await fold(body)
            case .cacheStats: return Self.json(CachePages.stats(await cache.info(), cache.settings))
            case .cacheInvalidate: return await CachePages.invalidate(cache, query: query, body: body)
            case .metrics: return await metrics()
            }
        } catch {
            return Self.json(["error": .string("the database of token counts fails: \(error)")], .serviceUnavailable)
        }
    }

    private static func json(_ value: JSONValue, _ status: HTTPResponseStatus = .ok) -> LocalAnswer {
        .json(ByteBuffer(string: value.text), status: status)
    }

    // MARK: Usage

    /// `{"usage_counts": {endpoint: {model: in flight}}, "token_usage_counts": {endpoint: {model: total}}}`, keys sorted.
    func usage() -> JSONValue {
        let books = scheduler.snapshot()
        var running = JSONObject()
        for (endpoint, report) in fleet.reports().sorted(by: { $0.0.address.url < $1.0.address.url }) {
            var models: [String: Int] = [:]
            for (model, count) in books.endpoints[endpoint.id]?.inFlightByModel ?? [:] {
                models[ModelName.counted(model, report.kind ?? endpoint.kind), default: 0] += count
            }
            running[endpoint.address.url] = Self.object(models.sorted { $0.key < $1.key })
        }
        var counted: [String: JSONObject] = [:]
        for (key, sum) in tokens.totals() { counted[key.endpoint, default: JSONObject()][key.model] = .integer(sum.total) }
        return [
            "token_usage_counts": .object(Self.object(counted.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.object($0.value)) })),
            "usage_counts": .object(running),
        ]
    }

    private static func object(_ members: [(key: String, value: Int)]) -> JSONValue {
        .object(object(members.map { ($0.key, JSONValue.integer($0.value)) }))
    }

    private static func object(_ members: [(String, JSONValue)]) -> JSONObject {
        var object = JSONObject()
        object.members = members.map { .init(key: $0.0, value: $0.1) }
        return object
    }

    // MARK: Tokens

    private static func row(_ key: TokenKey, _ sum: TokenSum) -> JSONValue {
        [
            "endpoint": .string(key.endpoint), "model": .string(key.model), "input_tokens": .integer(sum.input),
            "output_tokens": .integer(sum.output), "total_tokens": .integer(sum.total),
        ]
    }

    private func tokenCounts() -> JSONValue {
        let rows = tokens.totals()
        return [
            "total_tokens": .integer(rows.reduce(0) { $0 + $1.sum.total }), "breakdown": .array(rows.map { Self.row($0.key, $0.sum) }),
        ]
    }

    private func stats(query: Substring?, body: JSONValue) async throws -> LocalAnswer {
        guard let model = body["model"].given?.string ?? query.flatMap({ QueryText.value("model", in: $0) }), !model.isEmpty else {
            return Self.json(["error": "model is required, as {\"model\": \"...\"} or ?model="], .badRequest)
        }
        let rows = tokens.totals().filter { $0.key.model == model }
        guard !rows.isEmpty else { return Self.json(["error": .string("no tokens have been counted for model '\(model)'")], .notFound) }
        var sum = TokenSum()
        for row in rows { sum += row.sum }
        let series = try await tokens.series(model: model)
        return Self.json([
            "model": .string(model), "input_tokens": .integer(sum.input), "output_tokens": .integer(sum.output), "total_tokens": .integer(sum.total),
            "time_series": .array(
                series.map { point in
                    [
                        "endpoint": .string(point.key.endpoint), "timestamp": .integer(point.timestamp), "input_tokens": .integer(point.sum.input),
                        "output_tokens": .integer(point.sum.output), "total_tokens": .integer(point.sum.total),
                    ]
                }),
            "endpoint_distribution": Self.object(rows.map { (key: $0.key.endpoint, value: $0.sum.total) }),
        ])
    }

    private func fold(_ body: JSONValue) async throws -> LocalAnswer {
        let days = body["days"].given?.integer ?? 30
        let trims = body["trim_old"].given?.bool ?? false
        guard (0...36_500).contains(days) else { return Self.json(["error": "days must be from 0 to 36500"], .badRequest) }
        let groups = try await tokens.fold(olderThanDays: days, trims: trims)
        return Self.json(["status": "ok", "days": .integer(days), "trim_old": .bool(trims), "aggregated_groups": .integer(groups)])
    }

    // MARK: The rest

    private func config() -> JSONValue {
        func row(_ endpoint: Endpoint, _ report: EndpointReport) -> JSONValue {
            let phase = report.state.phase
            guard phase.takesWork || phase == .draining || phase == .maintenance else {
                return [
                    "url": .string(endpoint.address.url), "status": "error",
                    "detail": .string(report.state.reason.isEmpty ? phase.rawValue : report.state.reason),
                ]
            }
            let version = endpoint.kind == .ollama ? report.version : "latest"
            return ["url": .string(endpoint.address.url), "status": "ok", "version": .string(version)]
        }
        let reports = fleet.reports()
        return [
            "endpoints": .array(reports.filter { $0.0.kind != .llamaServer }.map(row)),
            "llama_server_endpoints": .array(reports.filter { $0.0.kind == .llamaServer }.map(row)),
            "require_router_api_key": .bool(requiresKey.withLockedValue { $0 }),
        ]
    }

    private func metrics() async -> LocalAnswer {
        var page = MetricsText(
            await workers.metrics(), counters: await workers.counters(), fleet: fleet.reports(), scheduler: scheduler.snapshot(),
            connections: workers.connections, version: ProductVersion.current)
        page.loads(fleet.reports().map(\.0), fleet.loads.histories(), scheduler.snapshot())
        page.cache(await cache.info())
        page.counter("routerd_access_log_lost_lines_total", "Lines of the access log that could not be written.", accessLogHealth.figures.lostLines)
        return LocalAnswer(status: .ok, contentType: MetricsText.contentType, body: ByteBuffer(string: page.text))
    }
}
