// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// The scheduler's books, for operators: plain values, cheap enough to take several times a second.
public struct SchedulerSnapshot: Sendable, Equatable {
    public struct OfEndpoint: Sendable, Equatable {
        public var inFlight = 0
        /// By the model's name as the endpoint spells it; only models that have any.
        public var inFlightByModel: [String: Int] = [:]
        /// Requests in line that it could serve.
        public var waiting = 0
        /// Models that it is loading for us.
        public var loading: Set<String> = []
        /// With what its models are in memory, or will be, for people; only those of which that is known.
        public var configurations: [String: String] = [:]
        /// What is counted with for its models, as far as something is known of them.
        public var estimates: [String: Estimate] = [:]
        public var counters = EndpointCounters()
        /// What of it gets no requests for now.
        public var setAside: [SetAside] = []
    }

    public var endpoints: [EndpointID: OfEndpoint] = [:]
    /// Requests in line by the name they ask for.
    public var waitingByModel: [String: Int] = [:]
    public var waiting = 0
    /// When the first in line came.
    public var oldest: NIODeadline?
    /// Leases out. Zero when nothing runs.
    public var inFlight = 0
    public var doubleReleases = 0
}

extension EndpointCounters {
    /// Requests that failed by the endpoint's doing.
    public var failures: Int { failed + unreachable + lost }
}

extension Scheduler {
    public mutating func snapshot() -> SchedulerSnapshot {
        var result = SchedulerSnapshot()
        for index in places.indices {
            let place = places[index]
            var row = SchedulerSnapshot.OfEndpoint()
            row.inFlight = place.inFlight
            row.counters = place.counters
            row.setAside = setAside(on: index)
            for pair in place.pairs {
                if pairs[pair].inFlight > 0 { row.inFlightByModel[pairs[pair].name] = pairs[pair].inFlight }
                if !pairs[pair].isLoaded, pairs[pair].isUsable { row.loading.insert(pairs[pair].name) }
                if hasEstimate(pair) { row.estimates[pairs[pair].name] = estimate(pair) }
                if pairs[pair].isUsable, hasConfigurations(pair), let words = pairs[pair].configuration.words(pairs[pair].contexts) {
                    row.configurations[pairs[pair].name] = words
                }
            }
            result.endpoints[place.endpoint.id] = row
        }
        for number in line.waitingGroups {
            let count = line.waiting(in: number)
            result.waitingByModel[line[number].model, default: 0] += count
            guard case .candidates(let target) = resolve(line[number]) else { continue }
            for id in Set(target.candidates.map { places[pairs[$0.pair].place] }.filter(\.takesWork).map(\.endpoint.id)) {
                result.endpoints[id]?.waiting += count
            }
        }
        result.waiting = line.count
        result.oldest = line.oldest
        result.inFlight = leasesOut
        result.doubleReleases = doubleReleases
        return result
    }
}
