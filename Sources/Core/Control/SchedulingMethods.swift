// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// Why requests go where they go.
enum SchedulingMethods {
    static let all: [ControlMethod] = [
        .make("explain", .read) { (params: ExplainParams, router) in
            try router.explain(params)
        }
    ]
}

extension Router {
    /// - Throws: `RPCError` for a route that takes no slot, or on which no context can be asked for, and for a model that nobody has.
    func explain(_ params: ExplainParams) throws -> ExplainInfo {
        let route = params.route ?? (params.numCtx == nil ? Operation.chat : .ollamaChat).rawValue
        guard let operation = Operation(rawValue: route), operation.takesSlot else {
            let known = Operation.allCases.filter { $0.takesSlot && !$0.rawValue.hasSuffix("*") }.map(\.rawValue)
            throw RPCError(.invalidParams, "no request waits for a slot on '\(route)'; there are: \(known.joined(separator: ", "))")
        }
        var ask = Ask(model: params.model, needs: operation.needs, tenant: Tenant("operator"))
        ask.takesContext = operation.takesRunnerOptions
        if let context = params.numCtx {
            guard operation.takesRunnerOptions else {
                let known = Operation.allCases.filter { $0.takesSlot && $0.takesRunnerOptions }.map(\.rawValue)
                throw RPCError(.invalidParams, "no request asks for a context on '\(route)'; it does on: \(known.joined(separator: ", "))")
            }
            guard context > 0, let context = Int32(exactly: context) else {
                throw RPCError(.invalidParams, "a context of \(context) tokens: it is a number from 1 to \(Int32.max)")
            }
            ask.options = RunnerOptions(contextLength: context)
        }
        ask.unlisted = .whereOneIsMeant
        let explanation = shared.scheduler.explain(ask)
        if case .unknownModel? = explanation.refusal {
            throw RPCError(
                .notFound, RouterError.refused(.unknownModel(known: knownModels, unreachable: []), model: params.model, path: route).message)
        }
        return ExplainInfo(explanation, path: route)
    }

    private var knownModels: [String] { Set(shared.fleet.reports().flatMap { $0.1.models.map(\.name) }).sorted() }
}

extension ExplainInfo {
    init(_ explanation: Explanation, path: String) {
        self.init(
            model: explanation.model,
            options: explanation.options.map { option in
                var row = Option(
                    endpoint: option.endpointName, isChosen: option == explanation.chosen, why: option.why?.rawValue ?? "", obstacle: option.obstacle,
                    costS: option.cost, expectedS: option.expected,
                    parts: option.parts.map { Part(name: $0.name.rawValue, seconds: $0.seconds, answers: $0.answers) }, words: option.words)
                row.configuration = option.configuration
                row.estimates = option.estimate.map(EstimatesInfo.init)
                return row
            },
            refusal: explanation.refusal.map { RouterError.refused($0, model: explanation.model, path: path).message } ?? "",
            waiting: explanation.waiting, demandPerSecond: explanation.demand)
    }
}

extension EstimatesInfo {
    init(_ estimate: Estimate) {
        func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
        self.init(
            speed: rounded(estimate.speed), speedAnswers: estimate.speedAnswers, tokensPerSecond: estimate.tokensPerSecond.map(rounded),
            tokenAnswers: estimate.tokenAnswers, loadS: rounded(estimate.loadSeconds), loads: estimate.loads, sizeBytes: estimate.sizeBytes,
            isSizeMeasured: estimate.isSizeMeasured)
    }
}
