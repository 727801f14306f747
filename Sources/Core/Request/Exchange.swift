// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import Protocol

/// One request and its answer: who, what, where to, how far.
///
/// Bound to the event loop of its client, hence not `Sendable`.
final class Exchange {
    /// Unique while the daemon runs.
    let id: UInt64
    /// As the client calls it (`X-Request-Id`); nil if it does not.
    let givenName: String?
    let head: HTTPRequestHead
    let route: Route
    /// Path and query for the endpoint: the router's own key is gone from the query.
    let target: Substring
    let started: NIODeadline

    var body: ByteBuffer?
    /// The client sent its body in chunks; so do we.
    var isChunked = false
    var trailers: HTTPHeaders?
    var facts: RequestFacts?
    /// Where more than one endpoint could know its beginning.
    var prompt: PromptReading?

    private(set) var phase = RequestInfo.Phase.receiving
    private(set) var phaseSince: NIODeadline

    /// The place in line, while there is one.
    var ticket: TicketID?
    /// The slot, from its grant until it is given back.
    var lease: Lease?
    var endpoint: Endpoint?
    /// How the request must be said there.
    var placement: Placement?
    /// What only the few need that do not go straight to one endpoint; made when the first of it is set.
    private(set) var existingDetour: Detour?
    var detour: Detour {
        if let existingDetour { return existingDetour }
        let made = Detour()
        existingDetour = made
        return made
    }

    /// Takes the chunk of token counts out of a stream for a client that has not asked for it.
    var usageFilter: UsageFilter?
    /// By `?endpoint=`, as the client wrote it, and what it means.
    var chosenName: String?
    var chosen: EndpointID?
    /// The endpoint may be silent for long: it moves models.
    var isPatient = false
    /// The endpoint's models are others now.
    var pollsAfterwards = false
    /// A task makes the answer, and keeps its own deadlines.
    var hasJob = false
    var upstream: UpstreamHandler?
    /// Endpoints that have failed this request.
    var failedEndpoints: [EndpointID] = []
    /// How often the request itself, not only a connection, was lost.
    var lostRequests = 0
    var lastFailure: RouterError?

    /// The load that it has set off, until its answer begins.
    var load: LoadLog.Load?
    var sentAt: NIODeadline?
    var firstByteAt: NIODeadline?
    /// The sweeper's tick at the last sign of life of the endpoint.
    var lastActivity: NIODeadline
    var tap: ResponseTap?
    var bytesSent = 0

    /// What the answer says of the cache; nil on routes without one.
    var cacheMark: CacheMark?
    /// The answer is being recorded for the cache, and for those who follow it.
    var fill: CacheFill?

    /// Of the answer; 0 before it begins.
    var status = 0
    /// When it had a slot, or was to need none.
    var grantedAt: NIODeadline?
    /// Why it went where it went, after its lease is gone.
    var why = ""

    init(id: UInt64, givenName: String?, head: HTTPRequestHead, route: Route, target: Substring, now: NIODeadline) {
        self.id = id
        self.givenName = givenName
        self.head = head
        self.route = route
        self.target = target
        self.started = now
        self.phaseSince = now
        self.lastActivity = now
    }

    func enter(_ phase: RequestInfo.Phase, now: NIODeadline) {
        self.phase = phase
        phaseSince = now
    }

    /// Gives the slot back, if there is one. However often it is called, the slot goes back once.
    func release(_ outcome: LeaseEnd.Outcome, now: NIODeadline) {
        guard let lease else { return }
        self.lease = nil
        if load != nil { endLoad(outcome) }
        why = lease.grant.why.rawValue
        let sent = sentAt ?? now
        let timeToHead = firstByteAt.map { $0 - sent }
        let tokens = self.tokens
        // The client's fault, which is no achievement of the endpoint's.
        let isRefusal = outcome == .completed && status >= 400
        lease.release(
            LeaseEnd(
                outcome: isRefusal ? .refused : outcome,
                timeToHead: timeToHead,
                timeToFirstToken: tap?.framing != nil ? timeToHead : nil,
                serviceTime: now - sent,
                tokens: tokens.output,
                loadTime: tap?.figures.loadDuration.map { .nanoseconds(Int64($0)) },
                teaches: outcome == .completed && !isRefusal && tokens.input + tokens.output > 0))
    }

    /// Its answer has not begun, and will not.
    private func endLoad(_ outcome: LeaseEnd.Outcome) {
        if outcome == .aborted { load?.left() } else { load?.failed(lastFailure?.message ?? "") }
        load = nil
    }

    /// Of the answer, as the endpoint told them or as they were counted.
    var tokens: TokenSum { TokenSum(input: tap?.figures.promptTokens ?? 0, output: tap?.tokens ?? 0) }

    func info(name: String, client: String, now: NIODeadline) -> RequestInfo {
        let tokens = tap?.tokens ?? 0
        var info = RequestInfo(
            id: name, client: client, method: head.method.rawValue,
            route: String(head.uri.prefix { $0 != "?" }), model: facts?.model ?? "", endpoint: endpoint?.name ?? "", phase: phase,
            ageMs: (now - started).milliseconds, phaseMs: (now - phaseSince).milliseconds, tokens: tokens, bytesSent: bytesSent)
        info.why = lease?.grant.why.rawValue ?? cacheMark?.why ?? why
        info.cache = cacheMark?.word ?? ""
        // The first token's time is not one of generating.
        if tokens > 1, let firstByteAt, now > firstByteAt { info.tokensPerSecond = Double(tokens - 1) / (now - firstByteAt).seconds }
        return info
    }
}

extension TimeAmount {
    var milliseconds: Int { Int(nanoseconds / 1_000_000) }
    var seconds: Double { Double(nanoseconds) / 1e9 }
}
