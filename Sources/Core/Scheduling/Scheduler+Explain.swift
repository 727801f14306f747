// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

extension Scheduler {
    /// What would be done with a request now, and what each alternative would cost. Changes nothing but the catalog of names.
    public mutating func explain(_ ask: Ask, now: NIODeadline) -> Explanation {
        var result = Explanation(model: ask.model)
        let resolution = resolve(ask.model, needs: ask.needs, excluding: ask.excluding)
        if case .refused(let refusal) = resolution { result.refusal = refusal }
        guard case .candidates(let target) = resolution else { return result }
        let waiting = target.book.map { line.waiting(for: $0) } ?? 0
        result.waiting = waiting
        result.demand = target.book.map { books[$0].rate } ?? 0
        result.options = target.candidates.map { option($0, ask, now: now) }
        if let wait = costOfLine(target, needs: ask.needs, excluding: ask.excluding, before: waiting, now: now) {
            result.options.append(
                Explanation.Option(
                    cost: wait * Weights.line, expected: wait, parts: [.init(.line, wait)],
                    words: "wait for a slot: about \(Self.text(wait)), \(waiting) waiting"))
        }
        result.options.sort { ($0.cost ?? .infinity) < ($1.cost ?? .infinity) }
        // Chance decides among equals: it must not be used up by looking.
        let chance = random
        defer { random = chance }
        if case .go(let choice) = choose(target, ask, before: waiting, now: now) {
            let id = places[pairs[choice.candidate.pair].place].endpoint.id
            result.chosen = result.options.first { $0.endpoint == id && $0.model == pairs[choice.candidate.pair].name }
            if choice.why == .overcommit { result.chosen?.why = .overcommit }
        } else {
            result.chosen = result.options.first { $0.endpoint == nil } ?? Explanation.Option(words: "wait until an endpoint has room")
        }
        return result
    }

    private func option(_ candidate: Candidate, _ ask: Ask, now: NIODeadline) -> Explanation.Option {
        let pair = pairs[candidate.pair]
        let place = places[pair.place]
        var option = Explanation.Option(endpoint: place.endpoint.id, endpointName: place.endpoint.name, model: pair.name)
        guard let (choice, cost) = weigh(candidate, ask, now: now) else {
            option.obstacle = obstacle(candidate.pair, ask)
            option.words = option.obstacle
            return option
        }
        option.cost = cost
        option.expected = choice.cost.expected
        option.parts = Self.parts(choice.cost)
        option.why = choice.why
        if choice.cost.isBlocked { option.obstacle = "models in use are in the way" }
        option.words = option.parts.map { "\(Self.text($0.seconds)) \(Self.words($0.name))" }.joined(separator: ", ")
        return option
    }

    private func obstacle(_ index: Int, _ ask: Ask) -> String {
        let place = places[pairs[index].place]
        if !place.takesWork { return place.isRemoved ? "removed" : place.phase.rawValue }
        if ask.needs.fit(of: place.capabilities) == nil { return "does not speak the route" }
        if ask.excluding.contains(place.endpoint.id) { return "has failed this request" }
        if let claim = pairs[index].claim { return "its memory is claimed for \(ModelName.shortKey(books[claim.book].key))" }
        return "every slot is taken"
    }

    private static func parts(_ cost: Cost) -> [Explanation.Part] {
        let all: [Explanation.Part] = [
            .init(.prefill, cost.prefill + cost.warmSaving), .init(.warm, -cost.warmSaving), .init(.load, cost.load),
            .init(.loadsBefore, cost.loadsBefore), .init(.busyModels, cost.busy), .init(.harm, cost.harm),
        ]
        return all.filter { $0.seconds != 0 }
    }

    private static func words(_ part: Explanation.Part.Name) -> String {
        switch part {
        case .prefill: "to read the prompt"
        case .warm: "as its beginning is warm"
        case .load: "to load"
        case .loadsBefore: "for loads before it"
        case .busyModels: "until models in the way are idle"
        case .harm: "of harm to who wants what it pushes out"
        case .line: "in line"
        }
    }

    /// Seconds with three digits at most after the point.
    static func text(_ seconds: Double) -> String {
        let rounded = Int((abs(seconds) * 1000).rounded())
        let digits = String(rounded % 1000)
        return "\(seconds < 0 ? "-" : "")\(rounded / 1000).\(String(repeating: "0", count: 3 - digits.count))\(digits) s"
    }
}
