// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Idle keep-alive connections of one event loop, by endpoint.
///
/// Last in, first out: the connection used last is the one least likely to have been closed by the endpoint meanwhile.
/// Bound to its event loop, hence not `Sendable`.
final class UpstreamPool {
    /// A class, so that a connection is taken and given with one look-up each.
    private final class Shelf {
        /// The one used last stands last.
        var idle: [UpstreamHandler] = []
        /// When the endpoint moved or changed: nothing that was dialled before then serves another request.
        var validSince: NIODeadline?
    }

    private var shelves: [EndpointID: Shelf] = [:]
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
        guard let shelf = shelves[endpoint], !shelf.idle.isEmpty else { return nil }
        let now = NIODeadline.now()
        while let connection = shelf.idle.popLast() {
            if connection.isOpen, isFit(connection, shelf, now) { return connection }
            connection.close()
        }
        return nil
    }

    /// The connection's request has been answered whole.
    func give(_ connection: UpstreamHandler) {
        let now = NIODeadline.now()
        let shelf = shelf(connection.endpoint)
        guard !isClosed, isFit(connection, shelf, now), shelf.idle.count < idleLimit else {
            connection.close()
            return
        }
        connection.idleSince = now
        shelf.idle.append(connection)
    }

    /// It closed by itself.
    func forget(_ connection: UpstreamHandler) {
        guard let shelf = shelves[connection.endpoint], let index = shelf.idle.firstIndex(where: { $0 === connection }) else { return }
        shelf.idle.remove(at: index)
    }

    private func shelf(_ endpoint: EndpointID) -> Shelf {
        if let shelf = shelves[endpoint] { return shelf }
        let made = Shelf()
        shelves[endpoint] = made
        return made
    }

    /// Whether another request may go over it.
    private func isFit(_ connection: UpstreamHandler, _ shelf: Shelf, _ now: NIODeadline) -> Bool {
        let isYoung = maxAge == .zero || now - connection.dialledAt <= maxAge
        return isYoung && shelf.validSince.map { connection.dialledAt > $0 } ?? true
    }

    /// Closes what has been idle for too long, or is too old.
    func prune(now: NIODeadline) {
        for shelf in shelves.values {
            func isDue(_ connection: UpstreamHandler) -> Bool { now - connection.idleSince > idleTimeout || !isFit(connection, shelf, now) }
            let connections = shelf.idle
            guard connections.contains(where: isDue) else { continue }
            // Out of the pool first: closing tells the pool.
            shelf.idle = connections.filter { !isDue($0) }
            for connection in connections where isDue(connection) { connection.close() }
        }
    }

    /// The endpoint has left the fleet, or its settings have changed, or its name points elsewhere: what is idle goes now, and what is in
    /// use after its request.
    func drop(_ endpoint: EndpointID) {
        let shelf = shelf(endpoint)
        shelf.validSince = .now()
        let dropped = shelf.idle
        shelf.idle = []
        for connection in dropped { connection.close() }
    }

    func close() {
        isClosed = true
        for endpoint in Array(shelves.keys) { drop(endpoint) }
    }
}
