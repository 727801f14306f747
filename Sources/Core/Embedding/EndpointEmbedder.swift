// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1

/// An embedding model of the fleet, asked like any other model: with a slot, on whichever endpoint has it.
struct EndpointEmbedder: TextEmbedder {
    struct Failed: Error, CustomStringConvertible {
        var description: String
    }

    let model: String
    let scheduler: SchedulerBox
    let fleet: Fleet
    let client: EndpointClient
    /// How long an endpoint may take; a model may have to be loaded.
    private static let patience = TimeAmount.seconds(60)

    var space: String { "endpoint:" + ModelName.shortKey(model) }

    /// Endpoints come and go: it is only known when it is asked.
    func check() async throws {}

    func embed(_ text: String) async throws -> [Float] {
        let lease: Lease
        do {
            lease = try await scheduler.lease(Ask(model: model, needs: RouteNeeds(.embeddings), tenant: Tenant("cache")))
        } catch let error as RefusalError {
            throw Failed(description: RouterError.refused(error.refusal, model: model, path: "/v1/embeddings").message)
        }
        var end = LeaseEnd(outcome: .failed)
        let began = NIODeadline.now()
        defer {
            end.serviceTime = .now() - began
            lease.release(end)
        }
        guard let endpoint = fleet.reports().first(where: { $0.0.id == lease.grant.endpoint })?.0 else {
            throw Failed(description: "the endpoint has left the fleet")
        }
        let body: JSONValue = ["model": .string(lease.grant.model), "input": .string(text)]
        let answer = try await client.ask(.POST, "/v1/embeddings", body: body.bytes, timeout: Self.patience, of: endpoint)
        guard answer.status == 200, let whole = try? JSONValue(parsing: answer.body),
            let numbers = whole["data"]?.array?.first?["embedding"]?.array?.compactMap({ $0.double.map { Float($0) } }), !numbers.isEmpty
        else { throw Failed(description: "endpoint \(endpoint.name) gave no vector (status \(answer.status))") }
        end.outcome = .completed
        end.teaches = true
        return MiniLM.normalised(numbers)
    }
}
