// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// One try at one endpoint: what it takes, how far it came, what it has measured.
///
/// A class, as it is looked at for every token, and too large to be copied for that. Bound to the event loop of its exchange.
final class Attempt {
    let shared: SharedEndpoint
    /// Read in place, as a copy costs as much as all else here.
    var endpoint: Endpoint { _read { yield shared.endpoint } }
    /// How the request must be said there.
    let placement: Placement
    /// Nil for a request that takes no slot, and after the slot has gone back.
    private(set) var lease: Lease?
    /// Other endpoints that could serve the request just as well.
    let alternatives: Int
    /// The context that the request asks for there instead of its own.
    let context: ContextChange?
    /// Why this endpoint, for logs.
    let why: String

    /// What goes out instead of the client's own path and body.
    var rewritten: (path: String, body: ByteBuffer)?
    /// The words in which it was said there, and what of them the endpoint may not want to hear.
    var words: EndpointWords?
    var said = SaidFields()
    /// What was left out of it.
    var leftOut: [String] = []
    /// How the answer comes back.
    var path = AnswerPath.straight
    var connection: UpstreamHandler?
    /// The load that it has set off, until its answer begins.
    var load: LoadLog.Load?
    var tap: ResponseTap?
    var held: HeldAnswer?
    /// What a refusal says of the endpoint's limits, as it came: what is put into other words must not lose it.
    var limitFields: [(name: String, value: String)] = []
    /// What was held back has been judged.
    var verdict: Verdict?

    var sentAt: NIODeadline?
    /// When the head of the answer came.
    var headAt: NIODeadline?
    /// When the first byte of its body came.
    var bodyAt: NIODeadline?
    /// When the first item of a translated stream came.
    var firstItemAt: NIODeadline?
    /// When the first token of a stream came.
    var firstTokenAt: NIODeadline?
    /// When another endpoint was last looked for because this one takes so long.
    var comparedAt: NIODeadline?

    /// Vectors come without a count of tokens on some routes, and are an answer all the same.
    private let tellsTokens: Bool

    init(endpoint: SharedEndpoint, placement: Placement, lease: Lease?, tellsTokens: Bool = true) {
        self.tellsTokens = tellsTokens
        shared = endpoint
        self.placement = placement
        self.lease = lease
        alternatives = lease?.grant.alternatives ?? 0
        context = lease?.grant.context
        why = lease?.grant.why.rawValue ?? ""
    }

    /// The same endpoint and slot, for the request in other words.
    func startOver() {
        rewritten = nil
        (words, said, leftOut) = (nil, SaidFields(), [])
        path = .straight
        connection = nil
        tap = nil
        held = nil
        verdict = nil
        (sentAt, headAt, bodyAt, firstItemAt, firstTokenAt) = (nil, nil, nil, nil, nil)
    }

    /// The first byte of an answer's body has come: whatever was to be loaded is in memory.
    func bodyBegan(_ now: NIODeadline) {
        bodyAt = now
        guard let lease, tap?.status == 200 else { return }
        lease.began()
        load?.ended(now: now)
        load = nil
    }

    /// Gives the slot back, if there is one. However often it is called, the slot goes back once.
    ///
    /// - Parameter words: what went wrong, for people.
    func release(_ outcome: LeaseEnd.Outcome, _ words: String = "", retryAfter: TimeAmount? = nil, now: NIODeadline) {
        if let load {
            // What was refused, or went elsewhere, says nothing about the load: a poll will tell.
            switch outcome {
            case .failed, .unreachable: load.failed(words)
            case .completed, .refused, .notHere, .busy, .aborted, .lost: load.left()
            }
            self.load = nil
        }
        guard let lease else { return }
        self.lease = nil
        let sent = sentAt ?? now
        var end = LeaseEnd(
            outcome: outcome, timeToHead: headAt.map { $0 - sent }, timeToFirstToken: firstTokenAt.map { $0 - sent }, serviceTime: now - sent,
            tokens: tokens.output, loadTime: tap?.figures.loadDuration.map { .nanoseconds(Int64($0)) })
        end.retryAfter = retryAfter
        end.reason = words
        end.teaches = outcome == .completed && tap?.status == 200 && (tokens.total > 0 || !tellsTokens)
        lease.release(end)
    }

    /// Of the answer, as the endpoint told them or as they were counted.
    var tokens: TokenSum { TokenSum(input: tap?.figures.promptTokens ?? 0, output: tap?.tokens ?? 0) }
}
