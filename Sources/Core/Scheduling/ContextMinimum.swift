// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

/// A context that a request asks for instead of its own. It is never less than that.
public struct ContextChange: Sendable, Equatable {
    public enum Why: Sendable, Equatable {
        /// The model is loaded with it.
        case loaded
        /// The configuration says that the model is loaded with no less.
        case minimum
    }

    public var tokens: Int32
    public var why: Why

    public init(tokens: Int32, why: Why) {
        self.tokens = tokens
        self.why = why
    }
}

/// `context_minimum`: no request asks for less context of a model than the configuration says.
///
/// Whoever asks for none gets just that much, though the server's own may be more: nobody knows the server's own before it was seen, and
/// what a request gets shall not depend on what has been seen.
extension Scheduler {
    /// The request as it is to be served; nil where that is as it came, as nearly all are.
    func raised(_ ask: Ask) -> Ask? {
        guard !settings.contextMinimums.isEmpty, ask.takesContext, let least = contextMinimum(of: ask.model),
            ask.options?.contextLength.map({ $0 < least }) ?? true
        else { return nil }
        var raised = ask
        raised.options = raised.options ?? .unset
        raised.options?.contextLength = least
        raised.isRaised = true
        return raised
    }

    /// The least that the configuration says of a model.
    ///
    /// - Parameter name: in any spelling that a request may use.
    private func contextMinimum(of name: String) -> Int32? {
        settings.contextMinimums[ModelName.ollamaKey(settings.aliases[name] ?? name)]
    }

    /// With what a model is loaded that no request is for: as it is there already, else as most requests ask for it, and with no less
    /// context than is configured. Nil for the server's own.
    func usualOptions(_ pair: PairIndex) -> RunnerOptions? {
        guard hasConfigurations(pair) else { return nil }
        let there = pairs[pair].configuration
        if pairs[pair].isUsable, let options = there.options ?? there.context.map({ RunnerOptions(contextLength: $0) }) {
            return options == .unset ? nil : options
        }
        return commonestOptions(pairs[pair].book)
    }

    /// What most requests for a model ask for, and no less context than is configured. Nil for the server's own.
    func commonestOptions(_ book: BookIndex) -> RunnerOptions? {
        var options = books[book].configurations.commonest ?? .unset
        if let least = contextMinimum(of: books[book].key) { options.contextLength = max(least, options.contextLength ?? 0) }
        return options == .unset ? nil : options
    }

    /// - Parameter model: as the endpoint spells it.
    public func usualOptions(_ id: EndpointID, model: String) -> RunnerOptions? {
        guard let place = indexOf[id], let pair = places[place].pairs.first(where: { pairs[$0].name == model }) else { return nil }
        return usualOptions(pair)
    }
}
