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

    func setWeight(_ choice: WeightChoice, _ selector: String) async throws -> EndpointList {
        let endpoint = try find(selector)
        var weight: Double?
        if case .number(let number) = choice {
            guard Config.EndpointConfig.weights.contains(number) else {
                throw RPCError(.invalidParams, "the weight must be from 0 to 1000, not \(number)")
            }
            weight = number
        }
        // A reload tells the scheduler of all endpoints, too: whoever is last must know of both.
        guard beginsChange() else { throw RPCError(.refused, "a reload is under way") }
        defer { endChange() }
        shared.scheduler.setEndpoints(shared.fleet.setWeight(weight, of: endpoint.id))
        return try await endpoints(endpoint.name)
    }

    /// What operators have set beside the configuration, for people.
    ///
    /// - Parameter new: the configuration that the rest is compared with.
    func operatorsWeights(beside new: Config) -> [String] {
        let configured = Dictionary(new.endpoints.map { ($0.address.url, $0) }, uniquingKeysWith: { first, _ in first })
        return shared.fleet.reports().compactMap { endpoint, _ in
            guard endpoint.configuredWeight != nil, let entry = configured[endpoint.address.url] else { return nil }
            let weights = (ConfigView.number(endpoint.weight), ConfigView.number(entry.weight))
            return "endpoint \(entry.name): weight \(weights.0), set by an operator; \(weights.1) by the configuration"
        }
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
