// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Everything that the screen needs. Changed by `update` only, shown by `draw`.
public struct Model: Sendable {
    public struct Message: Equatable, Sendable {
        public var text: String
        public var isError: Bool
        public var sinceMs: Int
    }

    public enum Connection: Equatable, Sendable {
        case live
        case lost(String)
    }

    /// Commands that the daemon is busy with.
    public struct Job: Sendable {
        public var id: Int
        public var commands: [Command]
        /// When the operator said yes, by our clock.
        public var sinceMs: Int
        public var progress: ModelProgress?
    }

    /// A good message goes by itself after this time; a bad one stays until a key is pressed.
    static let messageMs = 6000
    /// Without a snapshot for so long the picture is old, even if the connection stands.
    static let staleMs = 3000
    /// Between snapshots, milliseconds: what `+` and `-` go through.
    public static let intervals = [100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000]
    /// Said until it is so no more.
    static let notConnected = "Not connected: nothing can be changed now"
    /// Events that are kept; the daemon keeps no more.
    static let eventLimit = 1000

    public var size: Size
    public var nowMs = 0
    public var wallS = 0
    public var snapshot: SnapshotInfo?
    /// When the last snapshot came, by our clock.
    public var snapshotMs = 0
    public var connection = Connection.live
    public var history: HistoryInfo?
    public var tokens: TokensInfo?
    public var events: [EventInfo] = []

    public var view = View.endpoints
    public var tables: [View: TableState] = [:]
    /// The row whose own page is open, by its name; nil while the table is shown.
    public var opened: String?
    /// A page of text over the table: the help, an answer.
    public var page: OpenPage?
    /// First line shown of whichever page is open.
    public var pageOffset = 0
    public var dialog: Dialog?
    public var message: Message?
    public var jobs: [Job] = []
    public var nextJob = 1

    /// What was searched for last.
    public var searched = ""
    public var faultsOnly = false
    public var isPaused = false
    public var intervalMs: Int
    public var isReadOnly: Bool
    /// Which `TokensPage.Span` is shown.
    public var tokenRange = 0
    /// The least serious level that the view of events shows.
    public var eventLevel = "debug"
    /// One frame as text: no keys, no marker, all rows.
    public var isPrint = false

    public init(size: Size, intervalMs: Int = 500, isReadOnly: Bool = false) {
        self.size = size
        self.intervalMs = intervalMs
        self.isReadOnly = isReadOnly
    }

    public var endpoints: [EndpointInfo] { snapshot?.status.endpoints ?? [] }
    public var requests: [RequestInfo] { snapshot?.requests ?? [] }
    public var queue: [WaiterInfo] { snapshot?.queue ?? [] }
    public var models: [ModelInfo] { snapshot?.models ?? [] }
    public var namespaces: [CacheInfo.Namespace] { snapshot?.status.cache.namespaces ?? [] }

    /// That have come, whatever became of them.
    var requestsPerSecond: Double { snapshot?.status.requests.perSecond ?? 0 }
    var tokensPerSecond: Double { endpoints.reduce(0) { $0 + $1.tokensPerSecond } }

    /// The table of the view that is shown.
    public var table: TableState {
        get { tables[view] ?? TableState() }
        set { tables[view] = newValue }
    }

    /// How old the picture is, milliseconds; nil while it is as fresh as it should be.
    public var staleMs: Int? {
        guard snapshot != nil else { return nil }
        let age = max(0, nowMs - snapshotMs)
        let limit = max(Self.staleMs, 3 * intervalMs)
        return connection != .live || (age >= limit && !isPaused) ? age : nil
    }

    /// What the feed has to bring for what is shown.
    public var wanted: Wanted {
        var wanted = Wanted(intervalMs: intervalMs)
        // Few and small, and none may be missed.
        wanted.topics = [.events]
        switch view {
        case .endpoints:
            // A wide screen shows the selected row's page beside the table.
            wanted.history = (opened ?? table.selected).map { .endpoint($0) } ?? .fleet
            // The page of an endpoint tells of its requests.
            wanted.topics.formUnion(opened == nil ? [] : [.requests])
        case .models: wanted.topics.insert(.models)
        case .requests: wanted.topics.insert(.requests)
        case .queue: wanted.topics.insert(.queue)
        case .tokens: wanted.tokensS = (TokensPage.Span(rawValue: tokenRange) ?? .hour).seconds
        case .cache, .events: break
        }
        return wanted
    }
}

/// What the feed has to bring, and how often.
public struct Wanted: Equatable, Sendable {
    public enum History: Equatable, Sendable {
        case fleet
        case endpoint(String)

        /// Those whose own figures are wanted: all of a large fleet's would be a megabyte.
        var endpoints: [String] {
            if case .endpoint(let name) = self { [name] } else { [] }
        }
    }

    public var intervalMs: Int
    public var topics: Set<SnapshotTopic> = []
    public var history = History.fleet
    /// How far back token counts go, seconds; nil where they are not shown.
    public var tokensS: Double?
}

/// A page over the table.
public enum OpenPage: Equatable, Sendable {
    /// The keys of the view that is shown.
    case help
    /// What an endpoint says of a model.
    case model(ModelActionInfo)
    /// What the daemon said, where it is longer than a message.
    case text(title: String, lines: [String])
}
