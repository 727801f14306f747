// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What takes too long, by where an exchange stands. Looked at by the worker's sweeper a few times a second: no request has a timer of its
/// own. Pure.
///
/// | state | ends by |
/// |---|---|
/// | any | `request_timeout` |
/// | receiving, or uploading | `body_timeout` |
/// | asking, following, working | the task's own deadlines; `idle_timeout` where the client takes nothing |
/// | in line, connecting | the scheduler's and the connector's deadlines |
/// | sent, held, open | `first_byte_timeout`: another endpoint, or an error; a head that looks well goes to the client after `hold_head` |
/// | streaming | `idle_timeout` |
/// | pull and the like | an hour or so without a byte, whatever the stage |
enum ExchangeDeadlines {
    enum Due: Equatable {
        case fail(RouterError)
        /// The endpoint is left for another one, if there is any; else this is the answer.
        case leave(RouterError)
        /// As `fail`, and the connection ends: the rest of the request is not read.
        case refuse(RouterError)
        case closeClient
        /// The head that is held back goes to the client.
        case letGo
        /// The first token is overdue: look for another endpoint.
        case compare
    }

    /// A prompt that nobody has measured may take its time beyond this.
    static let unreadPrompt = 16 * 1024
    /// Between two looks for another endpoint.
    static let compareInterval = TimeAmount.seconds(2)

    static func due(_ exchange: Exchange, _ settings: RuntimeSettings, now: NIODeadline) -> Due? {
        let limits = settings.limits
        let silence = now - exchange.lastActivity
        if limits.requestTimeout > .zero, now - exchange.started > limits.requestTimeout {
            return .fail(.tookTooLong(seconds: limits.requestTimeout.seconds))
        }
        if exchange.existingSideWork?.upload != nil { return silence > limits.bodyTimeout ? .refuse(.bodyTooSlow) : nil }
        switch exchange.life.state {
        case .receiving: return now - exchange.started > limits.bodyTimeout ? .refuse(.bodyTooSlow) : nil
        case .asking, .following, .working:
            // A client that takes nothing more is the one thing that the task cannot know.
            return !exchange.clientTakesMore && silence > limits.idleTimeout ? .closeClient : nil
        case .carried(let stage), .detached(let stage): return due(stage, exchange, settings, silence, now: now)
        case .deciding, .over: return nil
        }
    }

    private static func due(
        _ stage: ExchangeLifecycle.Stage, _ exchange: Exchange, _ settings: RuntimeSettings, _ silence: TimeAmount, now: NIODeadline
    ) -> Due? {
        guard let attempt = exchange.attempt else { return nil }
        let limits = settings.limits
        let name = attempt.endpoint.name
        if case .manage = exchange.route.action {
            // The endpoint moves models.
            let patience = max(limits.idleTimeout, ModelManager.silence)
            return silence > patience ? .fail(.silence(endpoint: name, seconds: patience.seconds)) : nil
        }
        switch stage {
        case .inLine, .connecting, .settling: return nil
        case .held(.gathering) where attempt.bodyAt != nil:
            return silence > limits.idleTimeout ? .fail(.silence(endpoint: name, seconds: limits.idleTimeout.seconds)) : nil
        case .sent, .held, .open:
            guard let sent = attempt.sentAt else { return nil }
            if now - sent > limits.firstByteTimeout {
                let error = RouterError.firstByteTimeout(endpoint: name, seconds: limits.firstByteTimeout.seconds)
                return stage == .open ? .fail(error) : .leave(error)
            }
            if case .held = stage, let head = attempt.headAt, now - head > settings.holdHead { return .letGo }
            return isOverdue(stage, exchange, attempt, settings, now - sent, now: now) ? .compare : nil
        case .streaming:
            guard silence > limits.idleTimeout else { return nil }
            return exchange.clientTakesMore ? .fail(.silence(endpoint: name, seconds: limits.idleTimeout.seconds)) : .closeClient
        }
    }

    private static func isOverdue(
        _ stage: ExchangeLifecycle.Stage, _ exchange: Exchange, _ attempt: Attempt, _ settings: RuntimeSettings, _ waited: TimeAmount,
        now: NIODeadline
    ) -> Bool {
        guard stage.isWithoutByte, attempt.alternatives > 0, let overdue = settings.overdue, let grant = attempt.lease?.grant, grant.wasLoaded,
            case .forward(let operation) = exchange.route.action,
            exchange.retries.allows(.overdue, settings.retries, isRepeatable: operation.isRepeatable)
        else { return false }
        // An answer that comes whole is not late before it could be whole; nor is one to a prompt of unknown length.
        guard let facts = exchange.facts, facts.stream ?? operation.streamsByDefault,
            exchange.prompt != nil || exchange.body?.readableBytes ?? 0 < unreadPrompt, waited > overdue.limit(expected: grant.expected)
        else { return false }
        return attempt.comparedAt.map { now - $0 > compareInterval } ?? true
    }
}

/// When a first token is overdue.
struct Overdue: Sendable, Equatable {
    /// Times what the scheduler expects.
    var factor = 8.0
    /// Never before.
    var least = TimeAmount.seconds(10)

    /// - Parameter expected: seconds; nil where nothing was weighed.
    func limit(expected: Double?) -> TimeAmount {
        max(least, .nanoseconds(Int64(min(factor * (expected ?? 0), 86_400) * 1e9)))
    }
}
