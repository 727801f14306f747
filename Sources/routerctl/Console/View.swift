// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The console's views, in the order of Tab and of their numbers.
public enum View: Int, Sendable, CaseIterable {
    case endpoints = 1, models, requests, queue, cache, tokens, events

    public var title: String {
        switch self {
        case .endpoints: "Endpoints"
        case .models: "Models"
        case .requests: "Requests"
        case .queue: "Queue"
        case .cache: "Cache"
        case .tokens: "Tokens"
        case .events: "Events"
        }
    }

    /// The view `step` places further, round the end.
    public func moved(by step: Int) -> View {
        let count = Self.allCases.count
        return Self.allCases[((rawValue - 1 + step) % count + count) % count]
    }
}
