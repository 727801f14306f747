// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore

/// Requests that an endpoint refuses for what they hold, and that the configuration allows to be sent again without it. The
/// refusal is held back until it is clear whether that can be done; else it goes to the client as it came.
extension ExchangeHandler {
    /// A refusal longer than this is no refusal that is understood.
    private static let heldLimit = 64 * 1024

    /// - Returns: whether the answer's bytes are to be held back.
    func holdsBack(_ exchange: Exchange, _ head: ResponseHead) -> Bool {
        guard case .forward(let operation) = exchange.route.action, operation.isRepairable, RequestRepair.mayRepair(status: head.status),
            head.contentLength ?? 0 <= Self.heldLimit, exchange.body != nil
        else { return false }
        if exchange.detour.repair == nil {
            let repair = RequestRepair(contextShift: worker.settings.contextShift, retryWithout: worker.settings.retryWithout)
            guard repair.isOn else { return false }
            exchange.detour.repair = repair
        }
        exchange.detour.held = (head, [])
        return true
    }

    /// One piece of a refusal.
    func hold(_ bytes: some Sequence<UInt8>, _ exchange: Exchange) {
        exchange.detour.held?.body.append(contentsOf: bytes)
        if exchange.detour.held?.body.count ?? 0 > Self.heldLimit { passOnHeld(exchange) }
    }

    /// The refusal goes to the client after all.
    private func passOnHeld(_ exchange: Exchange) {
        guard let (head, body) = exchange.detour.held else { return }
        exchange.existingDetour?.held = nil
        beginForwarded(exchange, head)
        guard !body.isEmpty else { return }
        if exchange.isTranslated { return body.withUnsafeBytes { writeTranslated(exchange, $0) } }
        exchange.bytesSent += body.count
        writeBody(ByteBuffer(bytes: body))
    }

    /// The refusal is whole.
    ///
    /// - Returns: whether the request is on its way again.
    func repairs(_ exchange: Exchange) -> Bool {
        guard let held = exchange.detour.held, let endpoint = exchange.endpoint, let bytes = exchange.body,
            let body = bytes.withUnsafeReadableBytes({ try? JSONValue(parsing: $0) }),
            let step = exchange.detour.repair?.next(status: held.head.status, answer: held.body, body: body)
        else {
            passOnHeld(exchange)
            return false
        }
        exchange.existingDetour?.held = nil
        exchange.existingDetour?.translated = nil
        exchange.existingDetour?.outgoing = nil
        switch step {
        case .dropTools(let why): sendAgain(exchange, RequestRepair.withoutTools(body), "tools dropped: \(why)")
        case .dropImages: sendAgain(exchange, RequestRepair.withoutImages(body), "images dropped: the model takes none")
        case .trim(let excess):
            if excess.context > 0 { worker.shared.contexts.remember(excess.context, endpoint.id, exchange.placement?.model ?? "") }
            trim(exchange, body, excess, endpoint)
        }
        return true
    }

    /// Before the request is sent at all: where the model's context is known to be small.
    ///
    /// - Returns: whether it is being trimmed; it goes on by itself then.
    func trimsFirst(_ exchange: Exchange, _ endpoint: Endpoint) -> Bool {
        guard worker.settings.contextShift, !exchange.detour.wasMeasured, case .forward(let operation) = exchange.route.action,
            operation.isRepairable,
            let placement = exchange.placement, let bytes = exchange.body,
            let context = worker.shared.contexts.known(endpoint.id, placement.model)
                // Ollama makes what is too long fit by itself.
                ?? (placement.kind == .ollama
                    ? nil : worker.shared.fleet.report(of: endpoint.id)?.loaded.first(where: { $0.name == placement.model })?.contextLength),
            context <= ContextTrimming.smallContext,
            // Two bytes a token is more than any language needs.
            bytes.readableBytes > ContextTrimming.target(context: context) * 2,
            let body = bytes.withUnsafeReadableBytes({ try? JSONValue(parsing: $0) })
        else { return false }
        exchange.detour.wasMeasured = true
        trim(exchange, body, ContextTrimming.Excess(context: context, prompt: 0), endpoint)
        return true
    }

    /// Counts as the endpoint does, if it can, and drops the oldest turns.
    private func trim(_ exchange: Exchange, _ body: JSONValue, _ excess: ContextTrimming.Excess, _ endpoint: Endpoint) {
        let counter = TokenCounting(
            client: worker.shared.client, endpoint: endpoint, model: exchange.placement?.model ?? "",
            canAsk: worker.shared.fleet.report(of: endpoint.id)?.capabilities(of: exchange.placement?.kind ?? endpoint.kind).contains(.tokenize)
                ?? false)
        start(exchange) { writer in
            let result = await counter.trimmed(body, excess)
            try await writer.run { handler, exchange in
                exchange.hasJob = false
                var body = body
                var note: String?
                if let result {
                    body["messages"] = .array(result.messages)
                    note = "\(result.dropped) oldest messages dropped to fit \(result.context) tokens"
                }
                handler.sendAgain(exchange, body, note)
            }
        }
    }

    private func sendAgain(_ exchange: Exchange, _ body: JSONValue, _ note: String?) {
        guard let endpoint = exchange.endpoint else { return }
        if let note { exchange.detour.notes.append(note) }
        exchange.body = ByteBuffer(string: body.text)
        // Its places have moved.
        if let facts = try? RequestFacts.read(exchange.body) { exchange.facts = facts }
        carry(exchange, to: endpoint)
    }
}

extension Operation {
    /// Its body is a conversation or a prompt, of which parts can be left out.
    var isRepairable: Bool { self == .ollamaChat || self == .ollamaGenerate || self == .chat || self == .messages || self == .responses }
}
