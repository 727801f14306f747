// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

extension Scheduler {
    /// What would be done with a request now, and what each alternative would cost. Changes nothing but the catalog of names.
    public mutating func explain(_ ask: Ask, now: NIODeadline) -> Explanation {
        var result = Explanation(model: ask.model)
        switch resolve(ask.model, needs: ask.needs, excluding: ask.excluding) {
        case .refused(let refusal): result.refusal = refusal
        case .later: break
        case .candidates(let target):
            result.demand = demand[target.key]?.perSecond(now: now) ?? 0
            if let choice = choose(target, needs: ask.needs, excluding: ask.excluding) {
                let place = places[pairs[choice.candidate.pair].place]
                result.options = [
                    Explanation.Option(
                        endpoint: place.endpoint.id, endpointName: place.endpoint.name, model: pairs[choice.candidate.pair].name, why: choice.why)
                ]
                result.chosen = result.options[0]
            }
        }
        return result
    }
}
