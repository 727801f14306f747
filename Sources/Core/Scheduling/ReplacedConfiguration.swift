// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// What was known of a model in memory as a load with other options was taken to begin.
///
/// The endpoint may refuse the request before it loads anything: an option of a wrong type, a model that cannot do what is asked, a full line.
/// Then the model is there as before.
struct ReplacedConfiguration: Sendable {
    var configuration: LoadedConfiguration
    var number: UInt32
    var isLoaded: Bool
    var isReported: Bool
    var contextBefore: Int32?
    var prefixes: PrefixMemory
    var readyAt: NIODeadline
    var loadCause: LoadCause

    init(_ pair: Pair) {
        configuration = pair.configuration
        number = pair.configurationNumber
        isLoaded = pair.isLoaded
        isReported = pair.isReported
        contextBefore = pair.contextBefore
        prefixes = pair.prefixes
        readyAt = pair.readyAt
        loadCause = pair.loadCause
    }
}

extension Scheduler {
    /// A request that was refused before its load leaves that to one that had joined it, which now sets it off.
    ///
    /// - Returns: whether there is such a one.
    mutating func passesOn(_ record: LeaseTable.Record, _ end: LeaseEnd) -> Bool {
        let pair = record.pair
        guard end.outcome.meansThatNothingWasLoaded, !pairs[pair].isLoaded, pairs[pair].loading == 1, isPresent(record),
            let heir = leases.out.first(where: { $0.1.pair == pair && $0.1.load == .joined && isPresent($0.1) })
        else { return false }
        leases.set(record.load, of: heir.0)
        return true
    }

    /// A request has come back for which a load was taken to begin: with a refusal, there was none, and what it would have replaced is still
    /// there.
    ///
    /// To be called when the lease is out of the table and its load no longer counted.
    mutating func settleReplaced(_ record: LeaseTable.Record, _ end: LeaseEnd) {
        let pair = record.pair
        guard record.load == .begun(.configuration), isPresent(record), let replaced = pairs[pair].replaced else { return }
        pairs[pair].replaced = nil
        guard end.outcome.meansThatNothingWasLoaded, !pairs[pair].isLoaded, places[pairs[pair].place].phase.takesWork
        else { return }
        setUse(pair) { pair in
            pair.isLoaded = replaced.isLoaded
            pair.isReported = replaced.isReported
        }
        guard isUsable(pair) else { return }
        pairs[pair].set(replaced.configuration)
        pairs[pair].configurationNumber = replaced.number
        pairs[pair].contextBefore = replaced.contextBefore
        pairs[pair].prefixes = replaced.prefixes
        pairs[pair].readyAt = replaced.readyAt
        pairs[pair].loadCause = replaced.loadCause
        residentsChanged(pairs[pair].place)
    }
}

extension LeaseEnd.Outcome {
    /// Refusals come before a load: a server reads the request first.
    fileprivate var meansThatNothingWasLoaded: Bool {
        switch self {
        case .refused, .notHere, .busy: true
        case .completed, .failed, .unreachable, .aborted, .lost: false
        }
    }
}
