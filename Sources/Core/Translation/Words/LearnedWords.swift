// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOConcurrencyHelpers

/// What answers have taught about the words of each endpoint and model, as long as the daemon runs.
final class LearnedWords: Sendable {
    private struct Key: Hashable {
        var endpoint: EndpointID
        var model: String
    }

    private static let limit = 4096
    private let settings = NIOLockedValueBox<[Key: WordSettings]>([:])

    func learn(_ lesson: WordSettings, _ endpoint: EndpointID, _ model: String) {
        settings.withLockedValue { settings in
            if settings.count >= Self.limit { settings.removeAll() }
            settings[Key(endpoint: endpoint, model: model), default: WordSettings()].add(lesson)
        }
    }

    func known(_ endpoint: EndpointID, _ model: String) -> WordSettings? {
        settings.withLockedValue { $0.isEmpty ? nil : $0[Key(endpoint: endpoint, model: model)] }
    }

    /// By model, for operators.
    func all(of endpoint: EndpointID) -> [(model: String, settings: WordSettings)] {
        settings.withLockedValue { settings in
            settings.filter { $0.key.endpoint == endpoint }.map { ($0.key.model, $0.value) }.sorted { $0.0 < $1.0 }
        }
    }
}
