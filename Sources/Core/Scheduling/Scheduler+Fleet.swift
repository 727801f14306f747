// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What the scheduler is told of the fleet: the configuration, and what polls find.
extension Scheduler {
    public mutating func setSettings(_ settings: SchedulerSettings, now: NIODeadline) -> [SchedulerAction] {
        self.settings = settings
        line.weights = settings.keyWeights
        catalog.forget()
        pin()
        setContextPolicies()
        return redecide(now: now)
    }

    /// The configured endpoints: new ones come, old ones keep their books, missing ones get nothing new.
    public mutating func setEndpoints(_ endpoints: [Endpoint], now: NIODeadline) -> [SchedulerAction] {
        let kept = Set(endpoints.map(\.id))
        for index in places.indices where !kept.contains(places[index].endpoint.id) {
            places[index].isRemoved = true
            closeBreakers(of: index, now: now)
        }
        for endpoint in endpoints {
            if let index = indexOf[endpoint.id] {
                places[index].endpoint = endpoint
                if let kind = places[index].foundKind { places[index].endpoint.kind = kind }
                places[index].isRemoved = false
            } else {
                let index = places.append(Place(endpoint: endpoint))
                indexOf[endpoint.id] = index
                placeBreakers.append(Breaker())
                residents.append(Residents())
                staleResidents.append(index)
            }
        }
        setWeighting()
        let early = self.early
        self.early = [:]
        for (id, report) in early { _ = book(report, of: id, now: now) }
        catalog.forget()
        pin()
        setContextPolicies()
        return redecide(now: now)
    }

    /// What the polls found. An endpoint that is not up keeps the models it had, so that a request for one of them
    /// is told that the endpoint is down rather than that there is no such model.
    public mutating func report(_ id: EndpointID, _ report: EndpointReport, now: NIODeadline) -> [SchedulerAction] {
        guard indexOf[id] != nil else {
            early[id] = report
            return []
        }
        guard book(report, of: id, now: now) else { return line.isEmpty ? [] : dispatchAll(now: now) }
        catalog.forget()
        pin()
        setContextPolicies()
        return redecide(now: now)
    }

    /// - Returns: whether names may mean something else from now on, or requests go elsewhere.
    private mutating func book(_ report: EndpointReport, of id: EndpointID, now: NIODeadline) -> Bool {
        guard let index = indexOf[id] else { return false }
        let before = (places[index].phase, places[index].endpoint.kind, places[index].capabilities, places[index].reason)
        places[index].phase = report.state.phase
        places[index].reason = report.state.reason
        places[index].foundKind = report.kind
        if let kind = report.kind { places[index].endpoint.kind = kind }
        places[index].capabilities = report.capabilities(of: places[index].endpoint)
        var changed = before != (places[index].phase, places[index].endpoint.kind, places[index].capabilities, places[index].reason)
        if report.state.phase.takesWork || !report.models.isEmpty, places[index].listing != report.models || places[index].pairs.isEmpty {
            setModels(report, of: index)
            retryAbsences(index, now: now)
            changed = true
        }
        if !before.0.takesWork, report.state.phase.takesWork { retry(index, now: now) }
        setLoaded(report, of: index, now: now)
        return changed
    }

    private mutating func setModels(_ report: EndpointReport, of index: PlaceIndex) {
        places[index].listing = report.models
        let known = Dictionary(places[index].pairs.map { (self.pairs[$0].name, $0) }, uniquingKeysWith: { first, _ in first })
        for pair in places[index].pairs { pairs[pair].isPresent = false }
        for model in report.models {
            let pair = known[model.name] ?? addPair(model.name, to: index)
            pairs[pair].isPresent = true
            pairs[pair].sizeBytes = model.sizeBytes
            let heeded = LoadedConfiguration.Heeded(version: report.version, format: model.format)
            if pairs[pair].contexts.most != model.contextLength { pairs[pair].contexts.most = model.contextLength }
            if pairs[pair].contexts.heeded != heeded { pairs[pair].contexts.heeded = heeded }
            pairs[pair].fixedContext = places[index].endpoint.kind == .openAI ? model.contextLength : nil
            setAliases(model.aliases, of: pair)
        }
        if let unlisted = places[index].unlisted { pairs[unlisted].isPresent = true }
        // What is gone and idle is forgotten; its number in the array stays unused.
        for pair in places[index].pairs where !pairs[pair].isPresent && pairs[pair].inFlight == 0 {
            setUse(pair) { pair in
                pair.isLoaded = false
                pair.loading = 0
                pair.aheadUntil = nil
            }
            forgetBreaker(pair)
            for form in Self.forms(pairs[pair].name, aliases: pairs[pair].aliases) { forget(form, of: pair) }
        }
        places[index].pairs = places[index].pairs.filter { pairs[$0].isPresent || pairs[$0].inFlight > 0 }
        places[index].pairOfBook = Dictionary(places[index].pairs.map { (pairs[$0].book, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private mutating func addPair(_ name: String, to place: PlaceIndex) -> PairIndex {
        let key = ModelName.ollamaKey(name)
        let book = bookOf[key] ?? books.nextIndex
        if book == books.nextIndex {
            bookOf[key] = book
            books.append(ModelBook(key: key))
        }
        let pair = addPair(name, book: book, to: place)
        for form in Self.forms(name) { pairsByForm[form, default: []].append(pair) }
        return pair
    }

    mutating func addPair(_ name: String, book: BookIndex, to place: PlaceIndex) -> PairIndex {
        let pair = pairs.append(Pair(place: place, name: name, book: book))
        pairBreakers.append(Breaker())
        mark(pair)
        places[place].pairs.append(pair)
        return pair
    }

    private mutating func setAliases(_ aliases: [String], of pair: PairIndex) {
        guard pairs[pair].aliases != aliases else { return }
        let before = Self.forms(pairs[pair].name, aliases: pairs[pair].aliases)
        let after = Self.forms(pairs[pair].name, aliases: aliases)
        for form in before.subtracting(after) { forget(form, of: pair) }
        for form in after.subtracting(before) { pairsByForm[form, default: []].append(pair) }
        pairs[pair].aliases = aliases
    }

    private mutating func forget(_ form: String, of pair: PairIndex) {
        pairsByForm[form]?.removeAll { $0 == pair }
        if pairsByForm[form]?.isEmpty ?? false { pairsByForm[form] = nil }
    }

    private mutating func setLoaded(_ report: EndpointReport, of index: PlaceIndex, now: NIODeadline) {
        let takesWork = report.state.phase != .down
        let loadsModels = places[index].endpoint.kind.loadsModels
        let loaded = Dictionary(report.loaded.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let isLoading = places[index].resident.contains { !pairs[$0].isLoaded && pairs[$0].isUsable }
        let wanted = places[index].resident.reduce(0) { $0 + (isUsable($1) ? size($1) : 0) }
        var hasNew = isLoading
        var inMemory = 0
        var vanished = 0
        var changed = false
        for pair in concerned(report, index, loadsModels) {
            let found = takesWork && !loaded.isEmpty ? loaded[pairs[pair].name] : nil
            let isLoaded = found != nil || (takesWork && !loadsModels)
            pairs[pair].slots = found?.slots
            if let context = found?.contextLength, !hasConfigurations(pair) { pairs[pair].fixedContext = Int32(clamping: context) }
            if let size = found?.sizeVramBytes {
                changed = changed || pairs[pair].sizeInMemory != size
                pairs[pair].sizeInMemory = size
                inMemory += size
            }
            let wasReported = pairs[pair].isReported
            pairs[pair].isReported = found != nil
            if found != nil, !wasReported { hasNew = true }
            guard isLoaded != pairs[pair].isLoaded else {
                if let context = found?.contextLength { setContext(pair, told: context) }
                continue
            }
            if pairs[pair].isReloading { continue }
            // A load under way will push it out, or has done so since the poll.
            if isLoaded, isLoading, !pairs[pair].takesMemory, !makesRoom(pair) { continue }
            if !isLoaded, takesWork, wasReported, now - pairs[pair].lastUsed < .seconds(240) { vanished += pairs[pair].expectedSize ?? 0 }
            setUse(pair) { pair in
                pair.isLoaded = isLoaded
                if isLoaded { pair.aheadUntil = nil }
            }
            if let context = found?.contextLength { setContext(pair, told: context) }
        }
        places[index].largestSeen = max(places[index].largestSeen, inMemory)
        if changed { residentsChanged(index) }
        // What went although it was used lately, as others came, went for want of room: all of it together does not fit.
        let together = max(wanted, inMemory + vanished)
        if vanished > 0, hasNew, together > places[index].largestSeen {
            places[index].leastOverflow = min(places[index].leastOverflow ?? .max, together)
        }
        if let least = places[index].leastOverflow, least <= places[index].largestSeen { places[index].leastOverflow = nil }
    }

    /// Of the endpoint's many models the few whose being in memory a report may change.
    private func concerned(_ report: EndpointReport, _ place: PlaceIndex, _ loadsModels: Bool) -> [PairIndex] {
        guard loadsModels else { return places[place].pairs }
        var concerned = places[place].resident
        for model in report.loaded where !concerned.contains(where: { pairs[$0].name == model.name }) {
            if let pair = places[place].pairs.first(where: { pairs[$0].name == model.name }) { concerned.append(pair) }
        }
        return concerned
    }

    /// Whether a model that a poll found in memory fits beside all that is there and on the way.
    private func makesRoom(_ pair: PairIndex) -> Bool {
        let place = pairs[pair].place
        guard let memory = memory(place) else { return true }
        return places[place].resident.reduce(size(pair)) { $0 + size($1) } <= memory
    }

    /// Marks the pairs that the configuration wants in memory.
    private mutating func pin() {
        residentsChanged()
        for index in pairs.indices where pairs[index].isPinned { pairs[index].isPinned = false }
        for (name, pin) in settings.pins {
            for candidate in lookUp(name).candidates {
                switch pin {
                case .everywhere: pairs[candidate.pair].isPinned = true
                case .on(let names): pairs[candidate.pair].isPinned = names.contains(places[pairs[candidate.pair].place].endpoint.name)
                }
            }
        }
    }
}
