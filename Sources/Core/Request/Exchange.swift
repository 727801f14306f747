// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1
import Protocol

/// One request and its answer. `ExchangeLifecycle` says what may happen next; this carries it out: `+Decide` finds out where the request
/// goes, `+Carry` brings it to an endpoint, `+Answer` brings the answer back, `+Held` keeps it back until it is clear what it means,
/// `+Elsewhere` does what there is to do when an endpoint fails, `+End` ends it.
///
/// Bound to the event loop of its client, hence not `Sendable`. It outlives its client where others follow its generation.
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
    let worker: Worker
    /// Address and port of the client.
    let clientAddress: String
    /// Between whom the line is fair.
    let tenant: Tenant

    /// Whoever gets the answer; nil after the end, and after the client has left.
    var client: ExchangeHandler?
    var life = ExchangeLifecycle()

    // The request.
    var body: ByteBuffer?
    /// The client sent its body in chunks; so do we.
    var isChunked = false
    var trailers: HTTPHeaders?
    var facts: RequestFacts?
    /// Where more than one endpoint could know its beginning.
    var prompt: PromptReading?
    /// By `?endpoint=`, as the client wrote it, and what it means.
    var chosenName: String?
    var chosen: EndpointID?

    // Its way.
    var ticket: TicketID?
    /// At the endpoint where it is now; nil while it is at none.
    var attempt: Attempt?
    var retries = Retries()
    private(set) var phase = RequestInfo.Phase.receiving
    private(set) var phaseSince: NIODeadline
    /// When it first had a slot, or was to need none.
    var grantedAt: NIODeadline?
    /// The sweeper's tick at the last sign of life of whoever makes the answer.
    var lastActivity: NIODeadline

    // The answer.
    /// 0 before it begins.
    var status = 0
    var bytesSent = 0
    /// What the answer says of the cache; nil on routes without one.
    var cacheMark: CacheMark?
    /// The answer is being recorded for the cache, and for those who follow it.
    var recording: Recording?

    /// What only the few need that do not go straight to one endpoint; made when the first of it is set.
    private(set) var existingSideWork: SideWork?
    var sideWork: SideWork {
        if let existingSideWork { return existingSideWork }
        let made = SideWork()
        existingSideWork = made
        return made
    }

    init(_ check: HeadCheck, head: HTTPRequestHead, client: ExchangeHandler, now: NIODeadline) {
        worker = client.worker
        id = worker.newExchangeID()
        givenName = worker.name(given: head.headers.first(name: "x-request-id"))
        self.head = head
        route = check.route
        target = check.target
        chosenName = check.chosenName
        isChunked = check.isChunked
        started = now
        phaseSince = now
        lastActivity = now
        clientAddress = client.address
        tenant = client.tenant
        self.client = client
    }

    func enter(_ phase: RequestInfo.Phase, now: NIODeadline) {
        guard phase != self.phase else { return }
        self.phase = phase
        phaseSince = now
    }

    /// As logs and answers call it.
    var name: String { givenName ?? worker.name(id) }

    var endpoint: Endpoint? { attempt?.endpoint }

    /// Why it went where it went.
    var why: String { cacheMark?.why ?? attempt?.why ?? "" }

    /// What context was put into the request instead of its own, and why.
    var contextNote: String? {
        guard let context = attempt?.context else { return nil }
        let asked = facts?.runnerOptions?.contextLength.map { "\($0)" } ?? "the server's own"
        let why =
            switch context.why {
            case .loaded: "as the model is loaded with that"
            case .minimum: "the least that is configured for the model"
            }
        return "num_ctx \(context.tokens) instead of \(asked), \(why)"
    }

    /// With what the request has its model loaded.
    var loadOptions: RunnerOptions? {
        guard let context = attempt?.context else { return facts?.runnerOptions }
        var options = facts?.runnerOptions ?? .unset
        options.contextLength = context.tokens
        return options
    }

    /// Fields of the request that have no counterpart at the endpoint, and that the answer does not depend on.
    var leftOutNote: String? {
        guard let fields = attempt?.leftOut, !fields.isEmpty else { return nil }
        return FieldNote.text(fields)
    }

    /// "gpu-3: 503 busy; then gpu-1". Empty for a request that was tried once: its answer says it all.
    var retryNote: String {
        if retries.count == 0 { return "" }
        let isAnsweredElsewhere = attempt != nil && attempt?.verdict?.cause == nil
        guard retries.count > 1 || (retries.count == 1 && isAnsweredElsewhere) else { return "" }
        return retries.notes.joined(separator: "; ") + (isAnsweredElsewhere ? "; then \(endpoint?.name ?? "")" : "")
    }

    // MARK: For operators

    func row(now: NIODeadline) -> RequestRow {
        RequestRow(info: info(now: now), ownName: worker.name(id), ticket: ticket)
    }

    private func info(now: NIODeadline) -> RequestInfo {
        let tokens = attempt?.tap?.tokens ?? 0
        var info = RequestInfo(
            id: name, client: clientAddress, method: head.method.rawValue,
            route: String(head.uri.prefix { $0 != "?" }), model: facts?.model ?? "", endpoint: endpoint?.name ?? "", phase: phase,
            ageMs: (now - started).milliseconds, phaseMs: (now - phaseSince).milliseconds, tokens: tokens, bytesSent: bytesSent)
        info.why = why
        info.cache = cacheMark?.word ?? ""
        // The first token's time is not one of generating.
        if tokens > 1, let first = attempt?.firstTokenAt, now > first { info.tokensPerSecond = Double(tokens - 1) / (now - first).seconds }
        return info
    }
}

/// What an exchange needs that is repaired, mixed, uploaded or answered by a task. The many that go straight to one endpoint never have
/// one: they are made and thrown away for each request, and shall be small.
final class SideWork {
    /// What was done to the request beyond passing it on.
    var notes: [String] = []
    /// What the final answer of a mixture is made of.
    var mixture: Mixture?
    /// What may be done about a refusal.
    var repair: RequestRepair?
    /// What refusals have taught about an endpoint's words: tried, and kept if it helps.
    var lesson: WordLesson.Trial?
    /// Its length has been looked at before it was sent.
    var wasMeasured = false
    /// The model that is asked for instead of the one that is not there, and how many of them have been.
    var substitute: String?
    var substitutions = 0
    /// What makes the answer when no single endpoint does. Cancelled when the exchange ends.
    var task: Task<Void, Never>?
    /// Whoever waits for the client to take more.
    var writable: EventLoopPromise<Void>?
    /// What is done with a model at the endpoint.
    var change: ModelChange?
    /// What follows another's generation: its kind of stream, and whether what was passed on ends within a line.
    var followed: (framing: StreamFraming, isMidLine: Bool)?
    /// A body of any size on its way to endpoints.
    var upload: BlobUpload?

    struct Mixture {
        var request: MoeRequest
        var outcome: MoeRun.Outcome
    }

    /// Nobody waits for what the task may still make, nor for what is still uploaded.
    func end() {
        task?.cancel()
        task = nil
        writable?.fail(AnswerWriter.ClientLeft())
        writable = nil
        upload?.cancel()
        upload = nil
    }
}

/// `pull`, `create`, `copy` or `delete`, and the model that is another one afterwards.
struct ModelChange: Sendable {
    var operation: ModelOperation
    /// Nil for `push`, which changes none.
    var model: String?
}

extension TimeAmount {
    var milliseconds: Int { Int(nanoseconds / 1_000_000) }
    var seconds: Double { Double(nanoseconds) / 1e9 }
}
