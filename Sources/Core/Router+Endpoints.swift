// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// What an operator does to endpoints.
extension Router {
    func endpoints(_ selector: String?) async throws -> EndpointList {
        let all = await view().status.endpoints
        guard let selector else { return EndpointList(endpoints: all) }
        let name = try find(selector).name
        return EndpointList(endpoints: all.filter { $0.name == name })
    }

    /// Drain, maintenance, or nil for neither: then breakers are closed, too.
    ///
    /// - Parameter dryRun: only tells the warnings.
    func setWish(_ wish: EndpointState.Wish?, _ selector: String, dryRun: Bool = false) async throws -> EndpointList {
        let endpoint = try find(selector)
        let lost = wish == nil ? [] : modelsOnly(on: endpoint)
        if !dryRun {
            switch wish {
            case .drain: await shared.fleet.drain(endpoint.id)
            case .maintenance: await shared.fleet.maintenance(endpoint.id)
            case nil:
                await shared.fleet.resume(endpoint.id)
                shared.scheduler.resume(endpoint.id)
            }
        }
        var list = try await endpoints(endpoint.name)
        if !lost.isEmpty {
            list.warnings = ["\(endpoint.name) \(dryRun ? "is" : "was") the last endpoint in service with \(lost.joined(separator: ", "))"]
        }
        return list
    }

    /// Models that nobody can have any more when this endpoint is out of service.
    private func modelsOnly(on endpoint: Endpoint) -> [String] {
        guard let report = shared.fleet.report(of: endpoint.id), report.state.phase.takesWork else { return [] }
        return shared.scheduler.models(report.models.map(\.name), onlyOn: endpoint.id).sorted()
    }

    func setWeight(_ weight: Double, _ selector: String) async throws -> EndpointList {
        let endpoint = try find(selector)
        guard weight > 0, weight <= 1000 else { throw RPCError(.invalidParams, "the weight must be above 0 and at most 1000, not \(weight)") }
        // A reload tells the scheduler of all endpoints, too: whoever is last must know of both.
        guard beginsChange() else { throw RPCError(.refused, "a reload is under way") }
        defer { endChange() }
        shared.scheduler.setEndpoints(shared.fleet.setWeight(weight, of: endpoint.id))
        return try await endpoints(endpoint.name)
    }

    /// - Throws: `RPCError` that says what there is.
    func find(_ selector: String) throws -> Endpoint {
        switch shared.fleet.endpoint(matching: selector) {
        case .found(let endpoint): return endpoint
        case .notFound(let known):
            throw RPCError(.notFound, "no endpoint '\(selector)'; there is: \(known.joined(separator: ", "))")
        case .ambiguous(let names):
            throw RPCError(.refused, "'\(selector)' fits several endpoints: \(names.joined(separator: ", "))")
        }
    }
}
