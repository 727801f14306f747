// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore
import NIOHTTP1

/// What is written down of an exchange when it has ended: once, however it ended.
extension ExchangeHandler {
    /// The status of a client that left before its answer was whole, as nginx has it.
    static let clientLeft = 499

    /// - Parameter status: nil for that of the answer.
    func account(_ exchange: Exchange, status: Int? = nil) {
        exchange.endDetour()
        // However it ended, without being complete: whoever follows shall know.
        if exchange.fill != nil { stopRecording(exchange, machine.answerHasBegun ? .cut : nil) }
        if exchange.pollsAfterwards, let endpoint = exchange.endpoint { worker.shared.fleet.pollSoon(endpoint.id, models: true) }
        let now = NIODeadline.now()
        let status = status ?? exchange.status
        if let model = exchange.existingDetour?.replacedModel, status == 200 { worker.shared.cache.forget(model: model) }
        let tokens = exchange.tokens
        let endpoint = exchange.endpoint
        let kind = WorkerMetrics.Kind(action: exchange.route.action, status: status)
        if let endpoint, let placement = exchange.placement, placement.pair >= 0 {
            var timings: AnswerTimings?
            if let sent = exchange.sentAt, let first = exchange.firstByteAt, case .forward(let operation) = exchange.route.action,
                let manner = AnswerTimings.Manner(operation, isStreamed: exchange.tap?.framing != nil)
            {
                timings = AnswerTimings(
                    manner, sent: sent, head: first, firstToken: first, ended: status == Self.clientLeft ? nil : now, tokens: tokens.output)
            }
            worker.metrics.count(kind, placement, endpoint, timings, tokens: tokens)
        } else {
            worker.metrics.count(kind)
        }
        guard worker.accessLog.isOn else { return }
        let record = AccessRecord(
            time: WallClock.rfc3339(), id: name(of: exchange), peer: clientAddress, method: exchange.head.method.rawValue,
            path: RouterKeys.pathWithoutKey(exchange.head.uri), model: exchange.facts?.model ?? "", endpoint: endpoint?.name ?? "",
            why: exchange.lease?.grant.why.rawValue ?? exchange.cacheMark?.why ?? exchange.why, status: status, bytes: exchange.bytesSent,
            waitMs: ((exchange.grantedAt ?? now) - exchange.started).milliseconds,
            firstByteMs: exchange.firstByteAt.map { ($0 - exchange.started).milliseconds }, durationMs: (now - exchange.started).milliseconds,
            tokens: tokens + exchange.innerTokens)
        worker.log(record)
    }
}

extension ExchangeHandler {
    /// As logs and answers call it.
    func name(of exchange: Exchange) -> String { exchange.givenName ?? worker.name(exchange.id) }
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
