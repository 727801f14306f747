// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// What all workers share: the decision plane, the fleet, and the count of connections.
final class RouterShared: Sendable {
    let scheduler: SchedulerBox
    let fleet: Fleet
    let pages: FleetPages
    let dialer: Dialer
    let tokens: TokenCounter
    let cache: ResponseCache
    let contexts = KnownContexts()
    let words = LearnedWords()
    /// For requests of our own.
    let client: EndpointClient
    /// Pages that take a question to the storage or to the workers. Set once, before the first request.
    let reports = NIOLockedValueBox<ReportPages?>(nil)
    /// Different for each start of the daemon.
    let bootID = UInt64.random(in: 0..<1 << 31)
    let logger: Logger
    let accessLogHealth: AccessLogHealth
    /// Client connections of all workers.
    let connections = Atomic<Int>(0)

    init(
        scheduler: SchedulerBox, fleet: Fleet, pages: FleetPages, dialer: Dialer, tokens: TokenCounter, cache: ResponseCache, client: EndpointClient,
        logger: Logger
    ) {
        self.scheduler = scheduler
        self.fleet = fleet
        self.pages = pages
        self.dialer = dialer
        self.tokens = tokens
        self.cache = cache
        self.client = client
        self.logger = logger
        accessLogHealth = AccessLogHealth(logger: logger)
    }
}

/// An endpoint that requests share: it is large, and each of them would copy it.
final class SharedEndpoint: Sendable {
    let endpoint: Endpoint

    init(_ endpoint: Endpoint) { self.endpoint = endpoint }
}

/// The configuration as the data path needs it: ready to use, never changed, replaced as a whole by a reload.
final class RuntimeSettings: Sendable {
    let limits: Config.Limits
    let keys: RouterKeys
    let endpoints: [EndpointID: Endpoint]
    let sharedEndpoints: [EndpointID: SharedEndpoint]
    /// Nil: clients speak plain HTTP.
    let listenerTLS: TLSContext?
    let accessLog: AccessLog
    /// Whether answers name the endpoint and the request.
    let addsResponseHeaders: Bool
    let cors: CORS
    let modelManagement: Config.ModelManagement
    let contextShift: Bool
    let retryWithout: Set<Config.RequestPart>
    let retries: Retries.Policy
    /// For how long a well-looking head is kept from the client while another endpoint could still serve it.
    let holdHead: TimeAmount
    /// Nil: a first token is never overdue.
    let overdue: Overdue?
    let fallbacks: [String: [String]]
    let modelAliases: [String: String]
    /// Conversations go back to where their beginning is warm; with one endpoint there is nothing to choose.
    let usesAffinity: Bool
    private let affinity: Bool
    let cache: CacheSettings

    /// - Throws: `TLSError` if the listener's certificate cannot be used.
    init(config: Config, endpoints: [Endpoint], accessLogHealth: AccessLogHealth) throws {
        limits = config.limits
        keys = RouterKeys(config.routerKey)
        accessLog = AccessLog(config.accessLog, health: accessLogHealth)
        addsResponseHeaders = config.responseHeaders
        cors = CORS(origins: config.corsOrigins)
        modelManagement = config.modelManagement
        contextShift = config.contextShift
        retryWithout = config.retryWithout
        retries = config.retries
        holdHead = config.holdHead
        overdue = config.overdue
        fallbacks = config.fallbacks
        modelAliases = config.modelAliases
        affinity = config.affinity
        usesAffinity = config.affinity && endpoints.count > 1
        cache = config.cache
        listenerTLS = try config.tls.map { settings throws(TLSError) in try TLSContext(server: settings) }
        self.endpoints = Dictionary(endpoints.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        sharedEndpoints = self.endpoints.mapValues { SharedEndpoint($0) }
    }

    private init(_ other: RuntimeSettings, endpoints: [Endpoint]) {
        limits = other.limits
        keys = other.keys
        listenerTLS = other.listenerTLS
        accessLog = other.accessLog
        addsResponseHeaders = other.addsResponseHeaders
        cors = other.cors
        modelManagement = other.modelManagement
        contextShift = other.contextShift
        retryWithout = other.retryWithout
        retries = other.retries
        holdHead = other.holdHead
        overdue = other.overdue
        fallbacks = other.fallbacks
        modelAliases = other.modelAliases
        usesAffinity = other.affinity && endpoints.count > 1
        affinity = other.affinity
        cache = other.cache
        self.endpoints = Dictionary(endpoints.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        sharedEndpoints = self.endpoints.mapValues { SharedEndpoint($0) }
    }

    /// The same for another fleet.
    func with(endpoints: [Endpoint]) -> RuntimeSettings { RuntimeSettings(self, endpoints: endpoints) }
}
