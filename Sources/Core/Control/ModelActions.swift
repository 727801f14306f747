// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Protocol

/// What an operator does to models, on the endpoints that it concerns at the same time.
struct ModelActions: Sendable {
    let shared: RouterShared
    let policy: Config.ModelManagement
    let aliases: [String: String]
    let progress: ControlMethod.Progress

    /// Why an endpoint did not do it; nil if it did.
    typealias Failure = ManagementOutcome.Failure

    // MARK: Actions

    func manage(_ operation: ModelOperation, _ params: ModelActionParams) async throws -> ModelActionInfo {
        let model = try Self.model(params)
        var body: JSONValue = operation == .copy ? ["source": .string(model)] : ["model": .string(model)]
        if operation == .copy {
            guard let destination = params.destination, !destination.isEmpty else {
                throw RPCError(.invalidParams, "model.copy: the parameter 'destination' is missing")
            }
            body["destination"] = .string(destination)
        }
        if let endpoint = params.endpoint { _ = try find(endpoint) }
        let targets: [Endpoint]
        do throws(RouterError) {
            targets = try ManagementPlan.targets(
                operation, model: model, chosen: params.endpoint, policy: policy, fleet: shared.fleet.reports())
        } catch {
            throw Self.error(error)
        }
        let manager = ModelManager(client: shared.client, fleet: shared.fleet)
        let request = body
        let info = try await each(targets, model) { endpoint, tell in
            await manager.one(operation == .delete ? .DELETE : .POST, operation.path, request, endpoint) { line in
                tell(line["status"]?.string ?? "", line["completed"]?.integer, line["total"]?.integer)
            }
        }
        // What was kept of its answers is another model's now.
        switch operation {
        case .delete: shared.cache.forget(model: model)
        case .copy: if let destination = params.destination { shared.cache.forget(model: destination) }
        case .pull, .push, .create: break
        }
        return info
    }

    func load(_ params: ModelActionParams) async throws -> ModelActionInfo {
        let model = try Self.model(params)
        let placement = try whereTo(model, params.endpoint)
        guard let (endpoint, report) = shared.fleet.reports().first(where: { $0.0.id == placement.endpoint }) else {
            throw RPCError(.notFound, "the endpoint has just gone")
        }
        return try await each([endpoint], model) { endpoint, tell in
            tell("loading", nil, nil)
            let loader = ModelLoader(client: shared.client, endpoint: endpoint, model: placement.listedModel)
            let isLoaded = report.loaded.contains { $0.name == placement.listedModel }
            // Of what is loaded already nothing changes but how long it stays.
            let options = shared.scheduler.usualOptions(endpoint.id, model: placement.listedModel)
            let load = isLoaded ? nil : shared.fleet.loads.begin(placement.listedModel, on: endpoint, for: .operator, nil, options)
            let failure = await loader.load(isLoaded: isLoaded, keepAlive: params.keepAlive, options: options)
            if let failure {
                if Task.isCancelled { load?.left() } else { load?.failed(failure.message) }
            } else {
                load?.ended()
                tell("loaded", nil, nil)
            }
            return failure
        }
    }

    func unload(_ params: ModelActionParams) async throws -> ModelActionInfo {
        let model = try Self.model(params)
        let only = try params.endpoint.map { try find($0).id }
        var names: [EndpointID: String] = [:]
        let targets = shared.fleet.reports().filter { only == nil || $0.0.id == only }.compactMap { endpoint, report -> Endpoint? in
            // What is no model to load has none to unload either.
            guard endpoint.kind.loadsModels, let loaded = report.loaded.first(where: { isMeant(model, $0.name, endpoint.kind, report) }) else {
                return nil
            }
            names[endpoint.id] = loaded.name
            return endpoint
        }
        guard !targets.isEmpty else {
            throw RPCError(.notFound, "model '\(model)' is in no memory\(params.endpoint.map { " of \($0)" } ?? "")")
        }
        let found = names
        return try await each(targets, model) { endpoint, tell in
            tell("unloading", nil, nil)
            let failure = await ModelLoader(client: shared.client, endpoint: endpoint, model: found[endpoint.id] ?? model).unload()
            if failure == nil { tell("unloaded", nil, nil) }
            return failure
        }
    }

    func show(_ params: ModelActionParams) async throws -> ModelActionInfo {
        let model = try Self.model(params)
        let excluding = try others(than: params.endpoint)
        guard
            case .success(let placement) = shared.scheduler.locate(
                Ask(model: model, needs: RouteNeeds([]), tenant: Tenant(""), excluding: excluding)),
            let (endpoint, report) = shared.fleet.reports().first(where: { $0.0.id == placement.endpoint })
        else { throw RPCError(.notFound, "no endpoint in service has model '\(model)'\(params.endpoint.map { " (asked for \($0))" } ?? "")") }
        var info = ModelActionInfo(model: model, outcomes: [.init(endpoint: endpoint.name)])
        if report.capabilities(of: endpoint.kind).contains(.ollamaAPI) {
            let body: JSONValue = ["model": .string(placement.listedModel)]
            let answer: EndpointClient.Answer
            do {
                answer = try await shared.client.ask(.POST, "/api/show", body: body.bytes, of: endpoint)
            } catch {
                throw RPCError(.refused, "\(endpoint.name): \(error)")
            }
            guard answer.status == 200 else {
                throw RPCError(answer.status == 404 ? .notFound : .refused, "\(endpoint.name): \(ProbeReading.errorMessage(answer.body))")
            }
            info.details = String(decoding: answer.body, as: UTF8.self)
        } else if let listing = report.models.first(where: { $0.name == placement.listedModel }) {
            info.details = OllamaShow.answer(listing, loaded: report.loaded.first { $0.name == placement.listedModel }).text
        }
        return info
    }

    // MARK: Where

    private static func model(_ params: ModelActionParams) throws -> String {
        guard !params.model.isEmpty else { throw RPCError(.invalidParams, "the parameter 'model' is empty") }
        return params.model
    }

    private func find(_ selector: String) throws -> Endpoint {
        switch shared.fleet.endpoint(matching: selector) {
        case .found(let endpoint): return endpoint
        case .notFound(let known): throw RPCError(.notFound, "no endpoint '\(selector)'; there is: \(known.joined(separator: ", "))")
        case .ambiguous(let names): throw RPCError(.refused, "'\(selector)' fits several endpoints: \(names.joined(separator: ", "))")
        }
    }

    private func others(than selector: String?) throws -> [EndpointID] {
        guard let selector else { return [] }
        let chosen = try find(selector).id
        return shared.fleet.reports().map(\.0.id).filter { $0 != chosen }
    }

    /// The endpoint that a request for the model would go to.
    private func whereTo(_ model: String, _ selector: String?) throws -> Placement {
        let ask = Ask(model: model, needs: RouteNeeds([]), tenant: Tenant(""), excluding: try others(than: selector))
        switch shared.scheduler.whereTo(ask) {
        case .success(let placement): return placement
        case .failure(let error):
            if let selector, error.refusal == .allFailed { throw Self.error(.notThere(endpoint: try find(selector).name, model: model)) }
            throw Self.error(.refused(error.refusal, model: model, path: "it"))
        }
    }

    private func isMeant(_ asked: String, _ name: String, _ kind: EndpointKind, _ report: EndpointReport) -> Bool {
        let wanted = aliases[asked] ?? asked
        if let listing = report.models.first(where: { $0.name == name }), listing.aliases.contains(wanted) { return true }
        guard kind == .llamaServer else { return ModelName.ollamaKey(name) == ModelName.ollamaKey(wanted) }
        let forms = ModelName.askedForms(wanted)
        return ModelName.serverForms(name).contains { forms.contains($0.form) }
    }

    // MARK: On each of them

    typealias Tell = @Sendable (_ status: String, _ completed: Int?, _ total: Int?) -> Void

    private enum Event: Sendable {
        case progress(ModelProgress)
        case ended(EndpointID, Failure?)
    }

    /// Runs `body` on all endpoints at once and passes on how it goes.
    ///
    /// - Throws: `RPCError` where it failed everywhere; `CancellationError` after the peer has gone, when nothing goes on.
    private func each(
        _ targets: [Endpoint], _ model: String, _ body: @escaping @Sendable (Endpoint, @escaping Tell) async -> Failure?
    ) async throws -> ModelActionInfo {
        let (events, feed) = AsyncStream.makeStream(of: Event.self)
        var failures: [EndpointID: Failure] = [:]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for endpoint in targets {
                group.addTask {
                    let filter = ProgressFilter()
                    let failure = await body(endpoint) { status, completed, total in
                        let progress = ModelProgress(endpoint: endpoint.name, status: status, completed: completed, total: total)
                        if filter.passes(progress, now: .now()) { feed.yield(.progress(progress)) }
                    }
                    feed.yield(.ended(endpoint.id, failure))
                }
            }
            var left = targets.count
            for await event in events {
                switch event {
                case .progress(let told): try await progress(told)
                case .ended(let id, let failure):
                    failures[id] = failure
                    left -= 1
                }
                if left == 0 { break }
            }
        }
        try Task.checkCancellation()
        var outcome = ManagementOutcome()
        for target in targets {
            outcome.note(target.name, failures[target.id])
            if failures[target.id] != nil { shared.fleet.pollSoon(target.id, models: true) }
        }
        // The next command may be about what this one has changed.
        await shared.fleet.refresh(targets.map(\.id).filter { failures[$0] == nil }, models: true)
        if outcome.succeeded.isEmpty {
            let words = outcome.failed.map { "\($0.endpoint): \($0.failure.message)" }.joined(separator: "; ")
            throw RPCError(outcome.failed.allSatisfy { $0.failure.status == 404 } ? .notFound : .refused, words)
        }
        return ModelActionInfo(
            model: model, outcomes: targets.map { ModelActionInfo.Outcome(endpoint: $0.name, failure: failures[$0.id]?.message ?? "") })
    }

    private static func error(_ error: RouterError) -> RPCError {
        switch error {
        case .noSuchEndpoint, .notThere, .refused(.unknownModel, _, _): RPCError(.notFound, error.message)
        default: RPCError(.refused, error.message)
        }
    }
}

extension Router {
    func modelActions(_ progress: @escaping ControlMethod.Progress) -> ModelActions {
        let (policy, aliases) = config.withLockedValue { ($0.modelManagement, $0.modelAliases) }
        return ModelActions(shared: shared, policy: policy, aliases: aliases, progress: progress)
    }
}
