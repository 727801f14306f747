// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// What becomes of a model's name that no list has.
public enum UnlistedName: Hashable, Sendable {
    /// It is refused: whoever asks wants a model that is known.
    case refused
    /// It goes where only one endpoint can be meant, and is refused elsewhere.
    case whereOneIsMeant
    /// The request names its endpoint.
    case on(EndpointID)
}

/// Names that endpoints accept and do not list: aliases of llama-swap, a service's dated or hidden models, whatever a server with one model
/// is called. Each goes as it stands to the endpoint that alone can be meant:
///
/// 1. the one that the request names (`?endpoint=`), whatever it is, if no endpoint lists the name; if others do, only an
///    OpenAI-compatible service, as Ollama and llama-server list all that they have;
/// 2. the only endpoint of the fleet, unless it is an Ollama, which would not have it either;
/// 3. the only OpenAI-compatible service of the fleet that serves the route, unless another endpoint has had a model of that name: what was
///    meant for a machine of one's own must not reach somebody else's because it is gone there.
///
/// Anywhere else the name is unknown, and the client is told which there are.
///
/// All unlisted names of an endpoint share one pair, so that no client can make the books grow by inventing names: it has the endpoint's
/// slots, counts as loaded, and is shown as `unlistedModel`. A llama-server with one model serves that under any name.
extension Scheduler {
    /// Stands for all unlisted names of an endpoint where models are shown and counted.
    public static let unlistedModel = "(unlisted)"

    /// The one endpoint that the request names, if the name can go there.
    func namedPlace(_ target: Target, _ unlisted: UnlistedName) -> PlaceIndex? {
        guard case .on(let id) = unlisted, let place = indexOf[id], !places[place].isRemoved else { return nil }
        if target.candidates.isEmpty { return place }
        let isListedThere = target.candidates.contains { pairs[$0.pair].place == place }
        return !isListedThere && places[place].endpoint.kind == .openAI ? place : nil
    }

    /// The one endpoint that can be meant by a name that nobody lists, among those that are there.
    func onlyPlace(_ name: String, _ needs: RouteNeeds, _ unlisted: UnlistedName) -> PlaceIndex? {
        guard unlisted == .whereOneIsMeant else { return nil }
        let present = places.indices.filter { !places[$0].isRemoved }
        if present.count == 1 { return places[present[0]].endpoint.kind == .ollama ? nil : present[0] }
        let services = present.filter { places[$0].endpoint.kind == .openAI && needs.fit(of: places[$0].capabilities) != nil }
        guard let service = services.first, services.count == 1 else { return nil }
        let book = bookOf[ModelName.ollamaKey(settings.aliases[name] ?? name)]
        return book == nil || !pairs.values.contains { $0.book == book && $0.place != service } ? service : nil
    }

    /// The name, taken to be one of that endpoint's.
    mutating func resolve(_ name: String, at place: PlaceIndex, needs: RouteNeeds, excluding: [EndpointID]) -> Resolution {
        let endpoint = places[place].endpoint
        if excluding.contains(endpoint.id) { return .refused(.allFailed) }
        if places[place].phase == .starting { return .later }
        guard takesWork(place) else { return .refused(.noEndpointUp([Self.why(places[place])])) }
        guard needs.fit(of: places[place].capabilities) != nil else { return .refused(.unsupportedRoute(endpoints: [endpoint.name])) }
        let wanted = settings.aliases[name] ?? name
        let listed = places[place].pairs.filter { pairs[$0].isListed && pairs[$0].isPresent }
        let pair = endpoint.kind == .llamaServer && listed.count == 1 ? listed[0] : places[place].unlisted ?? addUnlisted(to: place)
        let candidate = Candidate(pair: pair, understandsAskedName: wanted == name, otherName: wanted)
        return .candidates(Target(key: ModelName.ollamaKey(wanted), book: pairs[pair].book, candidates: [candidate]))
    }

    private mutating func addUnlisted(to place: PlaceIndex) -> PairIndex {
        let pair = addPair(Self.unlistedModel, book: books.append(ModelBook(key: Self.unlistedModel)), to: place)
        pairs[pair].isListed = false
        places[place].unlisted = pair
        places[place].pairOfBook[pairs[pair].book] = pair
        setUse(pair) { pair in pair.isLoaded = true }
        return pair
    }
}
