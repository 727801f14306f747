// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Idle keep-alive connections of one event loop, by endpoint.
///
/// Last in, first out: the connection used last is the one least likely to have been closed by the endpoint meanwhile.
/// Bound to its event loop, hence not `Sendable`.
final class UpstreamPool {
    private var idle: [EndpointID: [UpstreamHandler]] = [:]
    /// Of endpoints that moved or changed: nothing that was dialled before then serves another request.
    private var validSince: [EndpointID: NIODeadline] = [:]
    private var isClosed = false
    var idleTimeout: TimeAmount
    var idleLimit: Int
    /// Since it was dialled, however often it has been of use: sooner or later every name points elsewhere, and every connection is dead
    /// without having been closed. Zero: no limit.
    var maxAge: TimeAmount

    init(idleTimeout: TimeAmount, idleLimit: Int, maxAge: TimeAmount = .minutes(10)) {
        self.idleTimeout = idleTimeout
        self.idleLimit = idleLimit
        self.maxAge = maxAge
    }

    /// An open connection, or nil if one has to be made.
    func take(_ endpoint: EndpointID) -> UpstreamHandler? {
        guard idle[endpoint]?.isEmpty == false else { return nil }
        let now = NIODeadline.now()
        while let connection = idle[endpoint]?.popLast() {
            if connection.isOpen, isFit(connection, now) { return connection }
            connection.close()
        }
        return nil
    }

    /// The connection's request has been answered whole.
    func give(_ connection: UpstreamHandler) {
        let now = NIODeadline.now()
        guard !isClosed, isFit(connection, now), idle[connection.endpoint, default: []].count < idleLimit else {
            connection.close()
            return
        }
        connection.idleSince = now
        idle[connection.endpoint, default: []].append(connection)
    }

    /// It closed by itself.
    func forget(_ connection: UpstreamHandler) {
        guard let index = idle[connection.endpoint]?.firstIndex(where: { $0 === connection }) else { return }
        idle[connection.endpoint]?.remove(at: index)
    }

    /// Whether another request may go over it.
    private func isFit(_ connection: UpstreamHandler, _ now: NIODeadline) -> Bool {
        if maxAge > .zero, now - connection.dialledAt > maxAge { return false }
        return validSince[connection.endpoint].map { connection.dialledAt > $0 } ?? true
    }

    /// Closes what has been idle for too long, or is too old.
    func prune(now: NIODeadline) {
        for (endpoint, connections) in idle {
            func isDue(_ connection: UpstreamHandler) -> Bool { now - connection.idleSince > idleTimeout || !isFit(connection, now) }
            guard connections.contains(where: isDue) else { continue }
            // Out of the pool first: closing tells the pool.
            idle[endpoint] = connections.filter { !isDue($0) }
            for connection in connections where isDue(connection) { connection.close() }
        }
    }

    /// The endpoint has left the fleet, or its settings have changed, or its name points elsewhere: what is idle goes now, and what is in
    /// use after its request.
    func drop(_ endpoint: EndpointID) {
        validSince[endpoint] = .now()
        let dropped = idle.removeValue(forKey: endpoint) ?? []
        for connection in dropped { connection.close() }
    }

    func close() {
        isClosed = true
        for endpoint in Array(idle.keys) { drop(endpoint) }
    }
}
