// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What the end of a request changes, and the beginning of its answer.
extension Scheduler {
    /// A slot comes back: exactly once, or nothing changes.
    public mutating func release(_ lease: LeaseID, _ end: LeaseEnd, now: NIODeadline) -> [SchedulerAction] {
        guard let record = leases.remove(lease) else {
            doubleReleases += 1
            return []
        }
        let pair = record.pair
        let index = pairs[pair].place
        let wasUnforeseen = wasLoadedUnawares(record, end)
        learn(record, end, wasLoaded: !record.loads && !wasUnforeseen)
        let setAside = setAsideCount
        judge(record, end, now: now)
        if !end.outcome.meansThatThePromptWasRead, let kept = leases.kept(of: lease) { pairs[pair].prefixes.drop(kept) }
        pairs[pair].inFlight -= 1
        places[index].inFlight -= 1
        pairs[pair].lastUsed = now
        if wasUnforeseen {
            pairs[pair].prefixes.forget()
            setConfiguration(pair, record.options)
        } else if end.teaches, pairs[pair].configuration.options == nil {
            confirmConfiguration(record)
        }
        if record.loads {
            let isUp = places[index].phase.takesWork && isPresent(record)
            // A load that its client does not wait for has made its room all the same.
            if end.outcome == .aborted, pairs[pair].loading == 1 { pairs[pair].displaced = [] }
            // An answer proves that it is in memory; the next report may say otherwise.
            setUse(pair) { pair in
                pair.loading -= 1
                if end.teaches, isUp { pair.isLoaded = true }
            }
        }
        setUse(pair) { _ in }
        places[index].counters.count(end)
        if line.isEmpty { return [] }
        // More than this pair may be let in again.
        return setAsideCount < setAside ? dispatchAll(now: now) : dispatch(freed: pair, now: now)
    }

    private mutating func learn(_ record: LeaseTable.Record, _ end: LeaseEnd, wasLoaded: Bool) {
        let pair = record.pair
        let place = pairs[pair].place
        pairs[pair].learned.record(end, wasLoaded: wasLoaded)
        guard end.teaches else { return }
        // The others that ran there slowed it down by as much, about.
        let shared = 1 + Place.slowing * Double(max(0, places[place].inFlight - 1))
        books[pairs[pair].book].record(
            end, speed: places[place].speed / shared, wasLoaded: wasLoaded, coldTokens: record.coldTokens)
        // Unlisted names may be models of any size: how fast one is says nothing about the endpoint.
        if end.tokens > 10, pairs[pair].isListed, let first = end.timeToFirstToken, end.serviceTime > first {
            learnSpeed(pair, Double(end.tokens) / (end.serviceTime - first).seconds * shared)
        }
        if !wasLoaded, let seconds = end.loadTime?.seconds { learnLoad(pair, seconds) }
    }

    mutating func learnLoad(_ pair: PairIndex, _ seconds: Double) {
        books[pairs[pair].book].recordLoad(seconds)
        guard let size = pairs[pair].expectedSize, seconds > 0.1 else { return }
        let rate = Double(size) / seconds
        let place = pairs[pair].place
        places[place].bandwidth = places[place].bandwidth.map { $0 + 0.2 * (rate - $0) } ?? rate
    }

    /// An answer has begun, with the status 200: its model is in memory. To be told for grants whose `wasLoaded` is false
    /// and for probes; for others it changes nothing.
    public mutating func began(_ lease: LeaseID, now: NIODeadline) -> [SchedulerAction] {
        guard let record = leases.record(of: lease) else { return [] }
        let isNews = isPresent(record) && (record.loads || !pairs[record.pair].isLoaded) && places[pairs[record.pair].place].phase.takesWork
        guard isNews || pairs[record.pair].isSetAside else { return [] }
        let setAside = setAsideCount
        began(record, now: now)
        if isNews { hasLoaded(record, now: now) }
        if line.isEmpty { return [] }
        return setAsideCount < setAside ? dispatchAll(now: now) : dispatch(freed: record.pair, now: now)
    }

    private mutating func hasLoaded(_ record: LeaseTable.Record, now: NIODeadline) {
        let place = pairs[record.pair].place
        // So late that it must have waited for something to go: all of it does not fit.
        if !pairs[record.pair].isLoaded, pairs[record.pair].loadCause == .first, pairs[record.pair].usedAtLoad > places[place].largestSeen,
            (now - pairs[record.pair].readyAt).seconds > max(5, loadTime(record.pair))
        {
            places[place].leastOverflow = min(places[place].leastOverflow ?? .max, pairs[record.pair].usedAtLoad)
        }
        setUse(record.pair) { pair in pair.isLoaded = true }
    }
}

extension LeaseEnd.Outcome {
    /// Whether the endpoint's cache is likely to have the prompt now.
    fileprivate var meansThatThePromptWasRead: Bool {
        switch self {
        case .completed, .aborted, .lost: true
        case .refused, .notHere, .busy, .failed, .unreachable: false
        }
    }
}

extension EndpointCounters {
    func count(of outcome: LeaseEnd.Outcome) -> Int {
        switch outcome {
        case .completed: completed
        case .refused: refused
        case .notHere: notHere
        case .busy: busy
        case .failed: failed
        case .unreachable: unreachable
        case .aborted: aborted
        case .lost: lost
        }
    }

    fileprivate mutating func count(_ end: LeaseEnd) {
        tokens += end.tokens
        switch end.outcome {
        case .completed: completed += 1
        case .refused: refused += 1
        case .notHere: notHere += 1
        case .busy: busy += 1
        case .failed: failed += 1
        case .unreachable: unreachable += 1
        case .aborted: aborted += 1
        case .lost: lost += 1
        }
    }
}
