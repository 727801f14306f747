// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOCore
import NIOPosix
import Protocol
import ServiceLifecycle
import NIOConcurrencyHelpers

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The router: wires the parts, and answers the operator's questions about them.
public final class Router: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let shared: RouterShared
    private let workers: Workers
    private let configPath: String
    private let controlPath: String
    private let loadConfig: @Sendable () throws -> Config
    private let logger: Logger
    private let started = NIODeadline.now()
    private let config: NIOLockedValueBox<Config>
    /// Models to load ahead of need.
    private let wishes: AsyncStream<PreloadService.Wish>
    /// Two reloads at once would mix.
    private let isReloading = NIOLockedValueBox(false)

    /// - Parameters:
    ///   - configPath: shown to operators.
    ///   - loadConfig: reads the configuration again for a reload; throws `ConfigErrors`.
    public init(
        config: Config, configPath: String, controlPath: String, loadConfig: @escaping @Sendable () throws -> Config, logger: Logger
    ) async throws {
        self.config = NIOLockedValueBox(config)
        self.configPath = configPath
        self.controlPath = controlPath
        self.loadConfig = loadConfig
        self.logger = logger
        group = MultiThreadedEventLoopGroup(numberOfThreads: config.threads ?? System.coreCount)
        let (wishes, wish) = AsyncStream.makeStream(of: PreloadService.Wish.self, bufferingPolicy: .bufferingNewest(1024))
        let scheduler = SchedulerBox(
            settings: config.schedulerSettings, seed: .random(in: .min ... .max),
            onLoad: { endpoint, model in
                wish.yield(.init(endpoint: endpoint, model: model))
            })
        self.wishes = wishes
        let pages = FleetPages()
        let tls = TLSClients()
        let client = ProbeClient(group: group, tls: tls, connectTimeout: config.limits.connectTimeout, timeout: config.polling.timeout)
        let fleet = Fleet(client: client, logger: logger) { id, report in
            pages.invalidate()
            scheduler.report(id, report)
        }
        pages.show(fleet)
        let tokens = TokenCounter(path: config.databasePath.isEmpty ? nil : config.databasePath, logger: logger)
        let endpoints = await fleet.apply(config.endpoints, polling: config.polling)
        scheduler.setEndpoints(endpoints)
        let cache = ResponseCache(group: group, logger: logger) { settings in
            guard let model = settings.embeddingModel else { return LocalEmbedder(path: settings.modelPath) }
            return EndpointEmbedder(model: model, scheduler: scheduler, fleet: fleet, client: client)
        }
        await cache.apply(config.cache)
        shared = RouterShared(
            scheduler: scheduler, fleet: fleet, pages: pages, tls: tls, tokens: tokens, cache: cache, client: client, logger: logger)
        workers = try await Workers(group: group, shared: shared, settings: try RuntimeSettings(config: config, endpoints: endpoints))
        shared.reports.withLockedValue {
            $0 = ReportPages(fleet: fleet, scheduler: scheduler, tokens: tokens, cache: cache, workers: workers, requiresKey: config.routerKey != nil)
        }
    }

    /// In the order of their start; they stop in reverse.
    public var services: [any Service] {
        let config = self.config.withLockedValue { $0 }
        return [
            // It outlives all that counts.
            shared.tokens,
            shared.cache,
            FleetService(fleet: shared.fleet),
            PreloadService(
                wishes: wishes, fleet: shared.fleet, loader: ModelLoader(client: shared.client), scheduler: shared.scheduler,
                isPinned: { [self] model, endpoint in self.config.withLockedValue { $0.pins(model, on: endpoint) } }, logger: logger),
            ControlService(path: controlPath, control: config.control, router: self, group: group, logger: logger),
            ListenerService(group: group, workers: workers, config: config, logger: logger),
        ]
    }

    /// After the services have ended.
    public func close() async throws {
        try await group.shutdownGracefully()
    }

    // MARK: Reload

    /// Reads the configuration again and brings it into force: whole or not at all. Streams go on.
    /// - Throws: `RPCError` with what is wrong, line by line.
    public func reload(dryRun: Bool) async throws -> ReloadInfo {
        let mayGo = isReloading.withLockedValue { busy in
            defer { busy = true }
            return !busy
        }
        guard mayGo else { throw RPCError(.refused, "another reload is under way") }
        defer { isReloading.withLockedValue { $0 = false } }
        let new: Config
        do {
            new = try loadConfig()
        } catch {
            throw RPCError(.refused, "\(error)")
        }
        let old = config.withLockedValue { $0 }
        let diff = ConfigDiff(from: old, to: new)
        // Files that the configuration names may have changed though it has not.
        if !dryRun, old != new || new.namesFiles {
            for notice in new.notices where !old.notices.contains(notice) { logger.warning("\(notice)") }
            do {
                try await apply(new)
            } catch {
                throw RPCError(.refused, "\(error)")
            }
        }
        return ReloadInfo(applied: !dryRun, changes: diff.changes, needsRestart: diff.needsRestart)
    }

    private func apply(_ new: Config) async throws {
        // Workers must know every endpoint that the scheduler may name: old and new ones until it has changed.
        let before = shared.fleet.reports().map(\.0)
        // Fails before anything has changed.
        let settings = try RuntimeSettings(config: new, endpoints: before)
        shared.tls.forget()
        await shared.cache.apply(new.cache)
        let after = await shared.fleet.apply(new.endpoints, polling: new.polling)
        let kept = Set(after.map(\.id))
        await workers.apply(settings.with(endpoints: after + before.filter { !kept.contains($0.id) }))
        shared.scheduler.setSettings(new.schedulerSettings)
        shared.scheduler.setEndpoints(after)
        shared.pages.invalidate()
        shared.reports.withLockedValue { $0?.setRequiresKey(new.routerKey != nil) }
        await workers.apply(settings.with(endpoints: after))
        config.withLockedValue { $0 = new }
    }

    // MARK: The operator's view

    func status() async -> StatusInfo {
        await view().status
    }

    func requests() async -> [RequestInfo] { await workers.requests() }

    func snapshot(sequence: Int) async -> SnapshotInfo {
        let view = await view()
        return SnapshotInfo(sequence: sequence, atMs: (NIODeadline.now() - started).milliseconds, status: view.status, requests: view.requests)
    }

    func endpoints(_ selector: String?) async throws -> EndpointList {
        let all = await view().status.endpoints
        guard let selector else { return EndpointList(endpoints: all) }
        let name = try find(selector).name
        return EndpointList(endpoints: all.filter { $0.name == name })
    }

    func models(_ filter: String?) async throws -> ModelList {
        let list = OperatorView.models(fleet: shared.fleet.reports(), scheduler: shared.scheduler.snapshot())
        guard let filter else { return ModelList(models: list) }
        let found = list.filter { $0.name.lowercased().contains(filter.lowercased()) }
        guard !found.isEmpty else {
            throw RPCError(.notFound, "no model has '\(filter)' in its name; there is: \(list.map(\.name).joined(separator: ", "))")
        }
        return ModelList(models: found)
    }

    /// Drain, maintenance, or nil for neither.
    func setWish(_ wish: EndpointState.Wish?, _ selector: String) async throws -> EndpointList {
        let endpoint = try find(selector)
        switch wish {
        case .drain: await shared.fleet.drain(endpoint.id)
        case .maintenance: await shared.fleet.maintenance(endpoint.id)
        case nil: await shared.fleet.resume(endpoint.id)
        }
        return try await endpoints(endpoint.name)
    }

    // MARK: The cache

    func cacheInfo() async -> CacheInfo { await shared.cache.info() }

    func invalidateCache(_ params: CacheInvalidateParams) async throws -> CacheInvalidated {
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

    private func find(_ selector: String) throws -> Endpoint {
        switch shared.fleet.endpoint(matching: selector) {
        case .found(let endpoint): return endpoint
        case .notFound(let known):
            throw RPCError(.notFound, "no endpoint '\(selector)'; there is: \(known.joined(separator: ", "))")
        case .ambiguous(let names):
            throw RPCError(.refused, "'\(selector)' fits several endpoints: \(names.joined(separator: ", "))")
        }
    }

    private func view() async -> (status: StatusInfo, requests: [RequestInfo]) {
        let requests = await workers.requests()
        let counters = await workers.counters()
        let scheduler = shared.scheduler.snapshot()
        let config = self.config.withLockedValue { $0 }
        let view = OperatorView(
            fleet: shared.fleet.reports(), scheduler: scheduler, requests: requests, counters: counters, now: .now(), date: Date())
        let health = shared.tokens.health
        let storage = StatusInfo.Storage(fault: health.fault, setAside: health.setAside ?? "")
        let status = StatusInfo(
            version: ProductVersion.current, pid: Int(ProcessInfo.processInfo.processIdentifier),
            uptimeS: ((NIODeadline.now() - started).seconds * 1000).rounded() / 1000,
            state: workers.isStopping ? "stopping" : "running", listen: workers.listening, configPath: configPath,
            connections: workers.connections, endpoints: view.endpoints,
            queue: view.queue(limit: config.queueLimit, timeout: config.queueTimeout), requests: view.totals,
            cache: await shared.cache.info(), storage: storage)
        return (status, requests)
    }
}

extension Config {
    /// Whether the model stays in memory on the endpoint of that name.
    func pins(_ model: String, on endpoint: String) -> Bool {
        let key = ModelName.ollamaKey(model)
        return pins.contains { name, pin in
            guard ModelName.ollamaKey(name) == key else { return false }
            if case .on(let names) = pin { return names.contains(endpoint) }
            return true
        }
    }

    var schedulerSettings: SchedulerSettings {
        SchedulerSettings(
            queueLimit: queueLimit, queueTimeout: queueTimeout, aliases: modelAliases, placement: placement, pins: pins,
            overcommits: queue == .overcommit, affinity: affinity)
    }
}
