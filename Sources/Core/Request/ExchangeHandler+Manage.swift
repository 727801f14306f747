// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// Requests about models rather than to them.
extension ExchangeHandler {
    func manage(_ operation: ModelOperation, _ exchange: Exchange) {
        let body: JSONValue
        do throws(JSONError) {
            guard let bytes = exchange.body, bytes.readableBytes > 0 else { return answer(.missingBody) }
            body = try bytes.withUnsafeReadableBytes { bytes throws(JSONError) in try JSONValue(parsing: bytes) }
        } catch {
            return answer(.invalidJSON("\(error)"))
        }
        let name = (operation == .copy ? body["source"] : body["model"].given ?? body["name"]).given?.string ?? ""
        guard !name.isEmpty else { return answer(operation == .copy ? .untranslatable(Self.noSource) : .missingModel) }
        switch operation {
        case .create, .delete: exchange.detour.replacedModel = name
        case .copy: exchange.detour.replacedModel = body["destination"].given?.string
        case .pull, .push: break
        }
        let targets: [Endpoint]
        do throws(RouterError) {
            targets = try ManagementPlan.targets(
                operation, model: name, chosen: exchange.chosenName, policy: worker.settings.modelManagement,
                fleet: worker.shared.fleet.reports())
        } catch {
            return answer(error)
        }
        if let only = targets.first, targets.count == 1 {
            // Byte for byte, as if the router were not there.
            exchange.isPatient = true
            exchange.pollsAfterwards = true
            return forward(exchange, to: only)
        }
        let manager = ModelManager(client: worker.shared.client, fleet: worker.shared.fleet)
        let (method, path) = (exchange.head.method, String(exchange.target))
        start(exchange) { writer in
            try await manager.run(operation, method: method, path: path, body: body, targets: targets, writer: writer)
        }
    }

    private static let noSource = TranslationFault(.malformed("source", "source is required"))
}
