// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOPosix
import Protocol
import NIOConcurrencyHelpers
import Synchronization

/// All workers, as the control plane sees them: every question is a hop to each event loop.
final class Workers: Sendable {
    private let bound: [NIOLoopBound<Worker>]
    /// By the identity of the event loop, for new connections.
    private let byLoop: [ObjectIdentifier: NIOLoopBound<Worker>]
    private let shared: RouterShared
    private let state = NIOLockedValueBox(State())

    private struct State {
        var listening: [String] = []
        var isStopping = false
    }

    init(group: MultiThreadedEventLoopGroup, shared: RouterShared, settings: RuntimeSettings) async throws {
        self.shared = shared
        let loops = Array(group.makeIterator())
        var bound: [NIOLoopBound<Worker>] = []
        for (index, loop) in loops.enumerated() {
            bound.append(
                try await loop.submit {
                    let worker = Worker(index: index, count: loops.count, eventLoop: loop, shared: shared, settings: settings)
                    worker.start()
                    return NIOLoopBound(worker, eventLoop: loop)
                }.get())
        }
        self.bound = bound
        byLoop = Dictionary(uniqueKeysWithValues: zip(loops.map { ObjectIdentifier($0 as AnyObject) }, bound))
    }

    /// The worker of the current event loop. Falls back to no other: every loop of the group has one.
    func worker(on loop: any EventLoop) throws -> Worker {
        guard let found = byLoop[ObjectIdentifier(loop as AnyObject)] else { throw ChannelError.inappropriateOperationForState }
        return found.value
    }

    var connections: Int { shared.connections.load(ordering: .relaxed) }

    var listening: [String] { state.withLockedValue { $0.listening } }

    var isStopping: Bool { state.withLockedValue { $0.isStopping } }

    func setListening(_ addresses: [String]) { state.withLockedValue { $0.listening = addresses } }

    func apply(_ settings: RuntimeSettings) async { await each { $0.apply(settings) } }

    /// Oldest first, each with an id of its own.
    func requests() async -> [RequestRow] {
        RequestRow.unique(await each { $0.requests() }.flatMap { $0 }).sorted { $0.info.ageMs > $1.info.ageMs }
    }

    enum Cancellation {
        case cancelled(RequestInfo)
        case notFound
        /// Several clients call their request so; these are our own names.
        case ambiguous([String])
    }

    func cancel(_ name: String) async -> Cancellation {
        let found = await each { $0.ownNames(of: name) }.flatMap { $0 }
        guard let own = found.first else { return .notFound }
        guard found.count == 1 else { return .ambiguous(found.sorted()) }
        let info = await each { $0.cancel(own) }.compactMap { $0 }.first
        return info.map { .cancelled($0) } ?? .notFound
    }

    func counters() async -> WorkerCounters {
        await each { $0.counters }.reduce(WorkerCounters(), +)
    }

    /// No further request goes over a connection to the endpoint that is there now: it may lead to where the endpoint was.
    func dropIdle(_ endpoint: EndpointID) {
        for worker in bound { worker.eventLoop.execute { worker.value.pool.drop(endpoint) } }
    }

    /// Everything that has been counted is in the common books.
    func flush() async { await each { $0.flush() } }

    func endpointFigures() async -> [EndpointID: WorkerMetrics.OfEndpoint] {
        await each { $0.metrics.endpoints }.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
    }

    func modelFigures() async -> [String: WorkerMetrics.OfModel] {
        await each { $0.modelFigures() }.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
    }

    func metrics() async -> WorkerMetrics {
        await each { $0.metrics }.reduce(into: WorkerMetrics()) { $0.add($1) }
    }

    func beginStopping() {
        state.withLockedValue { $0.isStopping = true }
        for worker in bound { worker.eventLoop.execute { worker.value.beginStopping() } }
    }

    func stop() async {
        await each { $0.stop() }
        // The last lines reach the disk before the daemon ends.
        for log in await each({ $0.accessLog }) { log.flush() }
    }

    @discardableResult
    private func each<T: Sendable>(_ body: @escaping @Sendable (Worker) -> T) async -> [T] {
        var results: [T] = []
        for worker in bound {
            // Fails only if the loop is gone, and then there is nothing to tell.
            if let result = try? await worker.eventLoop.submit({ body(worker.value) }).get() { results.append(result) }
        }
        return results
    }
}
