// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers

/// Context sizes that endpoints have told by refusing a prompt, for the next one.
final class KnownContexts: Sendable {
    private struct Key: Hashable {
        var endpoint: EndpointID
        var model: String
    }

    private static let limit = 4096
    private let sizes = NIOLockedValueBox<[Key: Int]>([:])

    func remember(_ context: Int, _ endpoint: EndpointID, _ model: String) {
        sizes.withLockedValue { sizes in
            if sizes.count >= Self.limit { sizes.removeAll() }
            sizes[Key(endpoint: endpoint, model: model)] = context
        }
    }

    func known(_ endpoint: EndpointID, _ model: String) -> Int? {
        sizes.withLockedValue { $0[Key(endpoint: endpoint, model: model)] }
    }
}
