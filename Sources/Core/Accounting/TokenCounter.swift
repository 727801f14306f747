// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle

#if canImport(Dispatch)
    import Dispatch
#endif

/// Counts tokens for each endpoint and model, and brings them to the database behind a buffer: a request only adds to a
/// dictionary, twice a second what has gathered is written, so that `kill -9` loses less than a second of it.
///
/// While the database cannot be written, counting goes on in memory, and what has gathered is written once when it can.
final class TokenCounter: Service {
    /// How the storage is doing, for operators.
    struct Health: Sendable, Equatable {
        /// Empty while all is well.
        var fault = ""
        /// Where a damaged file was set aside.
        var setAside: String?
    }

    private struct State {
        var totals: [TokenKey: TokenSum] = [:]
        /// By minute, not written yet; without a database, the last day.
        var pending: [Int: [TokenKey: TokenSum]] = [:]
        var health = Health()
        /// What the file held has been added to `totals`.
        var isLoaded = false
    }

    private let state = NIOLockedValueBox(State())
    private let path: String?
    private let logger: Logger
    private let clock: @Sendable () -> Int
    /// The database belongs to this queue: everything that touches the disk runs there, one after the other.
    private let disk = DispatchQueue(label: "routerd.tokens")
    private let database: TokenDatabase?

    static let flushInterval = 500
    /// Minutes that are kept while the database is out of order; older ones are joined.
    private static let pendingMinutes = 24 * 60

    /// - Parameters:
    ///   - path: of the database; nil keeps everything in memory.
    ///   - clock: unix seconds.
    init(path: String?, logger: Logger, clock: @escaping @Sendable () -> Int = { WallClock.unixSeconds() }) {
        self.path = path
        self.logger = logger
        self.clock = clock
        database = path.map { TokenDatabase(path: $0) }
    }

    // MARK: From the requests' way

    func record(_ key: TokenKey, _ sum: TokenSum) {
        guard sum.total > 0 else { return }
        let minute = clock() / 60 * 60
        state.withLockedValue { state in
            state.totals[key, default: TokenSum()] += sum
            if path == nil, state.pending[minute] == nil { state.pending = state.pending.filter { $0.key > minute - Self.pendingMinutes * 60 } }
            state.pending[minute, default: [:]][key, default: TokenSum()] += sum
        }
    }

    // MARK: Reading

    var health: Health { state.withLockedValue { $0.health } }

    /// Sorted.
    func totals() -> [(key: TokenKey, sum: TokenSum)] {
        state.withLockedValue { $0.totals }.sorted { $0.key < $1.key }.map { (key: $0.key, sum: $0.value) }
    }

    /// What is stored and what waits to be, oldest first.
    func series(model: String?, since: Int = 0) async throws -> [TokenPoint] {
        guard path != nil else { return [] }
        await flush()
        return try await onDisk { try $0?.series(model: model, since: since) ?? [] }
    }

    /// What was counted since then, added up by steps; without a database, of the last day.
    ///
    /// - Parameters:
    ///   - since: unix seconds at which the first step begins.
    ///   - step: seconds, whole minutes.
    func sums(since: Int, step: Int) async throws -> [TokenPoint] {
        guard path != nil else {
            let pending = state.withLockedValue { $0.pending }
            return pending.filter { $0.key >= since }.flatMap { minute, sums in
                sums.map { TokenPoint(key: $0.key, timestamp: since + (minute - since) / step * step, sum: $0.value) }
            }
        }
        await flush()
        return try await onDisk { try $0?.sums(since: since, step: step) ?? [] }
    }

    /// - Returns: how many groups of day, endpoint and model were made (or, with `trims`, dropped).
    func fold(olderThanDays days: Int, trims: Bool) async throws -> Int {
        await flush()
        let limit = (clock() / 86400 - days) * 86400
        return try await onDisk { try $0?.fold(before: limit, trims: trims) ?? 0 }
    }

    // MARK: The disk

    func run() async throws {
        guard path != nil else {
            try? await gracefulShutdown()
            return
        }
        await load()
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.flush()
                try? await Task.sleep(for: .milliseconds(Self.flushInterval))
            }
        }
        // The last counts of a normal stop.
        await flush()
        try? await onDisk { $0?.close() }
    }

    /// Adds what the file holds to what has been counted since the start.
    private func load() async {
        do {
            let stored = try await onDisk { try $0?.totals() ?? [:] }
            state.withLockedValue { state in
                guard !state.isLoaded else { return }
                state.isLoaded = true
                for (key, sum) in stored { state.totals[key, default: TokenSum()] += sum }
            }
            await note(fault: nil)
        } catch {
            await note(fault: "\(error)")
        }
    }

    func flush() async {
        // Without a database what has gathered is all there is.
        guard path != nil else { return }
        if !state.withLockedValue({ $0.isLoaded }) {
            await load()
            guard state.withLockedValue({ $0.isLoaded }) else { return }
        }
        let pending = state.withLockedValue { state in
            defer { state.pending = [:] }
            return state.pending
        }
        guard !pending.isEmpty else { return }
        let points = pending.flatMap { minute, sums in sums.map { TokenPoint(key: $0.key, timestamp: minute, sum: $0.value) } }
        do {
            try await onDisk { try $0?.add(points) }
            await note(fault: nil)
        } catch {
            putBack(pending)
            await note(fault: "\(error)")
        }
    }

    private func putBack(_ pending: [Int: [TokenKey: TokenSum]]) {
        state.withLockedValue { state in
            for (minute, sums) in pending {
                for (key, sum) in sums { state.pending[minute, default: [:]][key, default: TokenSum()] += sum }
            }
            // A disk that stays full must not fill the memory: the oldest minutes become one.
            while state.pending.count > Self.pendingMinutes, let oldest = state.pending.keys.min(),
                let sums = state.pending.removeValue(forKey: oldest),
                let next = state.pending.keys.min()
            {
                for (key, sum) in sums { state.pending[next, default: [:]][key, default: TokenSum()] += sum }
            }
        }
    }

    private func note(fault: String?) async {
        let setAside = try? await onDisk { $0?.setAside }
        let (before, after) = state.withLockedValue { state in
            let before = state.health
            state.health = Health(fault: fault ?? "", setAside: setAside)
            return (before, state.health)
        }
        guard before != after else { return }
        let path = path ?? ""
        if let setAside, before.setAside == nil {
            logger.error("the database of token counts was damaged: set aside, and begun anew", metadata: ["path": "\(path)", "now": "\(setAside)"])
        }
        if let fault, before.fault != fault {
            logger.error("token counts cannot be stored; they are kept in memory", metadata: ["path": "\(path)", "reason": "\(fault)"])
        } else if fault == nil, !before.fault.isEmpty {
            logger.notice("token counts are stored again", metadata: ["path": "\(path)"])
        }
    }

    private func onDisk<Result: Sendable>(_ body: @escaping @Sendable (TokenDatabase?) throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            disk.async { continuation.resume(with: Swift.Result { try body(self.database) }) }
        }
    }
}
