// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Protocol

/// What was: the last minutes, the last events, the tokens.
extension Router {
    /// - Parameter wanted: names of the endpoints that are told of one by one; nil for all. A name that nobody has is left out.
    func historyInfo(of wanted: [String]?) -> HistoryInfo {
        let endpoints = shared.fleet.reports().map(\.0).filter { wanted?.contains($0.name) ?? true }
        return history.current.info(Dictionary(endpoints.map { ($0.id, $0.name) }, uniquingKeysWith: { first, _ in first }))
    }

    private static let eventsShown = 200

    /// - Throws: `RPCError` for a level that there is not.
    func events(_ params: EventParams) throws -> [EventInfo] {
        var severity = 0
        if let level = params.level {
            guard let place = EventInfo.levels.firstIndex(of: level) else {
                throw RPCError(.invalidParams, "no level '\(level)'; there is: \(EventInfo.levels.joined(separator: ", "))")
            }
            severity = place
        }
        let limit = params.limit ?? Self.eventsShown
        guard (1...EventLog.capacity).contains(limit) else {
            throw RPCError(.invalidParams, "limit must be from 1 to \(EventLog.capacity), not \(limit)")
        }
        return events.events(after: params.after, severity: severity, limit: limit)
    }

    /// For a subscription: those after `sequence`, or, with nil, the last hundred.
    func events(after sequence: Int?) -> [EventInfo] {
        events.events(after: sequence, limit: sequence == nil ? 100 : EventLog.capacity)
    }

    func tokens(_ params: TokensParams) async throws -> TokensInfo {
        let span = try TokenSpan(params, now: WallClock.unixSeconds())
        // What has been counted since the last tick.
        await workers.flush()
        let points: [TokenPoint]
        do {
            points = try await shared.tokens.sums(since: span.from, step: span.step)
        } catch {
            throw RPCError(.refused, "the database of token counts fails: \(error)")
        }
        let names = Dictionary(shared.fleet.reports().map { ($0.0.address.url, $0.0.name) }, uniquingKeysWith: { first, _ in first })
        return span.info(points, totals: shared.tokens.totals().map(\.sum), names: names)
    }
}
