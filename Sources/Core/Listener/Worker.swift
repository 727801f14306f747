// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import Protocol
import Synchronization

/// Everything that belongs to one event loop: its client connections, its upstream connections, its counters.
///
/// A request is handled by one worker from its first byte to its last, so that nothing here needs a lock.
/// Bound to its event loop, hence not `Sendable`.
final class Worker {
    /// How often deadlines are looked at. Coarse on purpose: one timer for all, none for each request.
    static let tick = TimeAmount.milliseconds(250)

    let eventLoop: any EventLoop
    let shared: RouterShared
    let pool: UpstreamPool
    /// Replaced as a whole by a reload.
    private(set) var settings: RuntimeSettings
    private var counted = WorkerCounters()
    var metrics = WorkerMetrics()
    private(set) var accessLog: AccessLog
    /// Lines that have gathered since the last tick.
    private var accessLines: [UInt8] = []
    /// Sets the names of this daemon's requests apart from those of the one before.
    private let namePrefix: String
    /// The time at the last tick: good enough for "when did it last send anything", and free.
    private(set) var coarseNow: NIODeadline
    /// After SIGTERM: connections end with their current request.
    private(set) var isStopping = false

    private var connections: [ExchangeHandler] = []
    /// Exchanges that go on without their client.
    private var withoutClient: [UInt64: Exchange] = [:]
    /// As of the last tick: endpoints that polls call down, and why.
    private(set) var downEndpoints: [EndpointID: String] = [:]
    /// Endpoints that have answered requests since the last tick, and when.
    private var answered: [EndpointID: NIODeadline] = [:]
    private var lastAnswered: EndpointID?
    private var nextID: UInt64
    private let idStep: UInt64
    private var ticker: RepeatedTask?

    /// - Parameters:
    ///   - index: of `count` workers; request numbers of different workers never meet.
    init(index: Int, count: Int, eventLoop: any EventLoop, shared: RouterShared, settings: RuntimeSettings) {
        self.eventLoop = eventLoop
        self.shared = shared
        self.settings = settings
        nextID = UInt64(index) + UInt64(count)
        idStep = UInt64(count)
        coarseNow = .now()
        accessLog = settings.accessLog
        namePrefix = String(shared.bootID, radix: 36) + "-"
        pool = UpstreamPool(
            idleTimeout: settings.limits.upstreamIdleTimeout, idleLimit: settings.limits.upstreamIdleConnections,
            maxAge: settings.limits.upstreamMaxAge)
    }

    func start() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: Self.tick, delay: Self.tick) { _ in bound.value.sweep() }
    }

    func newExchangeID() -> UInt64 {
        nextID += idStep
        return nextID
    }

    /// The client's own name for its request, if it is fit for a log; nil for ours (`name(_:)`).
    func name(given: String?) -> String? {
        if let given, (1...128).contains(given.utf8.count), given.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") }) {
            return given
        }
        return nil
    }

    func name(_ id: UInt64) -> String {
        var buffer = ByteBuffer()
        writeName(id, into: &buffer)
        return String(buffer: buffer)
    }

    /// Without a string: every answer carries one.
    func writeName(_ id: UInt64, into buffer: inout ByteBuffer) {
        buffer.writeString(namePrefix)
        var divisor: UInt64 = 1
        while id / divisor >= 36 { divisor *= 36 }
        while divisor > 0 {
            let digit = UInt8(truncatingIfNeeded: id / divisor % 36)
            buffer.writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            divisor /= 36
        }
    }

    func log(_ record: AccessRecord) {
        accessLines += record.line(accessLog.settings.format).utf8
        if accessLines.count > Self.accessBuffer { flushAccessLog() }
    }

    private static let accessBuffer = 64 * 1024

    /// Hands over what has gathered: lines, tokens.
    func flush() {
        flushAccessLog()
        metrics.tell(shared.tokens)
    }

    private func flushAccessLog() {
        guard !accessLines.isEmpty else { return }
        accessLog.write(accessLines)
        accessLines = []
    }

    func count(_ outcome: ExchangeLifecycle.Outcome) { counted.add(outcome) }

    // MARK: Connections

    func opened(_ connection: ExchangeHandler) {
        connection.workerIndex = connections.count
        connections.append(connection)
    }

    func closed(_ connection: ExchangeHandler) {
        let index = connection.workerIndex
        guard index < connections.count, connections[index] === connection else { return }
        let last = connections.removeLast()
        if last !== connection {
            connections[index] = last
            last.workerIndex = index
        }
    }

    /// An endpoint has answered a request, well enough to be alive.
    func noteAnswer(_ endpoint: EndpointID) {
        // One after the other mostly comes from the same.
        if endpoint == lastAnswered { return }
        lastAnswered = endpoint
        answered[endpoint] = coarseNow
    }

    func detached(_ exchange: Exchange) { withoutClient[exchange.id] = exchange }

    func forget(_ exchange: Exchange) { withoutClient[exchange.id] = nil }

    private var exchanges: [Exchange] { connections.compactMap(\.exchange) + withoutClient.values }

    private func sweep() {
        let now = NIODeadline.now()
        coarseNow = now
        if !answered.isEmpty {
            shared.fleet.trafficAnswered(answered)
            answered.removeAll(keepingCapacity: true)
            lastAnswered = nil
        }
        downEndpoints = shared.fleet.downEndpoints()
        // A sweep may close connections and end exchanges, which changes the lists.
        for connection in connections { connection.sweep(now: now) }
        for exchange in Array(withoutClient.values) { exchange.sweep(now: now) }
        pool.prune(now: now)
        flush()
        shared.scheduler.sweep()
    }

    // MARK: Control

    func apply(_ settings: RuntimeSettings) {
        let old = self.settings
        self.settings = settings
        flushAccessLog()
        accessLog = settings.accessLog
        metrics.rename { settings.endpoints[$0]?.name }
        pool.idleTimeout = settings.limits.upstreamIdleTimeout
        pool.idleLimit = settings.limits.upstreamIdleConnections
        pool.maxAge = settings.limits.upstreamMaxAge
        for (id, endpoint) in old.endpoints where settings.endpoints[id]?.address != endpoint.address || settings.endpoints[id]?.tls != endpoint.tls {
            pool.drop(id)
        }
    }

    /// With the requests that are here now: so nothing has to be counted as they come.
    var counters: WorkerCounters {
        var counters = counted
        counters.open = connections.count { $0.exchange != nil } + withoutClient.count
        return counters
    }

    func requests() -> [RequestRow] {
        let now = NIODeadline.now()
        return exchanges.map { $0.row(now: now) }
    }

    /// By model, with the tokens of streams that still run.
    func modelFigures() -> [String: WorkerMetrics.OfModel] {
        var models = metrics.models
        for exchange in exchanges {
            guard let attempt = exchange.attempt, attempt.placement.pair >= 0 else { continue }
            models[attempt.placement.listedModel, default: WorkerMetrics.OfModel()].tokens += attempt.tap?.tokens ?? 0
        }
        return models
    }

    /// Our own names of the requests that go by this name, which may be a client's.
    func ownNames(of name: String) -> [String] {
        exchanges.compactMap { exchange in
            let own = self.name(exchange.id)
            return own == name || exchange.givenName == name ? own : nil
        }
    }

    /// - Parameter ownName: ours, of which there is one.
    /// - Returns: the request as it was; nil if it is not here (any more).
    func cancel(_ ownName: String) -> RequestInfo? {
        guard let exchange = exchanges.first(where: { name($0.id) == ownName }) else { return nil }
        let row = exchange.row(now: .now())
        exchange.cancel()
        return row.info
    }

    /// No new requests: idle connections close now, the others after the request that they carry.
    func beginStopping() {
        isStopping = true
        for connection in connections { connection.endAfterCurrentRequest() }
    }

    /// Closes what is left.
    func stop() {
        ticker?.cancel()
        for connection in connections { connection.abort() }
        for exchange in Array(withoutClient.values) { exchange.fail(.stopping) }
        pool.close()
        flush()
    }
}
