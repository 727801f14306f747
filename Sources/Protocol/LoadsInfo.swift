// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// How often the router had a model loaded on an endpoint since the daemon started, and why.
public struct LoadsInfo: Codable, Sendable, Equatable {
    /// Who has lately had it loaded anew, with what.
    public struct Asked: Codable, Sendable, Equatable {
        /// `num_ctx 8192`, as a request sets them; `the server's own` where it sets none.
        public var options: String
        /// The client's, without its port; empty where it was no client.
        public var address: String
        /// The product's name in its `User-Agent`; empty where it does not say.
        public var agent: String
        /// Reloads over the last ten minutes.
        public var reloads: Int

        public init(options: String, address: String, agent: String, reloads: Int) {
            self.options = options
            self.address = address
            self.agent = agent
            self.reloads = reloads
        }
    }

    /// It had never been in memory there.
    public var first: Int
    /// It had been, and was gone: others took its memory, or its time was up.
    public var evicted: Int
    /// It was there with other options than a request asked for.
    public var configuration: Int
    /// For these reloads: over the last ten minutes, most reloads first, no more than sixteen.
    public var asked: [Asked]

    public init(first: Int = 0, evicted: Int = 0, configuration: Int = 0, asked: [Asked] = []) {
        self.first = first
        self.evicted = evicted
        self.configuration = configuration
        self.asked = asked
    }

    public static let askedLimit = 16

    /// Those for which a model was loaded that had been there before.
    public var reloads: Int { evicted + configuration }
}
