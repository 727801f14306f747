// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// When a request may be sent again. Always before the first byte has gone to the client; never after.
enum RetryRule {
    /// Requests that may be lost with an endpoint before the client is told. Above one, a request that kills its
    /// server would go from endpoint to endpoint and take the fleet down.
    static let lostRequests = 1

    /// Again to the same endpoint, on a new connection: the old one was kept idle and the endpoint closed it meanwhile,
    /// so that it cannot have begun to work on the request (RFC 9112, section 9.3.1).
    static func sendsAgain(_ failure: UpstreamFailure) -> Bool {
        failure.connectionWasReused && failure.nothingCameBack
    }

    /// To another endpoint. One that could not be reached at all has seen nothing of the request, and does not count.
    static func triesElsewhere(lostRequests: Int) -> Bool {
        lostRequests <= Self.lostRequests
    }
}
