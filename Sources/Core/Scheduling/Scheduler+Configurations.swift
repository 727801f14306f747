// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

/// One model, many configurations: a request for which its model would have to be loaded again with other options finds it not in memory,
/// whatever is there. That costs what a load costs, and those who use the present configuration what a load costs them.
extension Scheduler {
    /// Whether the model is in memory, or on the way there, with what the request asks for.
    func serves(_ pair: PairIndex, _ ask: Ask) -> Bool { isUsable(pair) && isAsAsked(pair, ask) }

    /// Whether a request finds the model as it wants it, if it is in memory.
    func isAsAsked(_ pair: PairIndex, _ ask: Ask) -> Bool {
        needsNoChange(pair, ask) || sharedContext(pair, ask) != nil
    }

    /// Whether it finds it so although it goes on as it came.
    private func needsNoChange(_ pair: PairIndex, _ ask: Ask) -> Bool {
        guard let options = ask.options else { return pairs[pair].servesUnset }
        return !hasConfigurations(pair) || pairs[pair].configuration.serves(options, pairs[pair].contexts)
    }

    /// What a request with a slot has to ask for instead of its own context.
    func contextToAskFor(_ pair: PairIndex, _ ask: Ask) -> Int32? {
        needsNoChange(pair, ask) ? nil : sharedContext(pair, ask)
    }

    /// Whether options of requests make the endpoint load. Other servers than Ollama have the context that they were started with.
    func hasConfigurations(_ pair: PairIndex) -> Bool {
        pairs[pair].isListed && places[pairs[pair].place].endpoint.kind == .ollama
    }

    /// Leaves out endpoints whose context is their own affair and less than the request asks for, if there is one in service that has
    /// more. Ollama gives as much as the model has.
    func dropTooSmall(_ target: inout Target, _ ask: Ask) {
        guard let asked = ask.options?.contextLength, target.candidates.contains(where: { isTooSmall($0.pair, asked) }) else { return }
        let rest = target.candidates.filter { !isTooSmall($0.pair, asked) }
        guard rest.contains(where: { couldServe($0.pair, ask) }) else { return }
        target.candidates = rest
        target.byPlace = []
    }

    private func isTooSmall(_ pair: PairIndex, _ context: Int32) -> Bool { pairs[pair].fixedContext.map { $0 < context } ?? false }

    /// Waiting requests for the same model, with the same options.
    func waiting(for book: BookIndex, as ask: Ask) -> Int {
        if books[book].configurations.isEmpty { return line.waiting(for: book) }
        return line.groups(of: book).reduce(0) { $0 + (line[$1].options == ask.options ? line.waiting(in: $1) : 0) }
    }

    /// What it adds to a load that the model is there with another configuration.
    func addReload(_ pair: PairIndex, _ ask: Ask, to cost: inout Cost, now: NIODeadline) {
        let load = loadTime(pair)
        let rate = presentRate(pair)
        cost.harm += rate * load * Weights.harmSeconds * (isElsewhere(pair) ? Weights.harmElsewhere : 1) + Weights.reload * load
        cost.fits = false
        let waited = ask.since.map { max(0, (now - $0).seconds) } ?? 0
        // With several under way at once there will be more, though they may be too new to be counted as demand.
        let wanted = min(1, max(rate * load, Double(pairs[pair].inFlight - 1)))
        let turn = max(0, Weights.patience * load * wanted - waited)
        if pairs[pair].isLoaded, pairs[pair].inFlight == 0 {
            // Idle, and yet not for long: who uses it is about to come back.
            guard turn > 0, rate * load > Weights.soon else { return }
            cost.patience = max(0, min(turn, 2 / rate - (now - pairs[pair].lastUsed).seconds))
            cost.isBlocked = cost.patience > 0
            return
        }
        // The endpoint lets those under way come to their end, and everything that comes later waits.
        cost.isBlocked = true
        cost.patience = turn
        if pairs[pair].inFlight > 0 { cost.busy += Weights.busy * books[pairs[pair].book].service.value / speedForOneMore(pairs[pair].place) }
        if !pairs[pair].isLoaded { cost.loadsBefore += remainingLoad(pair, now: now) }
    }

    /// Whether another endpoint has the model so that it does for those who use it here.
    func isElsewhere(_ pair: PairIndex) -> Bool {
        let configuration = pairs[pair].configuration
        let options = configuration.options ?? RunnerOptions(contextLength: configuration.context)
        return books[pairs[pair].book].usable.contains { $0 != pair && serves($0, options) }
    }

    /// Requests per second that find the model as it is loaded there.
    func presentRate(_ pair: PairIndex) -> Double {
        let book = pairs[pair].book
        if books[book].configurations.isEmpty { return books[book].rate }
        return books[book].configurations.rate { serves(pair, $0) }
    }

    // MARK: What is learned

    /// A load begins with these options; nil where the request sets none.
    mutating func setConfiguration(_ pair: PairIndex, _ options: RunnerOptions?) {
        guard hasConfigurations(pair) else { return }
        pairs[pair].contextBefore = isUsable(pair) ? pairs[pair].configuration.context ?? pairs[pair].contextBefore : nil
        pairs[pair].set(LoadedConfiguration(options: options ?? .unset))
    }

    /// The endpoint tells how much context the model has.
    mutating func setContext(_ pair: PairIndex, told context: Int) {
        guard hasConfigurations(pair), let context = Int32(exactly: context), pairs[pair].isLoaded else { return }
        var configuration = pairs[pair].configuration
        // A poll that was under way as the load ended tells what was there before.
        if configuration.context == context || (configuration.context == nil && context == pairs[pair].contextBefore) { return }
        if configuration.context != nil {
            // Somebody else had it loaded with something else.
            pairs[pair].prefixes.forget()
            configuration.options = nil
        }
        configuration.context = context
        if let asked = configuration.options?.contextLength { pairs[pair].contexts.areMultiplied = context > asked }
        if let options = configuration.options, options.contextLength == nil { pairs[pair].contexts.own = context }
        pairs[pair].set(configuration)
        residentsChanged(pairs[pair].place)
    }

    /// An answer that waited for a load that nobody had foreseen: somebody else had the model loaded otherwise, or dropped. Now it is there
    /// as this request asked for it.
    func wasLoadedUnawares(_ record: LeaseTable.Record, _ end: LeaseEnd) -> Bool {
        guard record.load == .none, isPresent(record), end.teaches, let load = end.loadTime?.seconds else { return false }
        // Some servers repeat what the first load took.
        return load <= end.serviceTime.seconds && load > max(Self.unawares, 0.3 * loadTime(record.pair))
    }

    /// A request was answered without a load: whoever had the model loaded, it is as this one asked for it.
    mutating func confirmConfiguration(_ record: LeaseTable.Record) {
        guard pairs[record.pair].configuration.options == nil, record.load == .none, pairs[record.pair].isLoaded, isPresent(record),
            hasConfigurations(record.pair)
        else { return }
        var configuration = pairs[record.pair].configuration
        configuration.options = record.options ?? .unset
        if configuration.options?.contextLength == nil, let context = configuration.context { pairs[record.pair].contexts.own = context }
        pairs[record.pair].set(configuration)
    }

    /// Whether the model is still there with what the lease was given for.
    func isPresent(_ record: LeaseTable.Record) -> Bool { record.configuration == pairs[record.pair].configurationNumber }

    /// Below that, seconds, it is what Ollama counts as a load where there was none.
    private static let unawares = 0.5
}
