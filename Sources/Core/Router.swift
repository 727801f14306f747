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
    let shared: RouterShared
    let workers: Workers
    let configPath: String
    let controlPath: String
    let loadConfig: @Sendable () throws -> Config
    let logger: Logger
    let started = NIODeadline.now()
    let config: NIOLockedValueBox<Config>
    let readConfig: @Sendable (_ text: String, _ path: String) throws -> Config
    let events: EventLog
    let history: HistoryKeeper
    /// Models to load ahead of need.
    private let wishes: AsyncStream<PreloadService.Wish>
    /// Two reloads at once would mix.
    private let isReloading = NIOLockedValueBox(false)

    /// - Parameters:
    ///   - configPath: shown to operators.
    ///   - loadConfig: reads the configuration again for a reload; throws `ConfigErrors`.
    ///   - readConfig: reads a text as if it were the configuration's file; throws `ConfigErrors`.
    ///   - events: what the log has told lately.
    public init(
        config: Config, configPath: String, controlPath: String, loadConfig: @escaping @Sendable () throws -> Config,
        readConfig: @escaping @Sendable (_ text: String, _ path: String) throws -> Config, events: EventLog, logger: Logger
    ) async throws {
        self.config = NIOLockedValueBox(config)
        self.configPath = configPath
        self.controlPath = controlPath
        self.loadConfig = loadConfig
        self.readConfig = readConfig
        self.events = events
        self.logger = logger
        group = MultiThreadedEventLoopGroup(numberOfThreads: config.threads ?? System.coreCount)
        let (wishes, wish) = AsyncStream.makeStream(of: PreloadService.Wish.self, bufferingPolicy: .bufferingNewest(1024))
        let scheduler = SchedulerBox(
            settings: config.schedulerSettings, seed: .random(in: .min ... .max),
            onLoad: { endpoint, model, options in
                wish.yield(.init(endpoint: endpoint, model: model, options: options))
            },
            onBreaker: { $0.log(to: logger) })
        self.wishes = wishes
        let pages = FleetPages()
        let names = NameResolver()
        let dialer = Dialer(names: names)
        let client = EndpointClient(
            group: group, dialer: dialer, connectTimeout: config.limits.connectTimeout, timeout: config.polling.timeout)
        let fleet = Fleet(client: client, logger: logger) { id, report in
            pages.invalidate()
            scheduler.report(id, report)
        }
        pages.show(fleet)
        let tokens = TokenCounter(path: config.databasePath.isEmpty ? nil : config.databasePath, logger: logger)
        let endpoints = await fleet.apply(config.endpoints, polling: config.polling)
        scheduler.setEndpoints(endpoints)
        let cache = ResponseCache(group: group, dialer: dialer, logger: logger) { settings in
            guard let model = settings.embeddingModel else { return LocalEmbedder(path: settings.modelPath) }
            return EndpointEmbedder(model: model, scheduler: scheduler, fleet: fleet, client: client)
        }
        await cache.apply(config.cache)
        shared = RouterShared(
            scheduler: scheduler, fleet: fleet, pages: pages, dialer: dialer, tokens: tokens, cache: cache, client: client, logger: logger)
        workers = try await Workers(
            group: group, shared: shared,
            settings: try RuntimeSettings(config: config, endpoints: endpoints, accessLogHealth: shared.accessLogHealth))
        names.whenMoved { [weak fleet, weak workers] host, from, to in
            fleet?.hostMoved(host, from: from, to: to) { workers?.dropIdle($0) }
        }
        history = HistoryKeeper(fleet: fleet, scheduler: scheduler, workers: workers, cache: cache)
        shared.reports.withLockedValue {
            $0 = ReportPages(
                fleet: fleet, scheduler: scheduler, tokens: tokens, cache: cache, workers: workers, accessLogHealth: shared.accessLogHealth,
                requiresKey: config.routerKey != nil)
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
            history,
            PreloadService(
                wishes: wishes, fleet: shared.fleet, client: shared.client, scheduler: shared.scheduler,
                isPinned: { [self] model, endpoint in self.config.withLockedValue { $0.pins(model, on: endpoint) } }),
            ControlService(path: controlPath, control: config.control, router: self, logger: logger),
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
        guard beginsChange() else { throw RPCError(.refused, "another reload is under way") }
        defer { endChange() }
        let new: Config
        do {
            new = try loadConfig()
        } catch {
            throw RPCError(.refused, "\(error)")
        }
        let old = config.withLockedValue { $0 }
        let findings = newFindings(of: new)
        guard findings.isEmpty else { throw RPCError(.refused, findings.joined(separator: "\n")) }
        let diff = ConfigDiff(from: old, to: new)
        // Files that the configuration names may have changed though it has not.
        if !dryRun, old != new || new.namesFiles {
            for notice in new.notices where !old.notices.contains(notice) { logger.warning("\(notice)") }
            do {
                try await apply(new)
            } catch {
                throw RPCError(.refused, "\(error)")
            }
            logger.notice("reloaded", metadata: ["changes": "\(diff.changes.joined(separator: "; "))"])
            for change in diff.needsRestart { logger.warning("needs a restart", metadata: ["change": "\(change)"]) }
        }
        return ReloadInfo(
            applied: !dryRun, changes: diff.changes, needsRestart: diff.needsRestart, removedEndpoints: diff.removedEndpoints,
            operators: operatorsWeights(beside: new))
    }

    /// - Returns: whether it may go on; `endChange` follows then.
    func beginsChange() -> Bool {
        isReloading.withLockedValue { busy in
            defer { busy = true }
            return !busy
        }
    }

    func endChange() { isReloading.withLockedValue { $0 = false } }

    private func apply(_ new: Config) async throws {
        // Workers must know every endpoint that the scheduler may name: old and new ones until it has changed.
        let before = shared.fleet.reports().map(\.0)
        // Fails before anything has changed.
        let settings = try RuntimeSettings(config: new, endpoints: before, accessLogHealth: shared.accessLogHealth)
        shared.dialer.tls.forget()
        await shared.cache.apply(new.cache)
        let after = await shared.fleet.apply(new.endpoints, polling: new.polling)
        let kept = Set(after.map(\.id))
        await workers.apply(settings.with(endpoints: after + before.filter { !kept.contains($0.id) }))
        shared.scheduler.setSettings(new.schedulerSettings)
        shared.scheduler.setEndpoints(after)
        shared.pages.invalidate()
        shared.reports.withLockedValue { $0?.setRequiresKey(new.routerKey != nil) }
        await workers.apply(settings.with(endpoints: after))
        let old = config.withLockedValue { config in
            defer { config = new }
            return config
        }
        if old.accessLog.path != new.accessLog.path { shared.accessLogHealth.moved() }
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
        var settings = SchedulerSettings(
            queueLimit: queueLimit, queueTimeout: queueTimeout, aliases: modelAliases, placement: placement, pins: pins,
            overcommits: queue == .overcommit, affinity: affinity)
        settings.context = context
        settings.contextByModel = contextByModel
        // Two spellings of one model: the higher one holds.
        settings.contextMinimums = Dictionary(
            contextMinimum.map { (ModelName.ollamaKey(modelAliases[$0] ?? $0), $1) }, uniquingKeysWith: { max($0, $1) })
        return settings
    }
}
