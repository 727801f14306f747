// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// An answer that is being recorded for the cache, and for those who follow it: it goes to the flight as it goes to the client.
///
/// A class, as few requests have one and each exchange would have to hold the room for it.
final class Recording {
    private let fill: CacheFill
    private let cache: ResponseCache

    init(_ fill: CacheFill, _ cache: ResponseCache) {
        self.fill = fill
        self.cache = cache
    }

    /// - Parameter framing: how the client's stream is divided; nil for an answer that comes whole.
    func begin(framing: StreamFraming?) { fill.flight.begin(framing: framing) }

    func append(_ bytes: some Sequence<UInt8>) { fill.flight.append(bytes) }

    /// The answer is complete.
    ///
    /// - Parameter tellsTokens: the cost's counts are the endpoint's own.
    func keep(_ cost: AnswerCost, tellsTokens: Bool) { cache.keep(fill, cost, tellsTokens: tellsTokens) }

    /// - Parameter reason: nil where there was no answer at all.
    func stop(_ reason: NotKept?) { cache.fail(fill.flight, fill.request, reason) }

    /// The client of the generation leaves.
    ///
    /// - Parameter stop: called, on any thread, when the last follower leaves as well.
    /// - Returns: whether the generation is to go on for others.
    func isFollowed(stop: @escaping @Sendable () -> Void) -> Bool { fill.flight.leaderLeft(stop: stop) }
}

/// Whose answer a recording will be.
struct CacheFill {
    var request: CacheRequest
    var flight: SharedFlight
    /// Its meaning, in the making.
    var inquiry: MeaningSearch.Inquiry?
}
