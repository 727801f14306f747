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

    func snapshot(sequence: Int) async -> SnapshotInfo {
        let view = await view()
        return SnapshotInfo(sequence: sequence, atMs: (NIODeadline.now() - started).milliseconds, status: view.status, requests: view.requests)
    }

    func view() async -> (status: StatusInfo, requests: [RequestInfo]) {
        let requests = await workers.requests().map(\.info)
        let counters = await workers.counters()
        let scheduler = shared.scheduler.snapshot()
        let config = self.config.withLockedValue { $0 }
        let view = OperatorView(
            fleet: shared.fleet.reports(), scheduler: scheduler, requests: requests, counters: counters, now: .now(), date: Date(),
            lastAnswers: shared.fleet.lastAnswers())
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
        return OperatorView.models(fleet: shared.fleet.reports(), scheduler: shared.scheduler.snapshot(), aliases: aliases)
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
