// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON

/// Which endpoints a `pull`, `create`, `copy`, `delete` or `push` goes to. Pure.
enum ManagementPlan {
    /// - Parameters:
    ///   - model: the one that must be there already (`source` of a copy); nil where none must.
    ///   - chosen: by `?endpoint=`, as an operator would name it.
    static func targets(
        _ operation: ModelOperation, model: String?, chosen: String?, policy: Config.ModelManagement, fleet: [(Endpoint, EndpointReport)]
    ) throws(RouterError) -> [Endpoint] {
        guard policy != .off else { throw .managementIsOff }
        let managed = fleet.filter { $0.1.capabilities(of: $0.0.kind).contains(.ollamaAPI) }
        if let chosen {
            guard case .found(let endpoint) = fleet.map(\.0).matching(chosen) else { throw .noSuchEndpoint(chosen, known: fleet.map(\.0.name)) }
            guard managed.contains(where: { $0.0.id == endpoint.id }) else {
                throw .refused(.unsupportedRoute(endpoints: [endpoint.name]), model: model ?? "", path: operation.path)
            }
            return [endpoint]
        }
        let up = managed.filter { $0.1.state.phase.takesWork }
        guard !up.isEmpty else {
            let candidates = managed.map { endpoint, report in
                Refusal.Candidate(endpoint: endpoint.name, why: "\(report.state.phase.rawValue) \(report.state.reason)")
            }
            throw .refused(.noEndpointUp(candidates), model: model ?? "", path: operation.path)
        }
        var targets = up
        if operation.needsModel, let model {
            let key = ModelName.ollamaKey(model)
            targets = up.filter { $0.1.models.contains { ModelName.ollamaKey($0.name) == key } }
            guard !targets.isEmpty else {
                let known = Set(up.flatMap { $0.1.models.map(\.name) }).sorted()
                throw .refused(.unknownModel(known: known, unreachable: []), model: model, path: operation.path)
            }
        }
        // The registry gets the same from each of them: once is enough.
        let isOnce = policy == .first || operation == .push
        return isOnce ? Array(targets.map(\.0).prefix(1)) : targets.map(\.0)
    }
}

extension ModelOperation {
    /// It is about a model that an endpoint has, rather than one that it gets.
    var needsModel: Bool { self == .copy || self == .delete || self == .push }

    /// What it has done, for a message.
    var done: String {
        switch self {
        case .pull: "pulled"
        case .push: "pushed"
        case .create: "created"
        case .copy: "copied"
        case .delete: "deleted"
        }
    }
}

/// What came of the same request on several endpoints.
struct ManagementOutcome: Sendable, Equatable {
    struct Failure: Sendable, Equatable {
        var status: Int
        var message: String
    }

    /// In the order of the targets.
    private(set) var succeeded: [String] = []
    private(set) var failed: [(endpoint: String, failure: Failure)] = []

    static func == (left: ManagementOutcome, right: ManagementOutcome) -> Bool {
        left.succeeded == right.succeeded && left.failed.elementsEqual(right.failed) { $0.endpoint == $1.endpoint && $0.failure == $1.failure }
    }

    mutating func note(_ endpoint: String, _ failure: Failure?) {
        if let failure { failed.append((endpoint, failure)) } else { succeeded.append(endpoint) }
    }

    /// The status of an answer that has not begun: the first failure's where nothing succeeded.
    var status: Int { succeeded.isEmpty ? failed.first?.failure.status ?? 200 : 200 }

    /// Both halves in words; nil where all went well.
    func fault(_ operation: ModelOperation) -> String? {
        guard !failed.isEmpty else { return nil }
        let failures = failed.map { "\($0.endpoint): \($0.failure.message)" }.joined(separator: "; ")
        if succeeded.isEmpty { return failed.count == 1 ? failures : "failed everywhere: \(failures)" }
        return "\(operation.done) on \(succeeded.joined(separator: ", ")); failed on \(failures)"
    }

    /// The end of the whole, as a line of progress or as a body.
    func ending(_ operation: ModelOperation) -> JSONValue {
        guard let fault = fault(operation) else { return ["status": "success"] }
        var failures = JSONObject()
        for (endpoint, failure) in failed { failures[endpoint] = .string(failure.message) }
        return ["error": .string(fault), "succeeded": .array(succeeded.map(JSONValue.string)), "failed": .object(failures)]
    }
}
