// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers

/// The contexts for connections to endpoints, one for each set of settings, made when they are first needed.
final class TLSClients: Sendable {
    private let contexts = NIOLockedValueBox<[TLSClientSettings: TLSContext]>([:])

    /// Nil for an endpoint that is reached without TLS.
    func context(for endpoint: Endpoint) throws(TLSError) -> TLSContext? {
        guard endpoint.address.scheme == .https else { return nil }
        let settings = endpoint.tls ?? TLSClientSettings()
        if let known = contexts.withLockedValue({ $0[settings] }) { return known }
        let made = try TLSContext(client: settings)
        return contexts.withLockedValue { contexts in
            // Somebody else may have been faster; sessions are worth sharing.
            if let known = contexts[settings] { return known }
            contexts[settings] = made
            return made
        }
    }

    /// Files may have changed: the next connections read them again.
    func forget() { contexts.withLockedValue { $0 = [:] } }
}
