// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// The rule: which of the candidates gets the request, or none, which means that it waits.
///
/// The order now is simple and strict: (1) the model is in memory there, or being loaded for us, and a slot for it is free;
/// (2) a slot is free and the model must be loaded: rather where that disturbs nobody; (3) wait. A rule that weighs expected
/// times replaces this function and nothing else: all that it needs is in `Pair.learned`, `demand` and the sizes, and it
/// may return nil although a slot is free.
extension Scheduler {
    struct Choice {
        var candidate: Candidate
        var why: Grant.Reason
        var fit: RouteFit
    }

    /// What a load would do to what is in memory there. The less the better.
    enum Disturbance: Int, Comparable {
        /// It fits beside everything.
        case fits
        /// The endpoint's memory is not known, and nothing there is in use.
        case unknownButIdle
        /// Only models that nobody uses now have to go.
        case evictsIdle
        /// The endpoint's memory is not known, and something there is in use.
        case unknownAndBusy
        /// A model in use has to go, or rather: the load waits for it.
        case evictsBusy

        static func < (left: Disturbance, right: Disturbance) -> Bool { left.rawValue < right.rawValue }
    }

    /// Candidates in the order of preference: the least goes first.
    private struct Preference: Comparable {
        var mustLoad: Bool
        var disturbance: Disturbance = .fits
        /// Zero where a load is needed: none of it can be running.
        var inFlightForModel: Int
        var inFlight: Int
        /// The endpoint speaks the route: nothing has to be translated.
        var isNative: Bool
        var weight: Double

        static func < (left: Preference, right: Preference) -> Bool {
            if left.mustLoad != right.mustLoad { return right.mustLoad }
            if left.disturbance != right.disturbance { return left.disturbance < right.disturbance }
            if left.inFlightForModel != right.inFlightForModel { return left.inFlightForModel < right.inFlightForModel }
            if left.inFlight != right.inFlight { return left.inFlight < right.inFlight }
            if left.isNative != right.isNative { return left.isNative }
            return left.weight > right.weight
        }
    }

    mutating func choose(_ target: Target, needs: RouteNeeds, excluding: [EndpointID]) -> Choice? {
        var best: (candidate: Candidate, preference: Preference)?
        var equals = 0
        for candidate in target.candidates {
            let pair = pairs[candidate.pair]
            let place = places[pair.place]
            guard place.takesWork, pair.inFlight < pair.limit(place.endpoint), let fit = needs.fit(of: place.capabilities),
                excluding.isEmpty || !excluding.contains(place.endpoint.id)
            else { continue }
            var preference = Preference(
                mustLoad: !pair.isUsable, inFlightForModel: pair.inFlight, inFlight: place.inFlight, isNative: fit == .native,
                weight: place.endpoint.weight)
            if preference.mustLoad { preference.disturbance = disturbance(candidate.pair) }
            if let known = best {
                if known.preference < preference { continue }
                // Among equals each is taken with the same probability, whatever their number and order.
                equals = preference < known.preference ? 1 : equals + 1
                if equals > 1, Int.random(in: 0..<equals, using: &random) != 0 { continue }
            } else {
                equals = 1
            }
            best = (candidate, preference)
        }
        return best.map {
            Choice(
                candidate: $0.candidate, why: reason($0.candidate.pair, $0.preference), fit: $0.preference.isNative ? .native : .translated)
        }
    }

    private func reason(_ pair: Int, _ preference: Preference) -> Grant.Reason {
        if pairs[pair].isLoaded { return .loaded }
        if pairs[pair].loading > 0 { return .loading }
        return preference.disturbance == .fits ? .fits : .load
    }

    private func disturbance(_ wanted: Int) -> Disturbance {
        let place = places[pairs[wanted].place]
        var used = 0
        var idle = 0
        var somethingIsBusy = false
        for index in place.pairs where index != wanted && pairs[index].isUsable {
            let size = pairs[index].expectedSize ?? 0
            used += size
            if pairs[index].inFlight == 0 { idle += size } else { somethingIsBusy = true }
        }
        guard let size = pairs[wanted].expectedSize else { return somethingIsBusy ? .unknownAndBusy : .unknownButIdle }
        if used + size <= place.largestSeen { return .fits }
        guard let memory = place.endpoint.vramBytes else { return somethingIsBusy ? .unknownAndBusy : .unknownButIdle }
        if used + size <= memory { return .fits }
        return used - idle + size <= memory || !somethingIsBusy ? .evictsIdle : .evictsBusy
    }
}
