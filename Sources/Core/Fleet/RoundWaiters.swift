// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// Those who wait for the end of a round of polls. Belongs to a poller.
struct RoundWaiters {
    /// Ends once, however often it is told to.
    struct Ended: Sendable {
        private let stream: AsyncStream<Void>
        fileprivate let end: AsyncStream<Void>.Continuation

        fileprivate init() { (stream, end) = AsyncStream.makeStream(of: Void.self) }

        /// Returns when it has ended.
        var value: Void {
            get async { for await _ in stream {} }
        }
    }

    private var waiting: [Int: (round: Int, ended: Ended)] = [:]
    private var nextNumber = 0

    /// - Returns: the waiter's number, and what ends with the round of this number or a later one.
    mutating func wait(for round: Int) -> (Int, Ended) {
        let ended = Ended()
        nextNumber += 1
        waiting[nextNumber] = (round, ended)
        return (nextNumber, ended)
    }

    mutating func ended(_ round: Int) {
        for (number, waiter) in waiting where waiter.round <= round { end(number) }
    }

    /// Whoever waits under this number waits no longer.
    mutating func end(_ number: Int) { waiting.removeValue(forKey: number)?.ended.end.finish() }

    mutating func endAll() {
        for number in waiting.keys { end(number) }
    }
}
