// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore

/// Requests to `moe-<model>`: several answers and critiques first, then an ordinary exchange for the final one.
extension Exchange {
    func isMixture(_ operation: Operation) -> Bool {
        operation.allowsMixture && facts?.model.hasPrefix(MoePrompts.models) ?? false
    }

    func mix(_ operation: Operation) {
        guard let asked = facts?.model, let body else { return answer(.missingBody) }
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
        start { writer in
            let outcome = try await run.run()
            try await writer.run { exchange in
                exchange.sideWork.mixture = SideWork.Mixture(request: request, outcome: outcome)
                exchange.facts?.model = request.model
                exchange.goOn()
            }
        }
    }
}
