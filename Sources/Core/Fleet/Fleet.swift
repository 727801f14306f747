// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOCore
import NIOConcurrencyHelpers
import Synchronization

/// The endpoints, what is known of each, and the pollers that find it out.
///
/// Everything that the requests' way needs is synchronous and safe from any thread.
public final class Fleet: Sendable {
    public typealias Sink = @Sendable (EndpointID, EndpointReport) -> Void

    struct Member {
        var endpoint: Endpoint
        var report: EndpointReport
        let poller: Poller
    }

    struct State {
        /// In the order of the configuration.
        var order: [EndpointID] = []
        var members: [EndpointID: Member] = [:]
        /// Those that are known to be down, and why.
        var down: [EndpointID: String] = [:]
        /// When it was last told that a host moved, by its name.
        var movesTold: [String: NIODeadline] = [:]
        var nextID = 1
    }

    let state = NIOLockedValueBox(State())
    /// How many are down, for those that ask often.
    let downCount = Atomic<Int>(0)
    private let client: EndpointClient
    let logger: Logger
    /// Told of models that come into memory and leave it.
    let loads: LoadLog
    private let sink: Sink
    /// Pollers that wait to be run.
    private let (added, adding) = AsyncStream.makeStream(of: Poller.self)

    /// - Parameter sink: called whenever an endpoint's report has changed, one call at a time for each endpoint and in order, on a
    ///   thread of the control plane. `reports` says the same by then. It must not block.
    public init(client: EndpointClient, logger: Logger, sink: @escaping Sink = { _, _ in }) {
        self.client = client
        self.logger = logger
        loads = LoadLog(logger: logger)
        self.sink = sink
    }

    /// Polls all endpoints, those added later included, until the task is cancelled. Call it once.
    public func run() async {
        await withDiscardingTaskGroup { group in
            for await poller in added { group.addTask { await poller.run() } }
        }
    }

    // MARK: Configuration

    /// Makes these the endpoints of the fleet. One whose URL was there before keeps its id, its report, its operator's wish, and the
    /// weight that an operator gave it. Only one call at a time.
    ///
    /// A new endpoint's first report, that it is starting, is in `reports` at once; the sink hears of what follows.
    ///
    /// - Returns: the endpoints with their ids, in the same order.
    @discardableResult
    public func apply(_ configured: [Config.EndpointConfig], polling: Config.Polling) async -> [Endpoint] {
        let now = NIODeadline.now()
        var started: [Poller] = []
        var updated: [(Poller, Endpoint)] = []
        var removed: [Poller] = []
        let endpoints = state.withLockedValue { state in
            var before: [String: EndpointID] = [:]
            for (id, member) in state.members { before[member.endpoint.address.url] = id }
            var endpoints: [Endpoint] = []
            for config in configured {
                if let id = before.removeValue(forKey: config.address.url), var member = state.members[id] {
                    var endpoint = Endpoint(id: id, config)
                    if member.endpoint.configuredWeight != nil { endpoint.setWeight(member.endpoint.weight) }
                    member.endpoint = endpoint
                    state.members[id] = member
                    endpoints.append(endpoint)
                    updated.append((member.poller, endpoint))
                } else {
                    let endpoint = Endpoint(id: EndpointID(state.nextID), config)
                    state.nextID += 1
                    let report = EndpointReport(state: EndpointState(phase: .starting, since: now))
                    let poller = Poller(
                        endpoint: endpoint, client: client, polling: polling, logger: logger, initial: report,
                        downSink: { [weak self] in self?.noteDown($0, $1) }, sink: { [weak self] in self?.received($0, $1) })
                    state.members[endpoint.id] = Member(endpoint: endpoint, report: report, poller: poller)
                    endpoints.append(endpoint)
                    started.append(poller)
                }
            }
            for id in before.values {
                if let member = state.members.removeValue(forKey: id) { removed.append(member.poller) }
                state.down[id] = nil
            }
            downCount.store(state.down.count, ordering: .relaxed)
            state.order = endpoints.map(\.id)
            return endpoints
        }
        for poller in removed { await poller.stop() }
        for (poller, endpoint) in updated { await poller.update(endpoint, polling: polling) }
        for poller in started { adding.yield(poller) }
        return endpoints
    }

    private func received(_ id: EndpointID, _ report: EndpointReport) {
        let before = state.withLockedValue { state -> Member? in
            guard let member = state.members[id] else { return nil }
            state.members[id]?.report = report
            return member
        }
        guard let before else { return }
        loads.polled(before.endpoint, from: before.report, to: report)
        sink(id, report)
    }

    private func noteDown(_ id: EndpointID, _ reason: String?) {
        state.withLockedValue { state in
            // It may have left the fleet.
            state.down[id] = state.members[id] == nil ? nil : reason
            downCount.store(state.down.count, ordering: .relaxed)
        }
    }

    // MARK: Reading

    /// Every endpoint with what is known of it, in the order of the configuration.
    public func reports() -> [(Endpoint, EndpointReport)] {
        state.withLockedValue { state in
            state.order.compactMap { id in
                guard let member = state.members[id] else { return nil }
                var endpoint = member.endpoint
                if let kind = member.report.kind { endpoint.kind = kind }
                return (endpoint, member.report)
            }
        }
    }

    /// The endpoint that an operator means by a name, a URL, or an unambiguous part of either.
    public func endpoint(matching selector: String) -> EndpointMatch {
        reports().map(\.0).matching(selector)
    }

    /// When a poll was last answered, by endpoint.
    func lastAnswers() -> [EndpointID: NIODeadline] {
        state.withLockedValue { $0.members.compactMapValues { $0.poller.lastAnswer } }
    }

    func report(of id: EndpointID) -> EndpointReport? {
        state.withLockedValue { $0.members[id]?.report }
    }

    /// The endpoints that take work and can do so, in the order of the configuration.
    func allUp(that can: (Capabilities) -> Bool) -> [Endpoint] {
        reports().filter { $0.1.state.phase.takesWork && can($0.1.capabilities(of: $0.0)) }.map(\.0)
    }

    func firstUp(that can: (Capabilities) -> Bool) -> Endpoint? { allUp(that: can).first }

    // MARK: The operator's wishes; in force when the call returns. False: there is no such endpoint.

    @discardableResult
    public func drain(_ id: EndpointID) async -> Bool { await wish(.drain, id) }

    @discardableResult
    public func maintenance(_ id: EndpointID) async -> Bool { await wish(.maintenance, id) }

    @discardableResult
    public func resume(_ id: EndpointID) async -> Bool { await wish(nil, id) }

    /// Holds until the operator takes it back.
    ///
    /// - Parameter weight: nil for the configured one.
    /// - Returns: all endpoints, for the scheduler.
    func setWeight(_ weight: Double?, of id: EndpointID) -> [Endpoint] {
        state.withLockedValue { state in
            state.members[id]?.endpoint.setWeight(weight)
            return state.order.compactMap { state.members[$0]?.endpoint }
        }
    }

    private func wish(_ wish: EndpointState.Wish?, _ id: EndpointID) async -> Bool {
        guard let poller = poller(id) else { return false }
        await poller.wish(wish)
        return true
    }

    func poller(_ id: EndpointID) -> Poller? {
        state.withLockedValue { $0.members[id]?.poller }
    }
}

extension Endpoint {
    /// - Parameter weight: an operator's; nil for the configured one.
    fileprivate mutating func setWeight(_ weight: Double?) {
        let configured = configuredWeight ?? self.weight
        self.weight = weight ?? configured
        configuredWeight = weight == nil ? nil : configured
    }

    /// A configured endpoint gets its identity.
    init(id: EndpointID, _ config: Config.EndpointConfig) {
        self.init(
            id: id, name: config.name, address: config.address, kind: config.kind, limit: config.limit, weight: config.weight, key: config.key,
            vramBytes: config.vramBytes)
        kindIsOpen = config.kindIsOpen
        limitIsOwn = config.limitIsOwn
        context = config.context
        words = config.words
        tls = config.tls == TLSClientSettings() ? nil : config.tls
    }
}
