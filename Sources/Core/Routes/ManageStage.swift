// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// Requests about models rather than to them.
extension Exchange {
    func manage(_ operation: ModelOperation) {
        let body: JSONValue
        do throws(JSONError) {
            guard let bytes = self.body, bytes.readableBytes > 0 else { return answer(.missingBody) }
            body = try bytes.withUnsafeReadableBytes { bytes throws(JSONError) in try JSONValue(parsing: bytes) }
        } catch {
            return answer(.invalidJSON("\(error)"))
        }
        let name = (operation == .copy ? body["source"] : body["model"].given ?? body["name"]).given?.string ?? ""
        guard !name.isEmpty else { return answer(operation == .copy ? .untranslatable(Self.noSource) : .missingModel) }
        let changed: String? =
            switch operation {
            case .create, .delete, .pull: name
            case .copy: body["destination"].given?.string
            case .push: nil
            }
        sideWork.change = ModelChange(operation: operation, model: changed)
        let targets: [Endpoint]
        do throws(RouterError) {
            targets = try ManagementPlan.targets(
                operation, model: name, chosen: chosenName, policy: worker.settings.modelManagement,
                fleet: worker.shared.fleet.reports())
        } catch {
            return answer(error)
        }
        if let only = targets.first, targets.count == 1 {
            // Byte for byte, as if the router were not there.
            return forward(to: only)
        }
        let manager = ModelManager(client: worker.shared.client, fleet: worker.shared.fleet)
        let (method, path) = (head.method, String(target))
        start { writer in
            try await manager.run(operation, method: method, path: path, body: body, targets: targets, writer: writer)
        }
    }

    /// How the answer of one endpoint comes back: what tells of success is told when the router itself knows it.
    var managedPath: AnswerPath {
        if case .manage(let operation) = route.action, operation.tellsProgress { return .announced(kept: []) }
        return .straight
    }

    /// Whoever is told that a model is there, or gone, finds it so with the next request.
    ///
    /// - Returns: whether the end of the answer waits for the router to know it.
    func settles(then close: @escaping (Exchange) -> Void) -> Bool {
        guard status < 300, let endpoint = attempt?.endpoint, life.settle() else { return false }
        let fleet = worker.shared.fleet
        let bound = NIOLoopBound((exchange: self, close: close), eventLoop: worker.eventLoop)
        let eventLoop = worker.eventLoop
        Task {
            await fleet.refresh(endpoint.id, models: true)
            eventLoop.execute { if !bound.value.exchange.life.isOver { bound.value.close(bound.value.exchange) } }
        }
        return true
    }

    private static let noSource = TranslationFault(.malformed("source", "source is required"))
}
