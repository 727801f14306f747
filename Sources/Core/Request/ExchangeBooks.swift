// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// What is written down of an exchange when it has ended: once, however it ended.
enum ExchangeBooks {
    /// The status of a client that left before its answer was whole, as nginx has it.
    static let clientLeftStatus = 499

    /// - Parameter error: what it ended by, where the router knows.
    static func close(_ exchange: Exchange, _ error: RouterError?, _ now: NIODeadline, clientLeft: Bool) {
        let worker = exchange.worker
        let status = clientLeft ? clientLeftStatus : exchange.status
        if let change = exchange.existingSideWork?.change, let model = change.model, status == 200 { worker.shared.cache.forget(model: model) }
        let attempt = exchange.attempt
        let tokens = attempt?.tokens ?? TokenSum()
        let kind = WorkerMetrics.Kind(action: exchange.route.action, status: status)
        if let attempt, attempt.placement.pair >= 0 {
            worker.metrics.count(kind, attempt.placement, attempt.shared, timings(exchange, attempt, clientLeft, now), tokens: tokens)
        } else {
            worker.metrics.count(kind)
        }
        guard worker.accessLog.isOn else { return }
        worker.log(
            AccessRecord(
                time: WallClock.rfc3339(), id: exchange.name, peer: exchange.clientAddress, method: exchange.head.method.rawValue,
                path: RouterKeys.pathWithoutKey(exchange.head.uri), model: exchange.facts?.model ?? "", endpoint: attempt?.endpoint.name ?? "",
                why: exchange.why, status: status, bytes: exchange.bytesSent,
                waitMs: ((exchange.grantedAt ?? now) - exchange.started).milliseconds,
                firstByteMs: attempt?.bodyAt.map { ($0 - exchange.started).milliseconds },
                firstTokenMs: attempt?.firstTokenAt.map { ($0 - exchange.started).milliseconds },
                durationMs: (now - exchange.started).milliseconds,
                tokens: tokens + (exchange.existingSideWork?.mixture?.outcome.spent ?? TokenSum()),
                cache: exchange.cacheMark?.word ?? "", retries: exchange.retryNote, fault: error?.label ?? ""))
    }

    private static func timings(_ exchange: Exchange, _ attempt: Attempt, _ clientLeft: Bool, _ now: NIODeadline) -> AnswerTimings? {
        guard let sent = attempt.sentAt, let head = attempt.headAt, case .forward(let operation) = exchange.route.action,
            let manner = AnswerTimings.Manner(operation, isStreamed: attempt.tap?.framing != nil)
        else { return nil }
        return AnswerTimings(
            manner, sent: sent, head: head, firstToken: attempt.firstTokenAt, ended: clientLeft ? nil : now, tokens: attempt.tokens.output)
    }
}

extension Route.Action {
    /// For counters: a row of the table, never a client's own path.
    var label: String {
        switch self {
        case .forward(let operation): operation.rawValue
        case .local(let page): "page:\(page)"
        case .report(let page): "page:\(page)"
        case .manage(let operation): operation.path
        case .blob: "/api/blobs"
        case .firstOllama: "account"
        }
    }
}
