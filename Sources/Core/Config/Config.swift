// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// The whole configuration, read and checked. Two equal values mean the same daemon.
public struct Config: Sendable, Equatable {
    /// Addresses of the HTTP port.
    public var listen: [ListenAddress] = [ListenAddress(host: "127.0.0.1", port: 12434)]
    /// Nil: plain HTTP.
    public var tls: TLSServerSettings?
    /// Event loops; nil means one per core.
    public var threads: Int?
    public var endpoints: [EndpointConfig] = []
    /// Default of each endpoint's limit: slots for each endpoint-model pair.
    public var maxConcurrentConnections = 2
    /// Nil: anybody who reaches the port may use it.
    public var routerKey: Secret?
    /// Asked name to the name that is looked for instead.
    public var modelAliases: [String: String] = [:]
    public var queueLimit = 512
    public var queueTimeout: TimeAmount = .seconds(300)
    public var queue = Queue.wait
    /// A conversation goes back to where its beginning is warm, if that is worth it.
    public var affinity = true
    public var placement = SchedulerSettings.Placement.passive
    /// Models that stay in memory, by any of their names.
    public var pins: [String: SchedulerSettings.Pin] = [:]
    public var context = ContextPolicy.asAsked
    /// By any of the model's names.
    public var contextByModel: [String: ContextPolicy] = [:]
    /// Tokens, by the model's name.
    public var contextMinimum: [String: Int32] = [:]
    public var limits = Limits()
    public var polling = Polling()
    public var control = Control()
    /// SQLite file of token counts.
    public var databasePath = Config.defaultDatabasePath
    var accessLog = AccessLog.Settings()
    /// `X-Routerd-Endpoint` and `X-Routerd-Request-Id` in answers.
    public var responseHeaders = true
    public var modelManagement = ModelManagement.all
    /// What is asked for instead of a model that no endpoint that is up has, in order.
    public var fallbacks: [String: [String]] = [:]
    /// When and how often a request is tried at another endpoint.
    var retries = Retries.Policy()
    public var holdHead: TimeAmount = .seconds(5)
    var overdue: Overdue? = Overdue()
    /// Requests that are too long for their model lose their oldest turns, instead of failing.
    public var contextShift = false
    /// What a request may lose if the model says that it takes none of it.
    public var retryWithout: Set<RequestPart> = []
    public var cache = CacheSettings()
    /// Origins that browsers may ask from; `*` for any.
    public var corsOrigins: [String] = []
    /// How long streams may go on after SIGTERM.
    public var shutdownTimeout: TimeAmount = .seconds(30)
    /// `trace` to `critical`, as swift-log names them; nil means info.
    public var logLevel: String?
    /// What is worth a warning though it is no error, each with its line.
    public var notices: [String] = []
    var origins = ConfigOrigins()

    public init() {}

    /// What becomes of a request when every slot is taken.
    public enum Queue: String, Sendable, CaseIterable {
        /// It waits in the router's line.
        case wait
        /// It goes to the least busy endpoint all the same.
        case overcommit
    }

    /// Where `pull`, `create`, `copy`, `delete` and `push` go without `?endpoint=`.
    public enum ModelManagement: String, Sendable, CaseIterable {
        /// To every Ollama endpoint that is up.
        case all
        /// To the first of them.
        case first
        /// Nowhere.
        case off
    }

    /// What may send a request to another endpoint; the words of `retry_on`.
    enum RetryReason: String, Sendable, CaseIterable {
        case unreachable, busy, broken
        case notHere = "not_here"
        case overdue
    }

    public enum RequestPart: String, Sendable, CaseIterable {
        case images, tools
    }

    /// Under systemd the service's own folder, else where the daemon was started.
    static var defaultDatabasePath: String {
        let folder = getenv("STATE_DIRECTORY").map { String(cString: $0).split(separator: ":").first.map(String.init) ?? "" } ?? ""
        return folder.isEmpty ? "token_counts.db" : folder + "/token_counts.db"
    }

    /// Certificates and the like, which may change though their names do not.
    var namesFiles: Bool { tls != nil || accessLog.path != nil || endpoints.contains { $0.tls.caFile != nil || $0.tls.certificate != nil } }

    public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
        public var host: String
        public var port: Int

        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    /// One entry of `endpoints` or `llama_server_endpoints`.
    public struct EndpointConfig: Sendable, Equatable {
        public var name: String
        public var address: EndpointAddress
        public var kind: EndpointKind
        /// Polls find out what it is; `kind` is a guess.
        public var kindIsOpen = false
        public var limit: Int
        /// The entry says it, so that what the endpoint tells of its slots does not raise it.
        public var limitIsOwn = false
        public var weight: Double = 1
        static let weights = 0.0...1000
        public var key: Secret?
        public var vramBytes: Int?
        public var context: ContextPolicy?
        /// What it wants to hear; nil where the entry does not say.
        var words: WordSettings?
        public var tls = TLSClientSettings()

        public init(name: String, address: EndpointAddress, kind: EndpointKind, limit: Int) {
            self.name = name
            self.address = address
            self.kind = kind
            self.limit = limit
        }
    }

    /// What one client or one endpoint may cost. Zero means no limit where a comment says so.
    public struct Limits: Sendable, Equatable {
        /// Client connections at once; one more is answered 503.
        public var maxConnections = 8192
        /// Request line and headers together; more is answered 431.
        public var maxHeaderBytes = 64 * 1024
        /// A request's body; more is answered 413.
        public var maxBodyBytes = 128 * 1024 * 1024
        /// One line of a streamed answer that the router reads for its counters; a longer one is passed on unread.
        public var maxLineBytes = 1024 * 1024
        /// From the connection (or the first byte of a later request) to the end of its headers; else 408.
        public var headerTimeout: TimeAmount = .seconds(30)
        /// From the headers to the end of the body; else 408.
        public var bodyTimeout: TimeAmount = .seconds(300)
        /// A client connection without a request.
        public var keepaliveTimeout: TimeAmount = .seconds(90)
        /// To connect to an endpoint.
        public var connectTimeout: TimeAmount = .seconds(5)
        /// From sending the request to the first byte of the answer: a cold load may take minutes; else 504.
        public var firstByteTimeout: TimeAmount = .seconds(600)
        /// Silence within an answer.
        public var idleTimeout: TimeAmount = .seconds(120)
        /// The whole exchange; zero means no limit.
        public var requestTimeout: TimeAmount = .zero
        /// An idle connection to an endpoint is kept this long.
        public var upstreamIdleTimeout: TimeAmount = .seconds(60)
        /// A connection to an endpoint serves no further request after this; zero means no limit.
        public var upstreamMaxAge: TimeAmount = .minutes(10)
        /// Idle connections kept for each endpoint and event loop.
        public var upstreamIdleConnections = 64

        public init() {}
    }

    public struct Polling: Sendable, Equatable {
        /// Between two looks at what is loaded (`/api/ps`, `/health`).
        public var loadedInterval: TimeAmount = .seconds(5)
        /// Between two looks at what there is (`/api/tags`, `/v1/models`) and at the version.
        public var modelsInterval: TimeAmount = .seconds(30)
        /// For one poll.
        public var timeout: TimeAmount = .seconds(5)
        /// A down endpoint is tried after 1 s, 2 s, 4 s, ... at most this.
        public var maxBackoff: TimeAmount = .seconds(5)
        /// Failed rounds in a row until an endpoint is down; a refused connection counts at once.
        public var fall = 3
        /// Good rounds in a row until an endpoint that was down is up again.
        public var rise = 1

        public init() {}
    }

    public struct Control: Sendable, Equatable {
        /// Nil: searched for (`SocketPath`).
        public var socketPath: String?
        /// Permission bits of the socket.
        public var mode: UInt32 = 0o600
        /// Members of this group may change things; nil: only the daemon's own user and root.
        public var group: String?
        /// Members of this group may read; nil: only those who may change.
        public var readGroup: String?

        public init() {}
    }
}
