// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Where a request stands in line, for operators.
public struct LinePlace: Sendable, Equatable {
    public var ticket: TicketID
    public var since: NIODeadline
    /// Requests for the same model that would go before it.
    public var position: Int
    /// The first few of those, the next to go first.
    public var behind: [TicketID]
    /// Each endpoint that could serve it, and why it does not now: `gpu1: 4 of 4 slots taken`.
    public var blockedBy: [String]
    /// Seconds until it is expected to get its slot; nil where that is not known, or later than it waits for.
    public var beginsIn: Double?
}

extension Scheduler {
    /// How many of those before it a waiting request is told of.
    private static let shownBefore = 3

    /// Everybody in line, who has waited longest first.
    public mutating func queue(now: NIODeadline) -> [LinePlace] {
        guard !line.isEmpty else { return [] }
        var byModel: [String: [GroupIndex]] = [:]
        var blocked: [GroupIndex: [String]] = [:]
        for number in line.waitingGroups {
            let group = line[number]
            var key = group.model
            switch resolve(group) {
            case .candidates(let target):
                key = target.key
                blocked[number] = obstacles(target, group, now: now)
            case .later:
                let starting = places.values.filter { $0.phase == .starting && !$0.isRemoved }
                blocked[number] = starting.map { "\($0.endpoint.name): not asked yet" }
            case .refused: break
            }
            byModel[key, default: []].append(number)
        }
        var result: [LinePlace] = []
        for groups in byModel.values {
            let order = line.order(of: groups)
            for (position, next) in order.enumerated() {
                result.append(
                    LinePlace(
                        ticket: next.waiter.ticket, since: next.waiter.since, position: position,
                        behind: order.prefix(min(position, Self.shownBefore)).map(\.waiter.ticket), blockedBy: blocked[next.group] ?? []))
            }
        }
        return result.sorted { ($0.since, $0.ticket.rawValue) < ($1.since, $1.ticket.rawValue) }
    }

    private func obstacles(_ target: Target, _ group: WaitingLine.Group, now: NIODeadline) -> [String] {
        target.candidates.compactMap { candidate -> String? in
            let pair = pairs[candidate.pair]
            let place = places[pair.place]
            guard !place.isRemoved, group.needs.fit(of: place.capabilities) != nil else { return nil }
            let limit = self.limit(candidate.pair)
            let why =
                if group.excluding.contains(place.endpoint.id) {
                    "has failed this request"
                } else if !place.takesWork {
                    Self.why(place).why
                } else if let why = whySetAside(candidate.pair, group.needs, now: now) {
                    why
                } else if pair.inFlight >= limit {
                    "\(pair.inFlight) of \(limit) slots taken"
                } else if let context = pair.fixedContext, context < group.options?.contextLength ?? 0 {
                    "its context is \(context) tokens"
                } else if let words = otherConfiguration(candidate.pair, than: group.options) {
                    "loaded with \(words)"
                } else {
                    "\(pair.inFlight) of \(limit) slots taken, kept free for now"
                }
            return "\(place.endpoint.name): \(why)"
        }
    }

    /// With what the model is there, for people, where that is not what a request asks for.
    private func otherConfiguration(_ pair: PairIndex, than options: RunnerOptions?) -> String? {
        guard isUsable(pair), hasConfigurations(pair), !pairs[pair].configuration.serves(options ?? .unset, pairs[pair].contexts) else { return nil }
        return pairs[pair].configuration.words(pairs[pair].contexts)
    }

    /// Where a request would go if it came now and asked for what most ask for; where every slot is taken, where it could go. Nothing
    /// changes.
    public func whereTo(_ ask: Ask, now: NIODeadline) -> Result<Placement, RefusalError> {
        var trial = self
        var ask = ask
        if case .candidates(let target) = trial.resolve(ask.model, needs: ask.needs, excluding: ask.excluding, unlisted: ask.unlisted),
            let book = target.book
        {
            ask.options = commonestOptions(book)
        }
        switch trial.submit(ask, now: now) {
        case .granted(let grant): return .success(grant.placement)
        case .queued: return trial.locate(ask)
        case .refused(let refusal): return .failure(RefusalError(refusal: refusal))
        }
    }

    /// Whether an endpoint in service, other than `id`, has the model.
    public mutating func isServed(_ model: String, without id: EndpointID) -> Bool {
        if case .candidates = resolve(model, needs: RouteNeeds([]), excluding: [id]) { return true }
        return false
    }
}
