// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// Why the router had a model loaded, as operators count it. Raw values are names for programs.
enum CountedLoad: String, Sendable, CaseIterable {
    /// It had never been seen in memory there.
    case first
    /// It had been there, and was gone: others took its memory, or its time was up.
    case evicted
    /// It was there with other options than a request asked for.
    case configuration
}

/// Who had a model loaded.
struct Asker: Hashable, Sendable {
    /// Without its port.
    var address: String
    /// The product's name in its `User-Agent`; empty where it does not say.
    var product: String

    /// Longest name of a product, in characters: clients may send anything.
    private static let limit = 40

    init(address: String, product: String) {
        self.address = address
        self.product = product
    }

    /// - Parameters:
    ///   - peer: address and port of a client; an IPv6 address stands in brackets.
    ///   - userAgent: as it came; nil where there was none.
    init(peer: String, userAgent: String?) {
        let host = peer.lastIndex(of: ":").map { peer[..<$0] } ?? peer[...]
        address = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host)
        let name = userAgent?.prefix { $0 != "/" && $0 != " " && $0.isASCII && ($0.asciiValue ?? 0) > 0x20 && $0 != "\u{7f}" } ?? ""
        product = String(name.prefix(Self.limit))
    }

    /// For people: `10.0.0.7, continue`.
    var words: String {
        let address = address.isEmpty ? "unknown client" : address
        return product.isEmpty ? address : "\(address), \(product)"
    }
}

/// The loads of one model on one endpoint: how many there were and why, and who has lately had it loaded with what.
struct LoadHistory: Sendable {
    /// One that replaced a configuration by another.
    struct Reload: Sendable {
        var at: NIODeadline
        /// With what it was there; nil where somebody else had it loaded.
        var before: RunnerOptions?
        var asked: RunnerOptions
        /// Nil where it was no client.
        var by: Asker?
    }

    /// So far back is remembered who asked for what.
    static let window = TimeAmount.minutes(10)
    /// So many reloads within that time are one too many.
    static let thrash = 5
    /// More than one a second is not remembered.
    private static let limit = 600

    private(set) var counts: [CountedLoad: Int] = [:]
    /// It was seen in memory there.
    private(set) var wasThere = false
    /// With what it was loaded last.
    private var options: RunnerOptions?
    private(set) var reloads: [Reload] = []
    private var warnedAt: NIODeadline?

    /// A poll has found it in memory.
    mutating func found() { wasThere = true }

    /// It is being loaded.
    ///
    /// - Parameter isReload: it was there, with other options.
    /// - Returns: what there is to warn of: the first time that it is so, and once in each `window` in which it goes on.
    mutating func note(isReload: Bool, _ asked: RunnerOptions, by asker: Asker?, now: NIODeadline) -> Thrash? {
        counts[isReload ? .configuration : wasThere ? .evicted : .first, default: 0] += 1
        defer { options = asked }
        guard isReload else { return nil }
        forget(now: now)
        if reloads.count >= Self.limit { reloads.removeFirst() }
        reloads.append(Reload(at: now, before: options, asked: asked, by: asker))
        guard reloads.count >= Self.thrash, warnedAt.map({ now - $0 >= Self.window }) ?? true else { return nil }
        warnedAt = now
        return Thrash(reloads)
    }

    private mutating func forget(now: NIODeadline) {
        if let first = reloads.firstIndex(where: { now - $0.at < Self.window }) {
            reloads.removeFirst(first)
        } else {
            reloads = []
        }
    }

    /// Those of the last `window`.
    func lately(now: NIODeadline) -> [Reload] { reloads.filter { now - $0.at < Self.window } }
}

/// A model that is loaded again and again, because clients ask for it with different options.
struct Thrash: Equatable, Sendable {
    struct Side: Equatable, Sendable {
        var options: RunnerOptions
        /// Without doubles, in the order in which they came.
        var askers: [Asker]
        var loads: Int
    }

    var reloads: Int
    /// Who asks for what; what is asked for most stands first.
    private(set) var sides: [Side] = []
    /// So many would not have been if contexts were shared.
    private(set) var avoidable = 0

    /// So many sides are told, and so many of those who ask for each; of the rest how many there are.
    private static let told = 3

    init(_ reloads: [LoadHistory.Reload]) {
        self.reloads = reloads.count
        for reload in reloads {
            let index = sides.firstIndex { $0.options == reload.asked } ?? sides.endIndex
            if index == sides.endIndex { sides.append(Side(options: reload.asked, askers: [], loads: 0)) }
            sides[index].loads += 1
            if let asker = reload.by, !sides[index].askers.contains(asker) { sides[index].askers.append(asker) }
        }
        // Of equals the smaller context first, so that the words do not depend on who came first.
        sides.sort { ($1.loads, $0.options.contextLength ?? 0) < ($0.loads, $1.options.contextLength ?? 0) }
        avoidable = Self.avoidable(reloads)
    }

    /// What sharing would have come to: a request for less context, or for none, takes what is there.
    private static func avoidable(_ reloads: [LoadHistory.Reload]) -> Int {
        var count = 0
        var there: RunnerOptions?
        var before: RunnerOptions?
        for reload in reloads {
            // Between the two it was loaded for another reason.
            if reload.before != before { there = reload.before }
            before = reload.asked
            if let present = there, reload.asked.isShareable(with: present) { count += 1 } else { there = reload.asked }
        }
        return count
    }

    /// "gpu-1 reloaded llama3.2 14 times in 10 minutes: num_ctx 8192 (10.0.0.7, continue) and 32768 (10.0.0.9): `context: share` would avoid 13"
    func words(_ endpoint: String, _ model: String) -> String {
        let areContexts = sides.allSatisfy { $0.options.contextLength != nil && $0.options == RunnerOptions(contextLength: $0.options.contextLength) }
        var sides = self.sides.prefix(Self.told).enumerated().map { index, side in
            let options = areContexts && index > 0 ? "\(side.options.contextLength ?? 0)" : side.options.words
            return side.askers.isEmpty ? options : "\(options) (\(Self.words(side.askers)))"
        }
        if self.sides.count > Self.told { sides.append("\(self.sides.count - Self.told) more") }
        let all = sides.count > 1 ? "\(sides.dropLast().joined(separator: ", ")) and \(sides[sides.count - 1])" : sides.joined()
        let minutes = LoadHistory.window.nanoseconds / TimeAmount.minutes(1).nanoseconds
        let advice = avoidable > 0 ? ": `context: share` would avoid \(avoidable)" : ""
        return "\(endpoint) reloaded \(model) \(reloads) times in \(minutes) minutes: \(all)\(advice)"
    }

    private static func words(_ askers: [Asker]) -> String {
        let words = askers.prefix(told).map(\.words).joined(separator: "; ")
        return askers.count > told ? "\(words); \(askers.count - told) more" : words
    }
}

extension RunnerOptions {
    /// Whether a request with these would find what it needs in a model that is loaded with `there`, if contexts were shared.
    fileprivate func isShareable(with there: RunnerOptions) -> Bool {
        var (asked, present) = (self, there)
        if asked.gpuLayers == nil { present.gpuLayers = nil }
        (asked.contextLength, present.contextLength) = (nil, nil)
        guard asked == present else { return false }
        guard let wanted = contextLength else { return true }
        return there.contextLength.map { wanted <= $0 } ?? false
    }
}
