// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Makes new connections for requests, on the event loop of the request that needs one.
enum UpstreamConnector {
    /// Fails as `Dialer.connect` does.
    static func connect(
        to endpoint: Endpoint, by dialer: Dialer, within timeout: TimeAmount, pool: UpstreamPool, on eventLoop: any EventLoop
    ) -> EventLoopFuture<UpstreamHandler>.Isolated {
        let handler = NIOLoopBound(UpstreamHandler(endpoint: endpoint.id, pool: pool), eventLoop: eventLoop)
        return dialer.connect(to: endpoint, within: timeout, on: eventLoop) { try $0.addHandler(handler.value) }
            .assumeIsolated().map { _ in handler.value }
    }
}
