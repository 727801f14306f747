// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Answer to `status`: the daemon and its fleet on one page.
public struct StatusInfo: Codable, Sendable, Equatable {
    /// The line of requests that wait for a slot.
    public struct Queue: Codable, Sendable, Equatable {
        public var waiting: Int
        /// How long the first in line has waited; zero when the line is empty.
        public var oldestMs: Int
        public var limit: Int
        public var timeoutS: Double

        public init(waiting: Int, oldestMs: Int, limit: Int, timeoutS: Double) {
            self.waiting = waiting
            self.oldestMs = oldestMs
            self.limit = limit
            self.timeoutS = timeoutS
        }
    }

    /// Counters since the daemon started, but for `inFlight` and `waiting`, which are now.
    public struct Requests: Codable, Sendable, Equatable {
        /// Leases held. Zero when nothing runs.
        public var inFlight: Int
        public var waiting: Int
        /// That have come, those that are still in the router among them.
        public var total: Int
        /// Answered whole, whatever the status.
        public var completed: Int
        /// Failed by an endpoint's or the network's doing.
        public var failed: Int
        /// The client went away (499), or an operator cancelled it.
        public var aborted: Int
        /// Refused by the router: no key, no such model, line full, limits.
        public var rejected: Int
        /// That have come over the last ten seconds, each second.
        public var perSecond = 0.0

        /// Still in the router: read, in line, at an endpoint, or answered by the router itself.
        public var open: Int { max(0, total - completed - failed - aborted - rejected) }

        public init(inFlight: Int, waiting: Int, total: Int, completed: Int, failed: Int, aborted: Int, rejected: Int) {
            self.inFlight = inFlight
            self.waiting = waiting
            self.total = total
            self.completed = completed
            self.failed = failed
            self.aborted = aborted
            self.rejected = rejected
        }
    }

    /// Where token counts are stored.
    public struct Storage: Codable, Sendable, Equatable {
        /// Empty while all is well; else why counts are kept in memory only.
        public var fault: String
        /// Where a damaged file was set aside; empty if none was.
        public var setAside: String

        public init(fault: String, setAside: String) {
            self.fault = fault
            self.setAside = setAside
        }
    }

    /// The log of requests.
    public struct AccessLog: Codable, Sendable, Equatable {
        /// `-` for standard output.
        public var path: String
        /// Empty while all is well; else why lines are lost.
        public var fault: String
        /// Lines that could not be written, since the start.
        public var lostLines: Int

        public init(path: String, fault: String, lostLines: Int) {
            self.path = path
            self.fault = fault
            self.lostLines = lostLines
        }
    }

    public var schema = ProductVersion.schema
    public var version: String
    public var pid: Int
    public var uptimeS: Double
    /// `running`, or `stopping` after SIGTERM.
    public var state: String
    /// Addresses that the HTTP port is bound to.
    public var listen: [String]
    public var configPath: String
    /// Client connections open now.
    public var connections: Int
    public var endpoints: [EndpointInfo]
    public var queue: Queue
    public var requests: Requests
    public var cache: CacheInfo
    /// Nil from a daemon that does not tell.
    public var storage: Storage?
    /// Nil where it is off, and from a daemon that does not tell.
    public var accessLog: AccessLog?

    public init(
        version: String, pid: Int, uptimeS: Double, state: String, listen: [String], configPath: String, connections: Int,
        endpoints: [EndpointInfo], queue: Queue, requests: Requests, cache: CacheInfo, storage: Storage? = nil,
        accessLog: AccessLog? = nil
    ) {
        self.version = version
        self.pid = pid
        self.uptimeS = uptimeS
        self.state = state
        self.listen = listen
        self.configPath = configPath
        self.connections = connections
        self.endpoints = endpoints
        self.queue = queue
        self.requests = requests
        self.cache = cache
        self.storage = storage
        self.accessLog = accessLog
    }
}

/// Parameters of `reload`.
public struct ReloadParams: Codable, Sendable {
    /// Only tell what would change. Nil means false.
    public var dryRun: Bool?

    public init(dryRun: Bool? = nil) {
        self.dryRun = dryRun
    }
}

/// Answer to `reload`: what changed, one line each, for people; empty when nothing did.
public struct ReloadInfo: Codable, Sendable, Equatable {
    public var schema = ProductVersion.schema
    public var applied: Bool
    public var changes: [String]
    /// Changes that only a restart brings into force.
    public var needsRestart: [String]
    /// Names of endpoints that go by it, which are among the changes too. Nil from a daemon that does not tell.
    public var removedEndpoints: [String]?
    /// What operators have set, for people; a reload leaves it. Nil where nothing is.
    public var operators: [String]?

    public init(applied: Bool, changes: [String], needsRestart: [String], removedEndpoints: [String]? = nil, operators: [String] = []) {
        self.applied = applied
        self.changes = changes
        self.needsRestart = needsRestart
        self.removedEndpoints = removedEndpoints
        self.operators = operators.isEmpty ? nil : operators
    }
}
