// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// From an asked name to the endpoints that have the model.
extension Scheduler {
    /// A model on an endpoint that answers to the asked name.
    struct Candidate: Sendable, Equatable {
        var pair: PairIndex
        /// The endpoint takes the asked name as it stands.
        var understandsAskedName: Bool
        /// What the endpoint is asked for, if not the pair's own name: another name that it has for the model, or one that it does not list.
        var otherName: String?
    }

    /// An asked name, looked up.
    struct Target: Sendable {
        /// Names the target for `demand`: spellings of one model share it.
        var key: String
        /// What is known of the model; nil where no endpoint has it.
        var book: BookIndex?
        var candidates: [Candidate]
        /// For each place, which of the candidates is there; empty where the candidates are not all in one book.
        var byPlace: [Int32] = []

        /// The pair as a candidate, if it is one; nil too where `byPlace` is empty.
        func candidate(_ pair: PairIndex, at place: PlaceIndex) -> Candidate? {
            guard place.rawValue < byPlace.count, byPlace[place.rawValue] >= 0 else { return nil }
            let candidate = candidates[Int(byPlace[place.rawValue])]
            return candidate.pair == pair ? candidate : nil
        }
    }

    /// Asked names that were looked up before. Only names that exist are kept, and not too many of those, so that
    /// nobody can fill the memory with inventions; forgotten at every change of the fleet.
    struct Catalog: Sendable {
        static let limit = 4096
        private var targets: [String: Target] = [:]

        subscript(name: String) -> Target? { targets[name] }

        mutating func keep(_ target: Target, as name: String) {
            if targets.count >= Self.limit { targets.removeAll() }
            targets[name] = target
        }

        mutating func forget() { targets.removeAll(keepingCapacity: true) }
    }

    enum Resolution {
        /// At least one of the candidates takes work (though it may have no free slot).
        case candidates(Target)
        /// Not known yet: an endpoint has not been asked so far.
        case later
        case refused(Refusal)
    }

    mutating func resolve(_ group: WaitingLine.Group) -> Resolution {
        resolve(group.model, needs: group.needs, excluding: group.excluding, unlisted: group.unlisted)
    }

    mutating func resolve(_ name: String, needs: RouteNeeds, excluding: [EndpointID], unlisted: UnlistedName = .refused) -> Resolution {
        let target = lookUp(name)
        if let place = namedPlace(target, unlisted) { return resolve(name, at: place, needs: needs, excluding: excluding) }
        var speaks = false
        var isExcluded = false
        var isComing = false
        for candidate in target.candidates {
            let place = pairs[candidate.pair].place
            guard needs.fit(of: places[place].capabilities) != nil else { continue }
            speaks = true
            if !excluding.isEmpty, excluding.contains(places[place].endpoint.id) {
                isExcluded = true
            } else if takesWork(place) {
                return .candidates(target)
            } else if places[place].phase == .loading, !places[place].isRemoved {
                isComing = true
            }
        }
        // A server that says that it loads its model is waited for.
        if isComing { return .later }
        // An endpoint that was never asked may have it; one request or another is always the first.
        if places.values.contains(where: { $0.phase == .starting && !$0.isRemoved && !excluding.contains($0.endpoint.id) }) { return .later }
        if isExcluded { return .refused(.allFailed) }
        let endpoints = target.candidates.map { places[pairs[$0.pair].place] }
        if speaks {
            return .refused(.noEndpointUp(endpoints.filter { needs.fit(of: $0.capabilities) != nil }.map(Self.why)))
        }
        if !endpoints.isEmpty { return .refused(.unsupportedRoute(endpoints: endpoints.map(\.endpoint.name))) }
        let present = places.values.filter { !$0.isRemoved }
        guard present.contains(where: \.takesWork) else { return .refused(.noEndpointUp(present.map(Self.why))) }
        if let place = onlyPlace(name, needs, unlisted), takesWork(place) { return resolve(name, at: place, needs: needs, excluding: excluding) }
        let known = Set(present.filter(\.takesWork).flatMap { $0.pairs.filter { pairs[$0].isPresent && pairs[$0].isListed }.map { pairs[$0].name } })
        return .refused(.unknownModel(known: known.sorted(), unreachable: present.filter { !$0.takesWork }.map(\.endpoint.name)))
    }

    mutating func lookUp(_ name: String) -> Target {
        if let known = catalog[name] { return known }
        let alias = settings.aliases[name]
        let wanted = alias ?? name
        let found = candidates(wanted, asked: name)
        var target = Target(key: ModelName.ollamaKey(wanted), book: found.first.map { pairs[$0.pair].book }, candidates: found)
        if found.allSatisfy({ pairs[$0.pair].book == target.book }) {
            target.byPlace = Array(repeating: -1, count: places.count)
            for (number, candidate) in found.enumerated() {
                let place = pairs[candidate.pair].place
                // Two spellings of one model on one endpoint: each is looked at.
                if target.byPlace[place.rawValue] >= 0 {
                    target.byPlace = []
                    break
                }
                target.byPlace[place.rawValue] = Int32(number)
            }
        }
        if !target.candidates.isEmpty { catalog.keep(target, as: name) }
        return target
    }

    /// All that fits best: where one endpoint has the very name, another's similar one is a different model.
    private func candidates(_ wanted: String, asked: String) -> [Candidate] {
        let key = ModelName.ollamaKey(wanted)
        let forms = ModelName.askedForms(wanted)
        var best = ModelName.Fit.shortest
        var found: [(candidate: Candidate, fit: ModelName.Fit)] = []
        let named = Set((forms + [key]).flatMap { pairsByForm[$0] ?? [] })
        for index in named.sorted(by: { (pairs[$0].place, $0) < (pairs[$1].place, $1) }) where pairs[index].isPresent {
            let place = places[pairs[index].place]
            guard !place.isRemoved else { continue }
            let name = pairs[index].name
            let fit: ModelName.Fit
            let understands: Bool
            var otherName: String?
            switch place.endpoint.kind {
            case .ollama:
                guard ModelName.ollamaKey(name) == key else { continue }
                fit = .exact
                understands = asked == wanted
            case .llamaServer, .openAI:
                let known = place.endpoint.kind.matchesShortNames ? ModelName.serverForms(name) : ModelName.wholeForms(name)
                let match = known.first { forms.contains($0.form) }
                if let match, match.fit == .exact {
                    fit = .exact
                    understands = asked == name
                } else if let alias = pairs[index].aliases.first(where: { ModelName.wholeForms($0).contains { forms.contains($0.form) } }) {
                    fit = .exact
                    understands = asked == alias
                    otherName = alias
                } else if let match {
                    fit = match.fit
                    understands = asked == name
                } else {
                    continue
                }
            }
            best = min(best, fit)
            found.append((Candidate(pair: index, understandsAskedName: understands, otherName: otherName), fit))
        }
        let fitting = found.filter { $0.fit == best }.map(\.candidate)
        return fitting.filter { candidate in
            // Where an endpoint has the very name and another that may mean it, the very name is meant.
            let isLiteral = isLiteral(candidate, wanted)
            return isLiteral || !fitting.contains { pairs[$0.pair].place == pairs[candidate.pair].place && self.isLiteral($0, wanted) }
        }
    }

    private func isLiteral(_ candidate: Candidate, _ wanted: String) -> Bool { pairs[candidate.pair].name == wanted }

    /// Every text by which a request may mean a model of this name, whatever the kind of its endpoint turns out to be.
    static func forms(_ name: String, aliases: [String] = []) -> Set<String> {
        let forms = [ModelName.ollamaKey(name)] + (ModelName.serverForms(name) + ModelName.wholeForms(name)).map(\.form)
        return Set(forms + aliases.flatMap { ModelName.wholeForms($0).map(\.form) })
    }

    static func why(_ place: Place) -> Refusal.Candidate {
        let why = place.reason.isEmpty ? place.phase.rawValue : "\(place.phase.rawValue) (\(place.reason))"
        return Refusal.Candidate(endpoint: place.endpoint.name, why: why)
    }
}
