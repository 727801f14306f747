// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore

/// Requests to `moe-<model>`: several answers and critiques first, then an ordinary exchange for the final one.
extension ExchangeHandler {
    func isMixture(_ exchange: Exchange, _ operation: Operation) -> Bool {
        operation.allowsMixture && exchange.facts?.model.hasPrefix(MoePrompts.models) ?? false
    }

    func mix(_ exchange: Exchange, _ operation: Operation) {
        guard let asked = exchange.facts?.model, let body = exchange.body else { return answer(.missingBody) }
        let request: MoeRequest
        do throws(TranslationError) {
            guard let json = body.withUnsafeReadableBytes({ try? JSONValue(parsing: $0) }) else {
                throw .malformed("", "the body is nested too deep")
            }
            request = try MoeRequest(operation, json, asked: asked)
        } catch {
            return answer(.untranslatable(TranslationFault(error)))
        }
        let shared = worker.shared
        let run = MoeRun(
            request: request, tenant: tenant, scheduler: shared.scheduler, fleet: shared.fleet, client: shared.client, tokens: shared.tokens,
            patience: worker.settings.limits.firstByteTimeout)
        start(exchange) { writer in
            let outcome = try await run.run()
            try await writer.run { handler, exchange in
                exchange.hasJob = false
                exchange.detour.innerTokens = outcome.spent
                exchange.detour.mixture = Exchange.Mixture(request: request, outcome: outcome)
                exchange.facts?.model = request.model
                handler.schedule(exchange)
            }
        }
    }
}

extension Exchange {
    /// What the final answer of a mixture is made of.
    struct Mixture {
        var request: MoeRequest
        var outcome: MoeRun.Outcome
    }
}
