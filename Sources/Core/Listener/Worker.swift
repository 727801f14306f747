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

    func count(_ outcome: WorkerCounters.Outcome) { counted.add(outcome) }

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

    private func sweep() {
        let now = NIODeadline.now()
        coarseNow = now
        // A sweep may close connections, which changes the list.
        for connection in connections { connection.sweep(now: now) }
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
        counters.open = connections.count { $0.exchange != nil }
        return counters
    }

    func requests() -> [RequestRow] {
        let now = NIODeadline.now()
        return connections.compactMap { $0.requestRow(now: now) }
    }

    /// By model, with the tokens of streams that still run.
    func modelFigures() -> [String: WorkerMetrics.OfModel] {
        var models = metrics.models
        for connection in connections {
            guard let exchange = connection.exchange, let placement = exchange.placement, placement.pair >= 0 else { continue }
            models[placement.listedModel, default: WorkerMetrics.OfModel()].tokens += exchange.tap?.tokens ?? 0
        }
        return models
    }

    /// Our own names of the requests that go by this name, which may be a client's.
    func ownNames(of name: String) -> [String] {
        connections.compactMap { connection in
            guard let exchange = connection.exchange else { return nil }
            let own = self.name(exchange.id)
            return own == name || exchange.givenName == name ? own : nil
        }
    }

    /// - Parameter ownName: ours, of which there is one.
    /// - Returns: the request as it was; nil if it is not here (any more).
    func cancel(_ ownName: String) -> RequestInfo? {
        guard let connection = connections.first(where: { $0.exchange.map { name($0.id) } == ownName }) else { return nil }
        let row = connection.requestRow(now: .now())
        connection.cancel()
        return row?.info
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
        pool.close()
        flush()
    }

    var connectionCount: Int { connections.count }
}

/// Counters of one worker, summed over all when somebody asks.
struct WorkerCounters: Sendable {
    enum Outcome {
        case completed, failed, aborted, rejected
    }

    /// Not ended yet.
    var open = 0
    private(set) var completed = 0
    private(set) var failed = 0
    private(set) var aborted = 0
    private(set) var rejected = 0

    /// That have come.
    var total: Int { open + completed + failed + aborted + rejected }

    mutating func add(_ outcome: Outcome) {
        switch outcome {
        case .completed: completed += 1
        case .failed: failed += 1
        case .aborted: aborted += 1
        case .rejected: rejected += 1
        }
    }

    static func + (left: WorkerCounters, right: WorkerCounters) -> WorkerCounters {
        var sum = left
        sum.open += right.open
        sum.completed += right.completed
        sum.failed += right.failed
        sum.aborted += right.aborted
        sum.rejected += right.rejected
        return sum
    }
}
