// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Idle keep-alive connections of one event loop, by endpoint.
///
/// Last in, first out: the connection used last is the one least likely to have been closed by the endpoint meanwhile.
/// Bound to its event loop, hence not `Sendable`.
final class UpstreamPool {
    private var idle: [EndpointID: [UpstreamHandler]] = [:]
    private var isClosed = false
    var idleTimeout: TimeAmount
    var idleLimit: Int

    init(idleTimeout: TimeAmount, idleLimit: Int) {
        self.idleTimeout = idleTimeout
        self.idleLimit = idleLimit
    }

    /// An open connection, or nil if one has to be made.
    func take(_ endpoint: EndpointID) -> UpstreamHandler? {
        while let connection = idle[endpoint]?.popLast() {
            if connection.isOpen { return connection }
        }
        return nil
    }

    /// The connection's request has been answered whole.
    func give(_ connection: UpstreamHandler) {
        guard !isClosed, idle[connection.endpoint, default: []].count < idleLimit else {
            connection.close()
            return
        }
        connection.idleSince = .now()
        idle[connection.endpoint, default: []].append(connection)
    }

    /// It closed by itself.
    func forget(_ connection: UpstreamHandler) {
        guard let index = idle[connection.endpoint]?.firstIndex(where: { $0 === connection }) else { return }
        idle[connection.endpoint]?.remove(at: index)
    }

    /// Closes what has been idle for too long. The oldest are at the front.
    func prune(now: NIODeadline) {
        for endpoint in idle.keys {
            while let oldest = idle[endpoint]?.first, now - oldest.idleSince > idleTimeout {
                idle[endpoint]?.removeFirst()
                oldest.close()
            }
        }
    }

    /// The endpoint has left the fleet, or its address or key has changed.
    func drop(_ endpoint: EndpointID) {
        let dropped = idle.removeValue(forKey: endpoint) ?? []
        for connection in dropped { connection.close() }
    }

    func close() {
        isClosed = true
        for endpoint in Array(idle.keys) { drop(endpoint) }
    }

    var idleCount: Int { idle.values.reduce(0) { $0 + $1.count } }
}
