// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// The leases that are out: a slot map, in which each entry's generation makes an old name worthless.
struct LeaseTable: Sendable {
    struct Record: Sendable {
        var pair: PairIndex
        var load: Load
        /// Tokens of the prompt that were not expected to be warm; 0 if unknown.
        var coldTokens = 0
        /// What it asked for.
        var needs = RouteNeeds([])
        var options: RunnerOptions?
        /// When it was given.
        var since = NIODeadline.uptimeNanoseconds(0)
        /// `Pair.configurationNumber` as it was given.
        var configuration: UInt32 = 0
        /// The openings of the breakers that let it in.
        var openings = Openings()

        /// Its grant made the endpoint load the model.
        var loads: Bool { load.cause != nil }
    }

    /// What its grant had to do with a load.
    enum Load: Sendable, Equatable {
        /// The model was in memory.
        case none
        /// It was on the way there.
        case joined
        /// The grant made the endpoint load it.
        case begun(LoadCause)

        var cause: LoadCause? {
            if case .begun(let cause) = self { cause } else { nil }
        }
    }

    struct Kept: Sendable {
        var prefix: PrefixChain
        var session: UInt64?
        /// Tokens of the prompt that were warm before it.
        var warmTokens: Int

        /// Nil for a prompt that nobody has read.
        init?(_ ask: Ask, warmTokens: Int) {
            guard !ask.prefix.isEmpty || ask.session != nil else { return nil }
            prefix = ask.prefix
            session = ask.session
            self.warmTokens = warmTokens
        }
    }

    struct Openings: Sendable {
        var pair: UInt32 = 0
        var place: UInt32 = 0
        var absence: UInt32 = 0
    }

    private var entries: [(generation: UInt32, record: Record?)] = []
    /// Apart, as it is hardly ever read. What is left of a lease that is over goes with the next one.
    private var kept: [Kept?] = []
    private var free: [UInt32] = []

    private(set) var count = 0

    /// - Parameter kept: what was kept of its prompt as warm; nil where that is of no interest.
    mutating func add(_ record: Record, kept: Kept? = nil) -> LeaseID {
        count += 1
        if let index = free.popLast() {
            entries[Int(index)].record = record
            self.kept[Int(index)] = kept
            return Self.name(index, entries[Int(index)].generation)
        }
        entries.append((generation: 0, record: record))
        self.kept.append(kept)
        return Self.name(UInt32(entries.count - 1), 0)
    }

    /// Nil if the lease is not out (any more): whoever asks gives it back for the second time.
    mutating func remove(_ lease: LeaseID) -> Record? {
        let index = Int(UInt32(truncatingIfNeeded: lease.rawValue))
        let generation = UInt32(truncatingIfNeeded: lease.rawValue >> 32)
        guard index < entries.count, entries[index].generation == generation, let record = entries[index].record else { return nil }
        entries[index] = (generation: generation &+ 1, record: nil)
        free.append(UInt32(index))
        count -= 1
        return record
    }

    /// Of a lease that has just been removed.
    func kept(of lease: LeaseID) -> Kept? {
        let index = Int(UInt32(truncatingIfNeeded: lease.rawValue))
        return index < kept.count ? kept[index] : nil
    }

    /// Nil if the lease is not out.
    func record(of lease: LeaseID) -> Record? {
        let index = Int(UInt32(truncatingIfNeeded: lease.rawValue))
        guard index < entries.count, entries[index].generation == UInt32(truncatingIfNeeded: lease.rawValue >> 32) else { return nil }
        return entries[index].record
    }

    /// All that are out.
    var out: [(LeaseID, Record)] {
        entries.enumerated().compactMap { index, entry in entry.record.map { (Self.name(UInt32(index), entry.generation), $0) } }
    }

    private static func name(_ index: UInt32, _ generation: UInt32) -> LeaseID {
        LeaseID(rawValue: UInt64(generation) << 32 | UInt64(index))
    }
}
