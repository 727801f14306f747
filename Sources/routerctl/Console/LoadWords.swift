// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

extension LoadsInfo {
    /// `1 first, 2 evicted, 14 configuration`: what there was none of is left out.
    public var words: String {
        let parts = [(first, "first"), (evicted, "evicted"), (configuration, "configuration")].filter { $0.0 > 0 }
        return parts.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    }
}

extension LoadsInfo.Asked {
    /// `10.0.0.7 (continue)`.
    public var asker: String {
        let address = address.isEmpty ? "the router" : address
        return agent.isEmpty ? address : "\(address) (\(agent))"
    }

    /// `num_ctx 8192 by 10.0.0.7 (continue), 7 times`.
    public var words: String { "\(options) by \(asker), \(reloads == 1 ? "once" : "\(reloads) times")" }
}

extension EndpointInfo.Loaded {
    /// `num_ctx 8192`; where the options are the server's own affair, its context. Empty where nothing is known.
    public var loadedWith: String { configuration ?? contextLength.map { "context \($0)" } ?? "" }
}
