// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import Logging
import NIOConcurrencyHelpers
import NIOCore

/// Tells the log of models that come into memory and leave it: what the router had loaded and how long that took, and what polls find
/// that others did.
///
/// The end of a load is seen twice, by the first byte of an answer and by a poll: whichever comes first tells, once. Loads are rare, so that
/// this may take a lock and write.
final class LoadLog: Sendable {
    /// For whom a model is loaded; the fact `for` of the event.
    enum Cause {
        /// Its id.
        case request(String, by: Asker? = nil)
        case `operator`
        /// Pinned, or loaded ahead of need.
        case placement

        var words: String {
            switch self {
            case .request(let id, by: _): "request \(id)"
            case .operator: "an operator"
            case .placement: "placement"
            }
        }

        var asker: Asker? {
            if case .request(_, by: let asker) = self { asker } else { nil }
        }
    }

    /// One load that the router has asked for. Whoever asked tells its end.
    final class Load: Sendable {
        private let log: LoadLog
        private let key: Key

        fileprivate init(_ log: LoadLog, _ key: Key) {
            self.log = log
            self.key = key
        }

        /// It is in memory now.
        func ended(now: NIODeadline = .now()) { log.ended(key, now: now) }

        /// - Parameter reason: empty where none is known.
        func failed(_ reason: String) { log.failed(key, reason) }

        /// Nobody waits for it any more. It may go on all the same: a poll will tell.
        func left() { log.left(key) }
    }

    fileprivate struct Key: Hashable {
        var endpoint: EndpointID
        var name: String
        var model: String

        var facts: Logger.Metadata { ["endpoint": "\(name)", "model": "\(model)"] }
    }

    private struct State {
        var began: [Key: (at: NIODeadline, isAwaited: Bool)] = [:]
        /// Told already, and not yet seen by a poll.
        var told: Set<Key> = []
        var histories: [Key: LoadHistory] = [:]

        /// Changes what is known of a model's loads, up to a number of them that no fleet has.
        mutating func note<Result>(_ key: Key, _ change: (inout LoadHistory) -> Result) -> Result? {
            guard histories[key] != nil || histories.count < LoadLog.historyLimit else { return nil }
            return change(&histories[key, default: LoadHistory()])
        }
    }

    private static let historyLimit = 16_384

    private let state = NIOLockedValueBox(State())
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    /// A load begins, or goes on for one more who wants it.
    ///
    /// - Parameters:
    ///   - why: nil where it is the first load there.
    ///   - options: that the request asks for; nil for the server's own.
    func begin(
        _ model: String, on endpoint: Endpoint, for cause: Cause, _ why: LoadCause? = nil, _ options: RunnerOptions? = nil, now: NIODeadline = .now()
    ) -> Load {
        let key = Key(endpoint: endpoint.id, name: endpoint.name, model: model)
        let (isNew, thrash) = state.withLockedValue { state -> (Bool, Thrash?) in
            // A load for other options is another load, though one may be under way.
            if state.began[key]?.isAwaited ?? false, why != .configuration { return (false, nil) }
            state.began[key] = (now, true)
            let thrash = state.note(key) { $0.note(isReload: why == .configuration, options ?? .unset, by: cause.asker, now: now) }
            return (true, thrash ?? nil)
        }
        if isNew {
            var facts = key.facts
            facts["for"] = "\(cause.words)"
            if let asker = cause.asker {
                facts["client"] = "\(asker.address)"
                if !asker.product.isEmpty { facts["agent"] = "\(asker.product)" }
            }
            if why == .configuration {
                facts["cause"] = "\(LoadCause.configuration.rawValue)"
                facts["options"] = "\((options ?? .unset).words)"
            }
            logger.info("model load began", metadata: facts)
        }
        if let thrash {
            var facts = key.facts
            facts["reloads"] = "\(thrash.reloads)"
            facts["avoidable"] = "\(thrash.avoidable)"
            logger.warning("\(thrash.words(endpoint.name, model))", metadata: facts)
        }
        return Load(self, key)
    }

    /// The loads since the start, by endpoint and by the model's name there.
    func histories() -> [EndpointID: [String: LoadHistory]] {
        let all = state.withLockedValue { $0.histories }
        var result: [EndpointID: [String: LoadHistory]] = [:]
        for (key, history) in all where !history.counts.isEmpty { result[key.endpoint, default: [:]][key.model] = history }
        return result
    }

    private func ended(_ key: Key, now: NIODeadline) {
        let began = state.withLockedValue { state -> NIODeadline? in
            guard let began = state.began.removeValue(forKey: key) else { return nil }
            state.told.insert(key)
            state.note(key) { $0.found() }
            return began.at
        }
        if let began { tellLoaded(key, now - began) }
    }

    private func failed(_ key: Key, _ reason: String) {
        guard state.withLockedValue({ $0.began.removeValue(forKey: key) }) != nil else { return }
        logger.warning("model load failed", metadata: reason.isEmpty ? key.facts : key.facts.merging(["reason": "\(reason)"]) { $1 })
    }

    private func left(_ key: Key) { state.withLockedValue { $0.began[key]?.isAwaited = false } }

    /// What a poll says is in memory, and what was known before.
    func polled(_ endpoint: Endpoint, from before: EndpointReport, to after: EndpointReport, now: NIODeadline = .now()) {
        let was = Set(before.loaded.map(\.name))
        let held = Set(after.loaded.map(\.name))
        guard was != held || !held.isEmpty else { return }
        // What is found at the first look, or after a while without looks, may have been there for long.
        let isNews = before.state.phase != .starting && before.state.phase != .down && before.state.phase != .maintenance
        let (loaded, found, gone) = state.withLockedValue { state in
            var loaded: [(Key, TimeAmount)] = []
            var found: [Key] = []
            for name in held.sorted() {
                let key = Key(endpoint: endpoint.id, name: endpoint.name, model: name)
                let wasTold = state.told.remove(key) != nil
                state.note(key) { $0.found() }
                guard !was.contains(name) else { continue }
                if let began = state.began.removeValue(forKey: key) {
                    loaded.append((key, now - began.at))
                } else if !wasTold, isNews {
                    found.append(key)
                }
            }
            // An endpoint that is down or starts again holds nothing, and says so by its state.
            let isThere = after.state.phase != .down && after.state.phase != .loading
            let gone = isThere ? was.subtracting(held).sorted().map { Key(endpoint: endpoint.id, name: endpoint.name, model: $0) } : []
            return (loaded, found, gone)
        }
        for key in gone { logger.info("model left memory", metadata: key.facts) }
        for (key, time) in loaded { tellLoaded(key, time) }
        for key in found { logger.info("model found in memory", metadata: key.facts) }
    }

    private func tellLoaded(_ key: Key, _ time: TimeAmount) {
        let tenths = max(0, (time.milliseconds + 50) / 100)
        logger.info("model loaded", metadata: key.facts.merging(["seconds": "\(tenths / 10).\(tenths % 10)"]) { $1 })
    }
}
