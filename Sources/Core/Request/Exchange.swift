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

    private(set) var phase = RequestInfo.Phase.receiving
    private(set) var phaseSince: NIODeadline

    /// The place in line, while there is one.
    var ticket: TicketID?
    /// The slot, from its grant until it is given back.
    var lease: Lease?
    var endpoint: Endpoint?
    /// How the request must be said there.
    var placement: Placement?
    /// The translated request: its path and body.
    var outgoing: (path: String, body: ByteBuffer)?
    /// The way back of a translated request.
    var translated: TranslatedAnswer?
    /// What was done to the request beyond passing it on; told in a response header.
    var notes: [String] = []
    var mixture: Mixture?
    /// What may be done about a refusal.
    var repair: RequestRepair?
    /// A refusal that is held back until it is clear whether the request goes again.
    var held: (head: ResponseHead, body: [UInt8])?
    /// Its length has been looked at before it was sent.
    var wasMeasured = false
    /// By `?endpoint=`, as the client wrote it, and what it means.
    var chosenName: String?
    var chosen: EndpointID?
    /// The model that is asked for instead of the one that is not there, and how many of them have been.
    var substitute: String?
    var substitutions = 0
    /// Takes the chunk of token counts out of a stream for a client that has not asked for it.
    var usageFilter: UsageFilter?
    /// What makes the answer when no single endpoint does. Cancelled when the client leaves.
    var job: Task<Void, Never>?
    /// The endpoint may be silent for long: it moves models.
    var isPatient = false
    /// The endpoint's models are others now.
    var pollsAfterwards = false
    /// A body of any size on its way to endpoints.
    var upload: BlobUpload?
    /// A task makes the answer, and keeps its own deadlines.
    var hasJob = false
    /// Whoever waits for the client to take more.
    var writable: EventLoopPromise<Void>?
    var upstream: UpstreamHandler?
    /// Endpoints that have failed this request.
    var failedEndpoints: [EndpointID] = []
    /// How often the request itself, not only a connection, was lost.
    var lostRequests = 0
    var lastFailure: RouterError?

    var sentAt: NIODeadline?
    var firstByteAt: NIODeadline?
    /// Of a translated stream.
    var firstItemAt: NIODeadline?
    /// The sweeper's tick at the last sign of life of the endpoint.
    var lastActivity: NIODeadline
    var tap: ResponseTap?
    var bytesSent = 0

    /// Of the answer; 0 before it begins.
    var status = 0
    /// When it had a slot, or was to need none.
    var grantedAt: NIODeadline?
    /// Why it went where it went, after its lease is gone.
    var why = ""
    /// Tokens that the router's own inner requests took for it.
    var innerTokens = TokenSum()

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
        why = lease.grant.why.rawValue
        let sent = sentAt ?? now
        lease.release(
            LeaseEnd(
                outcome: outcome,
                timeToFirstByte: firstByteAt.map { $0 - sent },
                serviceTime: now - sent,
                tokens: tap?.tokens ?? 0,
                loadTime: tap?.figures.loadDuration.map { .nanoseconds(Int64($0)) }))
    }

    /// The exchange is over: nobody waits for what the task may still make.
    func endJob() {
        job?.cancel()
        job = nil
        writable?.fail(AnswerWriter.ClientLeft())
        writable = nil
    }

    /// Of the answer, as the endpoint told them or as they were counted.
    var tokens: TokenSum { TokenSum(input: tap?.figures.promptTokens ?? 0, output: tap?.tokens ?? 0) }

    func info(name: String, client: String, now: NIODeadline) -> RequestInfo {
        RequestInfo(
            id: name, client: client, method: head.method.rawValue,
            route: String(head.uri.prefix { $0 != "?" }), model: facts?.model ?? "", endpoint: endpoint?.name ?? "", phase: phase,
            ageMs: (now - started).milliseconds, phaseMs: (now - phaseSince).milliseconds, tokens: tap?.tokens ?? 0, bytesSent: bytesSent)
    }
}

extension TimeAmount {
    var milliseconds: Int { Int(nanoseconds / 1_000_000) }
    var seconds: Double { Double(nanoseconds) / 1e9 }
}
