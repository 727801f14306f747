// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Protocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What an operator sees of the router, part by part.
extension Router {
    func status() async -> StatusInfo { await view().status }

    func requests() async -> [RequestInfo] { await workers.requests().map(\.info) }

    /// Who waits in line, who has waited longest first. Requests of our own wait too: they count for the positions of the others.
    func queue() async -> [WaiterInfo] { OperatorView.queue(places: shared.scheduler.queue(), rows: await workers.requests(), now: .now()) }

    /// - Parameters:
    ///   - topics: parts beside the status; the others stay empty.
    ///   - after: only later events; nil for the last hundred.
    func snapshot(sequence: Int, topics: Set<SnapshotTopic> = Set(SnapshotTopic.allCases), after: Int? = nil) async -> SnapshotInfo {
        let view = await view()
        var snapshot = SnapshotInfo(sequence: sequence, atMs: clockMs, status: view.status, requests: topics.contains(.requests) ? view.requests : [])
        if topics.contains(.queue) { snapshot.queue = await queue() }
        if topics.contains(.models) { snapshot.models = await models() }
        if topics.contains(.events) { snapshot.events = events(after: after) }
        return snapshot
    }

    /// Milliseconds since the start, of the clock that snapshots go by.
    var clockMs: Int { (NIODeadline.now() - started).milliseconds }

    func view() async -> (status: StatusInfo, requests: [RequestInfo]) {
        let requests = await workers.requests().map(\.info)
        let counters = await workers.counters()
        let scheduler = shared.scheduler.snapshot()
        let config = self.config.withLockedValue { $0 }
        let view = OperatorView(
            fleet: shared.fleet.reports(), scheduler: scheduler, requests: requests, counters: counters, now: .now(), date: Date(),
            lastAnswers: shared.fleet.lastAnswers(), words: shared.words, figures: await workers.endpointFigures(), history: history.current,
            loads: shared.fleet.loads.histories())
        let health = shared.tokens.health
        let storage = StatusInfo.Storage(fault: health.fault, setAside: health.setAside ?? "")
        let figures = shared.accessLogHealth.figures
        let accessLog = config.accessLog.path.map { StatusInfo.AccessLog(path: $0, fault: figures.fault, lostLines: figures.lostLines) }
        let status = StatusInfo(
            version: ProductVersion.current, pid: Int(ProcessInfo.processInfo.processIdentifier),
            uptimeS: ((NIODeadline.now() - started).seconds * 1000).rounded() / 1000,
            state: workers.isStopping ? "stopping" : "running", listen: workers.listening, configPath: configPath,
            connections: workers.connections, endpoints: view.endpoints,
            queue: view.queue(limit: config.queueLimit, timeout: config.queueTimeout), requests: view.totals,
            cache: await shared.cache.info(), storage: storage, accessLog: accessLog)
        return (status, requests)
    }

    func models(_ filter: String?) async throws -> ModelList {
        let list = await models()
        guard let filter else { return ModelList(models: list) }
        let found = list.filter { $0.name.lowercased().contains(filter.lowercased()) }
        guard !found.isEmpty else {
            throw RPCError(.notFound, "no model has '\(filter)' in its name; there is: \(list.map(\.name).joined(separator: ", "))")
        }
        return ModelList(models: found)
    }

    func models() async -> [ModelInfo] {
        let aliases = config.withLockedValue { $0.modelAliases }
        return OperatorView.models(
            fleet: shared.fleet.reports(), scheduler: shared.scheduler.snapshot(), aliases: aliases, figures: await workers.modelFigures(),
            loads: shared.fleet.loads.histories())
    }

    /// Ends a request, wherever it is.
    func cancel(_ id: String) async throws -> CancelInfo {
        switch await workers.cancel(id) {
        case .cancelled(let info):
            var metadata: Logger.Metadata = [
                "request": "\(info.id)", "client": "\(info.client)", "model": "\(info.model)", "phase": "\(info.phase.rawValue)",
            ]
            if !info.endpoint.isEmpty { metadata["endpoint"] = "\(info.endpoint)" }
            logger.notice("request cancelled", metadata: metadata)
            return CancelInfo(cancelled: info)
        case .notFound: throw RPCError(.notFound, "no request '\(id)' (any more)")
        case .ambiguous(let names):
            throw RPCError(.refused, "several clients call a request '\(id)'; they are \(names.joined(separator: ", "))")
        }
    }
}
