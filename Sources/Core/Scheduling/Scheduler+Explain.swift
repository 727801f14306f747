// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

extension Scheduler {
    /// What would be done with a request now, and what each alternative would cost. Changes nothing but the catalog of names.
    public mutating func explain(_ asked: Ask, now: NIODeadline) -> Explanation {
        let ask = raised(asked) ?? asked
        var result = Explanation(model: ask.model)
        let resolution = resolve(ask.model, needs: ask.needs, excluding: ask.excluding, unlisted: ask.unlisted)
        if case .refused(let refusal) = resolution { result.refusal = refusal }
        guard case .candidates(let all) = resolution else { return result }
        var target = all
        dropTooSmall(&target, ask)
        let waiting = target.book.map { self.waiting(for: $0, as: ask) } ?? 0
        result.waiting = waiting
        result.demand = target.book.map { books[$0].rate } ?? 0
        refreshResidents()
        result.options = target.candidates.map { option($0, ask, now: now) }
        for candidate in all.candidates where !target.candidates.contains(candidate) { result.options.append(tooSmall(candidate)) }
        if let cost = costOfLine(target, ask, before: waiting, now: now) {
            result.options.append(lineOption(target, cost, waiting: waiting))
        }
        result.options.sort { ($0.cost ?? .infinity) < ($1.cost ?? .infinity) }
        // Chance decides among equals: it must not be used up by looking.
        let chance = random
        defer { random = chance }
        if case .go(let choice) = choose(target, ask, before: waiting, now: now) {
            let id = places[pairs[choice.candidate.pair].place].endpoint.id
            if let index = result.options.firstIndex(where: { $0.endpoint == id && $0.model == pairs[choice.candidate.pair].name }) {
                if choice.why == .overcommit { result.options[index].why = .overcommit }
                result.chosen = result.options[index]
            }
        } else {
            if !result.options.contains(where: { $0.endpoint == nil }) {
                result.options.insert(Explanation.Option(words: "wait until an endpoint has room"), at: 0)
            }
            result.chosen = result.options.first { $0.endpoint == nil }
        }
        return result
    }

    /// To wait for a slot of those that hold the model.
    private func lineOption(_ target: Target, _ cost: LineCost, waiting: Int) -> Explanation.Option {
        let answers = target.book.map { books[$0].service.answers } ?? 0
        var option = Explanation.Option(cost: cost.weighed, expected: cost.expected, parts: [.init(.line, cost.wait, answers: answers)])
        option.words = "\(Self.text(option.parts[0])) until a slot frees, \(waiting) waiting"
        if cost.load > 0 {
            option.parts.append(.init(.load, cost.load))
            option.words += ", after \(Self.text(cost.load)) of a load under way"
        }
        return option
    }

    private func option(_ candidate: Candidate, _ ask: Ask, now: NIODeadline) -> Explanation.Option {
        let pair = pairs[candidate.pair]
        let place = places[pair.place]
        var option = Explanation.Option(endpoint: place.endpoint.id, endpointName: place.endpoint.name, model: pair.name)
        option.estimate = estimate(candidate.pair)
        if pair.isUsable, hasConfigurations(candidate.pair) { option.configuration = pair.configuration.words(pair.contexts) }
        guard admits(candidate.pair, ask.needs, now: now), let (choice, cost) = weigh(candidate, ask, now: now) else {
            option.obstacle = obstacle(candidate.pair, ask, now: now)
            option.words = option.obstacle
            return option
        }
        let factor = costFactor(pair.place)
        option.cost = cost * factor
        option.expected = choice.cost.expected
        option.parts = parts(choice.cost, candidate.pair, ask)
        option.why = choice.why
        if choice.cost.isBlocked { option.obstacle = isUsable(candidate.pair) ? "in use with other options" : "models in use are in the way" }
        option.words = option.parts.map { part in
            "\(Self.text(part)) \(words(part.name, choice, again: isUsable(candidate.pair)))"
        }.joined(separator: ", ")
        if factor != 1 { option.words += ", counted \((factor * 10).rounded() / 10) times by its weight" }
        if serves(candidate.pair, ask), let context = contextToAskFor(candidate.pair, ask) {
            option.words += ", with num_ctx \(context) as it is loaded"
        } else if ask.isRaised, hasConfigurations(candidate.pair), let context = ask.options?.contextLength {
            option.words += ", with num_ctx \(context), the least that is configured"
        }
        return option
    }

    /// Left out, as another has the context that is asked for.
    private func tooSmall(_ candidate: Candidate) -> Explanation.Option {
        let pair = pairs[candidate.pair]
        let endpoint = places[pair.place].endpoint
        let words = "its context is \(pair.fixedContext ?? 0) tokens"
        return Explanation.Option(endpoint: endpoint.id, endpointName: endpoint.name, model: pair.name, obstacle: words, words: words)
    }

    private func obstacle(_ index: PairIndex, _ ask: Ask, now: NIODeadline) -> String {
        let place = places[pairs[index].place]
        if !place.takesWork { return place.isRemoved ? "removed" : place.phase.rawValue }
        if ask.needs.fit(of: place.capabilities) == nil { return "does not speak the route" }
        if ask.excluding.contains(place.endpoint.id) { return "has failed this request" }
        if let why = whySetAside(index, ask.needs, now: now) { return why }
        if let claim = pairs[index].claim { return "its memory is claimed for \(ModelName.shortKey(books[claim.book].key))" }
        return "every slot is taken"
    }

    private func parts(_ cost: Cost, _ pair: PairIndex, _ ask: Ask) -> [Explanation.Part] {
        let book = books[pairs[pair].book]
        let read = (ask.promptTokens > 0 ? book.secondsPerToken : book.firstToken).answers
        let all: [Explanation.Part] = [
            .init(.prefill, cost.prefill + cost.warmSaving, answers: read), .init(.warm, -cost.warmSaving, answers: read),
            .init(.load, cost.load, answers: pairs[pair].learned.loads),
            .init(.loadsBefore, cost.loadsBefore), .init(.busyModels, cost.busy + cost.patience), .init(.harm, cost.harm),
        ]
        return all.filter { $0.seconds != 0 }
    }

    /// - Parameter again: the model is there already.
    private func words(_ part: Explanation.Part.Name, _ choice: Choice, again: Bool) -> String {
        switch part {
        case .prefill: "to read the prompt"
        case .warm: "as its beginning is warm"
        case .load: choice.cost.isUnderWay ? "left of a load under way" : again ? "to load again with other options" : "to load"
        case .loadsBefore: "for loads before it"
        case .busyModels: "until what is in the way is idle"
        case .harm: "of harm to who wants what it pushes out"
        case .line: "in line"
        }
    }

    /// `0.62 s (40 answers)`, `4.1 s (1 load)`, `10 s (a guess)`, `2.0 s`.
    private static func text(_ part: Explanation.Part) -> String {
        guard let answers = part.answers else { return text(part.seconds) }
        // It was measured by the same answers as what it is saved of.
        if part.name == .warm, answers > 0 { return text(part.seconds) }
        let what = part.name == .load ? "load" : "answer"
        return "\(text(part.seconds)) (\(answers == 0 ? "a guess" : "\(answers) \(what)\(answers == 1 ? "" : "s")"))"
    }

    /// Seconds, as exact as an expectation can be: two digits below ten, whole seconds above.
    static func text(_ seconds: Double) -> String {
        let size = abs(seconds)
        func rounded(_ scale: Double) -> Int { Int((min(size, 1e9) * scale).rounded()) }
        let number =
            if size < 0.005 {
                "under 0.01"
            } else if size < 0.995 {
                "0.\(rounded(100) < 10 ? "0" : "")\(rounded(100))"
            } else if size < 9.95 {
                "\(rounded(10) / 10).\(rounded(10) % 10)"
            } else {
                "\(rounded(1))"
            }
        return "\(seconds < 0 ? "-" : "")\(number) s"
    }
}
