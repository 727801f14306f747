// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import NIOCore
import NIOHTTP1
import NIOConcurrencyHelpers

/// The pages that the router answers by itself, from what the polls have brought: a request never waits for an endpoint here.
///
/// A page is made when it is first asked for after a change of the fleet, and kept until the next change.
final class FleetPages: Sendable {
    /// Set once, before the first request.
    private let fleet = NIOLockedValueBox<Fleet?>(nil)
    private let kept = NIOLockedValueBox<Kept>(Kept())

    private struct Kept {
        /// Rises with every change, so that a page made of what was there before is not kept for what comes after.
        var version = 0
        var answers: [Key: LocalAnswer] = [:]
    }

    private enum Key: Hashable {
        case tags, runningModels, runningModelsInDetail, version, openAIModels
    }

    func show(_ fleet: Fleet) {
        self.fleet.withLockedValue { $0 = fleet }
    }

    /// The fleet has changed: what was made of it is old.
    func invalidate() {
        kept.withLockedValue {
            $0.version += 1
            $0.answers.removeAll(keepingCapacity: true)
        }
    }

    /// - Parameter path: the request's, without its query.
    func answer(_ page: Route.LocalPage, path: String) -> LocalAnswer {
        switch page {
        case .root: .text("Ollama is running")
        case .live: .text("ok\n")
        case .ready: ready()
        case .health: health()
        case .preflight: LocalAnswer(status: .noContent, contentType: "", body: ByteBuffer())
        case .runningModelsInDetail: keep(.runningModelsInDetail) { .json(ByteBuffer(bytes: $0.psDetails())) }
        case .tags: keep(.tags) { .json(ByteBuffer(bytes: $0.tags())) }
        case .runningModels: keep(.runningModels) { .json(ByteBuffer(bytes: $0.ps())) }
        case .openAIModels: keep(.openAIModels) { .json(ByteBuffer(bytes: $0.openAIModels())) }
        case .openAIModel: openAIModel(PercentEncoding.decode(RouteTable.modelName(inPath: path)))
        case .version:
            keep(.version) { lists in
                lists.version().map { .json(ByteBuffer(bytes: $0)) } ?? .error(.noVersionKnown, .ollama)
            }
        }
    }

    /// `/api/show` for a model that no Ollama server has, of what the endpoint's list tells.
    func show(_ placement: Placement, on endpoint: Endpoint) -> LocalAnswer {
        guard let fleet = fleet.withLockedValue({ $0 }), let report = fleet.report(of: endpoint.id),
            let model = report.models.first(where: { $0.name == placement.listedModel })
            // Of what its list does not have there is nothing to show.
        else { return unknown(placement.model, .ollama) }
        let loaded = report.loaded.first { $0.name == model.name }
        return .json(ByteBuffer(string: OllamaShow.answer(model, loaded: loaded).text))
    }

    private func keep(_ key: Key, _ make: (MergedLists) -> LocalAnswer) -> LocalAnswer {
        let (known, version) = kept.withLockedValue { ($0.answers[key], $0.version) }
        if let known { return known }
        let answer = make(MergedLists(reports()))
        kept.withLockedValue { if $0.version == version { $0.answers[key] = answer } }
        return answer
    }

    private func openAIModel(_ name: String) -> LocalAnswer {
        let fleet = reports()
        if let body = MergedLists(fleet).openAIModel(id: name) { return .json(ByteBuffer(bytes: body)) }
        return unknown(name, .openAI)
    }

    private func unknown(_ name: String, _ dialect: Dialect) -> LocalAnswer {
        let known = Set(reports().filter { $0.1.state.phase.takesWork }.flatMap { $0.1.models.map(\.name) }).sorted()
        return .error(.refused(.unknownModel(known: known, unreachable: []), model: name, path: ""), dialect)
    }

    /// Ready as soon as one endpoint takes work.
    private func ready() -> LocalAnswer {
        if reports().contains(where: { $0.1.state.phase.takesWork }) { return .text("ok\n") }
        return .text("no endpoint is up\n", status: .serviceUnavailable)
    }

    /// `{"status":"ok"|"error","endpoints":{url:{"status","version"|"detail"}}}`; 503 when any endpoint is down.
    private func health() -> LocalAnswer {
        let fleet = reports()
        var isWell = true
        let rows = fleet.map { endpoint, report in
            let phase = report.state.phase
            // An operator who drains an endpoint has not made the fleet ill.
            let endpointIsWell = phase.takesWork || phase == .draining || phase == .maintenance
            isWell = isWell && endpointIsWell
            let detail =
                endpointIsWell
                ? "\"version\":\(JSONText.quoted(report.version))"
                : "\"detail\":\(JSONText.quoted(report.state.reason.isEmpty ? phase.rawValue : report.state.reason))"
            return "\(JSONText.quoted(endpoint.address.url)):{\"status\":\"\(endpointIsWell ? "ok" : "error")\",\(detail)}"
        }
        let body = "{\"status\":\"\(isWell ? "ok" : "error")\",\"endpoints\":{\(rows.joined(separator: ","))}}"
        return .json(ByteBuffer(string: body), status: isWell ? .ok : .serviceUnavailable)
    }

    private func reports() -> [(Endpoint, EndpointReport)] { fleet.withLockedValue { $0 }?.reports() ?? [] }
}
