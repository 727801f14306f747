// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore

/// Requests that an endpoint refuses for what they hold, and that the configuration allows to be sent again without it. The
/// refusal is held back until it is clear whether that can be done; else it goes to the client as it came.
extension Exchange {
    /// Whether a refusal with this status may be about parts of the request that it can do without.
    func mayRepair(_ operation: Operation, status: Int) -> Bool {
        guard operation.isRepairable, RequestRepair.mayRepair(status: status), body != nil else { return false }
        if existingSideWork?.repair != nil { return true }
        let repair = RequestRepair(contextShift: worker.settings.contextShift, retryWithout: worker.settings.retryWithout)
        guard repair.isOn else { return false }
        sideWork.repair = repair
        return true
    }

    /// The refusal is whole.
    ///
    /// - Returns: whether the request is on its way again.
    func repairs(_ held: HeldAnswer) -> Bool {
        guard existingSideWork?.repair != nil, let attempt, let bytes = body,
            let body = bytes.withUnsafeReadableBytes({ try? JSONValue(parsing: $0) }),
            let step = existingSideWork?.repair?.next(status: held.head.status, answer: held.body, body: body)
        else { return false }
        // Nobody may be left who would wait for it.
        guard life.work() else { return false }
        self.attempt?.startOver()
        switch step {
        case .dropTools(let why): sendAgain(RequestRepair.withoutTools(body), "tools dropped: \(why)")
        case .dropImages: sendAgain(RequestRepair.withoutImages(body), "images dropped: the model takes none")
        case .trim(let excess):
            if excess.context > 0 { worker.shared.contexts.remember(excess.context, attempt.endpoint.id, attempt.placement.listedModel) }
            trim(body, excess, attempt)
        }
        return true
    }

    /// Before the request is sent at all: where the model's context is known to be small.
    ///
    /// - Returns: whether it is being trimmed; it goes on by itself then.
    func trimsFirst(_ attempt: Attempt) -> Bool {
        guard worker.settings.contextShift, !(existingSideWork?.wasMeasured ?? false), case .forward(let operation) = route.action,
            operation.isRepairable, let bytes = body, let context = context(of: attempt), context <= ContextTrimming.smallContext,
            // Two bytes a token is more than any language needs.
            bytes.readableBytes > ContextTrimming.target(context: context) * 2,
            let body = bytes.withUnsafeReadableBytes({ try? JSONValue(parsing: $0) }), life.work()
        else { return false }
        sideWork.wasMeasured = true
        trim(body, ContextTrimming.Excess(context: context, prompt: 0), attempt)
        return true
    }

    /// How long a conversation the endpoint takes, as far as is known.
    private func context(of attempt: Attempt) -> Int? {
        let (endpoint, placement) = (attempt.endpoint.id, attempt.placement)
        if let known = worker.shared.contexts.known(endpoint, placement.listedModel) { return known }
        // Ollama makes what is too long fit by itself.
        if placement.kind == .ollama { return nil }
        return worker.shared.fleet.report(of: endpoint)?.loaded.first { $0.name == placement.listedModel }?.contextLength
    }

    /// Counts as the endpoint does, if it can, and drops the oldest turns.
    private func trim(_ body: JSONValue, _ excess: ContextTrimming.Excess, _ attempt: Attempt) {
        let (endpoint, placement) = (attempt.endpoint, attempt.placement)
        let capabilities = worker.shared.fleet.report(of: endpoint.id)?.capabilities(of: placement.kind)
        let counter = TokenCounting(
            client: worker.shared.client, endpoint: endpoint, model: placement.model, canAsk: capabilities?.contains(.tokenize) ?? false)
        run { writer in
            let result = await counter.trimmed(body, excess)
            try await writer.run { exchange in
                guard let result else { return exchange.sendAgain(body, nil) }
                var body = body
                body["messages"] = .array(result.messages)
                exchange.sendAgain(body, "\(result.dropped) oldest messages dropped to fit \(result.context) tokens")
            }
        }
    }

    /// To the same endpoint, in the slot that it has.
    private func sendAgain(_ body: JSONValue, _ note: String?) {
        if let note { sideWork.notes.append(note) }
        self.body = ByteBuffer(string: body.text)
        // Its places have moved.
        if case .forward(let operation) = route.action, let facts = try? RequestFacts.read(self.body, for: operation) { self.facts = facts }
        goOn()
    }
}

extension Operation {
    /// Its body is a conversation or a prompt, of which parts can be left out.
    var isRepairable: Bool { self == .ollamaChat || self == .ollamaGenerate || self == .chat || self == .messages || self == .responses }
}
